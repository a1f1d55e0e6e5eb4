"""Reads a checkpoint, without the trainer: its generator, and how that was trained.

Nothing in the file is executed: torch's unpickler builds only tensors and plain values.
"""

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from src.model.config import GeneratorConfig, generator_config
from src.system.errors import UserError, reason_of

GENERATOR = "generator."  # prefix of the generator's tensors in `state_dict`
AVERAGED = "averaged"
"""Key in a checkpoint with `ema.enabled`: {"updates": int, "generator": the averaged generator's tensors by name}."""
Weights = Literal["auto", "averaged", "raw"]
"""Which of a checkpoint's generators: averaged: the moving average; raw: the last update; auto: averaged, else raw."""
REMEDY = "give one that src.train wrote (checkpoints/last.ckpt in a run folder)"


class Damaged(UserError):  # noqa: N818 - it describes the file
    """A checkpoint file that is cut short, damaged or replaced; the previous checkpoint may still be whole."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained generator.

    Attributes:
        path: the file.
        generator: on the CPU, float32, in eval mode, without gradients.
        config: its configuration.
        training: the whole training configuration, plain values.
        epoch: the number of the epoch it was saved in, from 0; None where not recorded.
        iterations: training batches seen, None where not recorded.
        weights: which of the file's generators it is: averaged or raw.
    """

    path: Path
    generator: nn.Module
    config: GeneratorConfig
    training: dict[str, Any]
    epoch: int | None
    iterations: int | None
    weights: Literal["averaged", "raw"] = "raw"


def load_checkpoint(path: str | Path, weights: Weights = "auto") -> Checkpoint:
    """Read the generator from a checkpoint that training wrote.

    Args:
        path: the file.
        weights: which generator; auto: the averaged one if there is one.

    Raises:
        UserError: the file does not exist, is no checkpoint, is cut short or damaged, could run code, holds another
            model, or lacks the averaged weights that were asked for.
    """
    path = Path(path)
    content = read_content(path)
    training, state = content.get("hyper_parameters"), content.get("state_dict")
    model = training.get("model") if isinstance(training, Mapping) else None
    values = model.get("generator") if isinstance(model, Mapping) else None
    if not isinstance(training, dict) or not isinstance(values, Mapping) or not isinstance(state, Mapping):
        raise UserError(f"{path} is a checkpoint of something else: it has no model.generator configuration; {REMEDY}")
    averaged = content.get(AVERAGED)
    if averaged is None and weights == "averaged":
        raise UserError(f"{path} has no averaged weights: it was trained with ema.enabled=false; take weights=raw")
    config, generator = build_generator(path, values)
    taken: Literal["averaged", "raw"] = "raw" if averaged is None or weights == "raw" else "averaged"
    if taken == "averaged":
        tensors = averaged.get("generator") if isinstance(averaged, Mapping) else None
        load_tensors(path, generator, tensors if isinstance(tensors, Mapping) else {}, f"{AVERAGED}.{GENERATOR}")
    else:
        found = {key.removeprefix(GENERATOR): value for key, value in state.items() if key.startswith(GENERATOR)}
        load_tensors(path, generator, found, GENERATOR)
    return Checkpoint(path, generator, config, training, _count(content, "epoch"), _count(content, "iterations"), taken)


def read_content(path: Path) -> dict[str, Any]:
    """The file's content; UserError says what is wrong with a bad file."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: {REMEDY}")
    if not path.exists():
        raise UserError(f"{path} does not exist: {REMEDY}")
    try:
        with path.open("rb") as file:
            start = file.read(4)
        _check_archive(path, start)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about damaged bytes, which have their own error here
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except (OSError, MemoryError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or repr(error)}") from None
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f" ({wanted[1]})" if wanted else ""
        raise Damaged(
            f"{path} is refused: it holds more than tensors and plain values{what}, which could run code; "
            f"nothing was run; {REMEDY}"
        ) from None
    except Exception as error:  # damaged archives raise a dozen types
        raise Damaged(f"{path} is damaged ({reason_of(error)}); copy it again from where it was written") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is no checkpoint: it holds a {type(content).__name__}; {REMEDY}")
    return content


def _check_archive(path: Path, start: bytes) -> None:
    """UserError unless the file is a zip archive with `NAME/data.pkl` and its own checksums hold."""
    if not start.startswith(b"PK\x03\x04"):
        what = "an empty file" if not start else "not a torch archive"
        raise Damaged(f"{path} is no checkpoint ({what}); {REMEDY}")
    try:
        with zipfile.ZipFile(path) as archive:
            if not any(name.endswith("/data.pkl") for name in archive.namelist()):
                raise UserError(f"{path} is a zip file but no checkpoint; {REMEDY}")
            damaged = archive.testzip()  # torch itself does not check the checksums
    except (zipfile.BadZipFile, EOFError):
        raise Damaged(
            f"{path} is cut short or damaged ({path.stat().st_size:,} bytes); copy it again from where it was written"
        ) from None
    if damaged is not None:
        raise Damaged(f"{path} is damaged (in {damaged}); copy it again from where it was written")


def build_generator(path: Path, values: Mapping[str, Any]) -> tuple[GeneratorConfig, nn.Module]:
    """The configuration that a file holds, and its network, still without weights; UserError names the file."""
    try:
        config = generator_config(values)
        with torch.device("meta"):  # the weights come from the file: no random number is drawn
            return config, config.build()
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except Exception as error:  # values of the wrong kind fail in the layers' constructors
        raise UserError(f"{path}: its generator configuration does not build ({reason_of(error)})") from None


def load_tensors(path: Path, generator: nn.Module, found: Mapping[str, Any], prefix: str = "") -> None:
    """Load the generator's tensors, whatever their precision, as float32.

    UserError names the first that does not fit, with `prefix` before its name.
    """
    other = "the file's weights and its configuration are of different versions of the network"
    expected = generator.state_dict()
    for name, tensor in expected.items():
        value = found.get(name)
        if not isinstance(value, Tensor):
            raise UserError(f"{path} has no tensor '{prefix}{name}': {other}")
        if value.shape != tensor.shape:
            raise UserError(
                f"{path}: tensor '{prefix}{name}' is {tuple(value.shape)}, not {tuple(tensor.shape)}: {other}"
            )
        if value.is_floating_point() and not value.isfinite().all():
            raise UserError(f"{path}: tensor '{prefix}{name}' is not finite: the training diverged; use an earlier one")
    for name in found:
        if name not in expected:
            raise UserError(f"{path} has a tensor '{prefix}{name}' that the network lacks: {other}")
    generator.load_state_dict(found, assign=True)
    generator.float().requires_grad_(False).eval()


def _count(content: Mapping[str, Any], key: str) -> int | None:
    value = content.get(key)
    return value if isinstance(value, int) else None
