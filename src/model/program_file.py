"""A trained generator as a program of torch (`.pt2`, for `torch.export.load`), and its tensors read back from there.

torch.export.load evaluates texts of its file, and unpickles where the file says so: it is for files of one's own. What
is read here are the tensors alone, from their raw bytes; the network that computes is then this project's own.
"""

import io
import json
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from src.model.about import AGAIN, KEY, about, read_about, unloaded
from src.model.checkpoint import Checkpoint, load_tensors
from src.model.portable import traced
from src.system.errors import UserError, reason_of

SUFFIX: Final = ".pt2"
DTYPES: Final = {7: torch.float32, 5: torch.int64}
"""The numbers of torch's schema for the types of a generator's tensors."""
GENERATOR: Final = "generator."
"""What the names of its tensors begin with, see `Portable`."""
LARGEST: Final = 2**30
"""Bytes of an entry; a larger one is refused before it is read."""


def program_bytes(checkpoint: Checkpoint, uint8: bool = False) -> bytes:
    """The content of a `.pt2` file: inputs and outputs as in `Portable`; no path of the machine is in it."""
    program = traced(checkpoint, uint8)
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)
    written = io.BytesIO()
    torch.export.save(program, written, extra_files={KEY: json.dumps(about(checkpoint))})
    return written.getvalue()


def load_program(path: Path) -> Checkpoint:
    """The generator of a `.pt2` file that `program_bytes` made.

    Raises:
        UserError: it is missing, damaged, holds something else, or a tensor does not fit the network.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            text, tensors = _content(path, archive)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}; {AGAIN}") from None
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{path} is cut short, damaged or no .pt2 file ({reason_of(error)}); {AGAIN}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: its tensors cannot be read ({reason_of(error)}); {AGAIN}") from None
    checkpoint = unloaded(path, read_about(path, text))
    load_tensors(path, checkpoint.generator, tensors)
    return checkpoint


def _content(path: Path, archive: zipfile.ZipFile) -> tuple[str, dict[str, Tensor]]:
    """The JSON of `about`, and the tensors by name."""
    entries = {name.partition("/")[2]: name for name in archive.namelist()}

    def read(entry: str) -> bytes:
        if entry not in entries:
            raise UserError(f"{path} is no generator: it has no {entry}; write it with src.export format=torch_export")
        if archive.getinfo(entries[entry]).file_size > LARGEST:
            raise UserError(f"{path}: {entry} is larger than {LARGEST:,} bytes; {AGAIN}")
        return archive.read(entries[entry])

    text = read(f"extra/{KEY}").decode()
    config = json.loads(read("data/weights/model_weights_config.json"))["config"]
    tensors = {}
    for name, entry in config.items():
        tensors[name.removeprefix(GENERATOR)] = _tensor(entry, read(f"data/weights/{entry['path_name']}"))
    return text, tensors


def _tensor(entry: dict[str, Any], content: bytes) -> Tensor:
    """A tensor from its raw bytes; ValueError if it is stored in another way."""
    meta = entry["tensor_meta"]
    dtype, sizes = DTYPES[meta["dtype"]], [size["as_int"] for size in meta["sizes"]]
    strides = [math.prod(sizes[place + 1 :]) for place in range(len(sizes))]
    plain = not entry["use_pickle"] and meta["storage_offset"]["as_int"] == 0
    empty = math.prod(sizes) == 0  # then strides mean nothing
    if not plain or (not empty and [stride["as_int"] for stride in meta["strides"]] != strides):
        raise ValueError(f"{entry['path_name']} is no plain tensor")
    if empty and not content:
        return torch.empty(sizes, dtype=dtype)
    return torch.frombuffer(bytearray(content), dtype=dtype).reshape(sizes)
