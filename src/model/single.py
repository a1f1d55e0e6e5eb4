"""A trained generator in one `.safetensors` file, which says in its metadata what it is. Nothing is ever unpickled."""

import json
from pathlib import Path
from typing import Final, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from src.model.about import AGAIN, KEY, about, read_about, unloaded
from src.model.checkpoint import Checkpoint, load_tensors
from src.system.errors import UserError, reason_of

SUFFIX: Final = ".safetensors"
Precision = Literal["float32", "bfloat16"]


def tensors_for(checkpoint: Checkpoint, precision: Precision) -> dict[str, Tensor]:
    """The generator's tensors in a precision; statistics of batch normalisation stay float32."""
    dtype = getattr(torch, precision)
    weights = {name for name, _ in checkpoint.generator.named_parameters()}
    return {
        name: (tensor.to(dtype) if name in weights else tensor).contiguous()
        for name, tensor in checkpoint.generator.state_dict().items()
    }


def tensors_of(path: Path) -> dict[str, Tensor]:
    """The tensors of a file; UserError if it is damaged."""
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is damaged ({reason_of(error)}); {AGAIN}") from None


def single_bytes(checkpoint: Checkpoint, precision: Precision = "float32") -> bytes:
    """The content of the file of a checkpoint's generator."""
    return save(tensors_for(checkpoint, precision), {KEY: json.dumps(about(checkpoint))})


def is_single(path: Path) -> bool:
    """Whether a path is a safetensors file that says that it holds a generator."""
    try:
        return path.suffix == SUFFIX and KEY in _metadata(path)
    except UserError:
        return False


def _metadata(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise UserError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}: give a {SUFFIX} file")
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is cut short, damaged or no safetensors file ({reason_of(error)}); {AGAIN}") from None


def load_single(path: Path) -> Checkpoint:
    """The generator of a file that `single_bytes` made.

    Raises:
        UserError: it is damaged, holds something else, or a tensor is missing, left over, not finite or of another
            shape.
    """
    text = _metadata(path).get(KEY)
    if text is None:
        raise UserError(
            f"{path} does not say which network it is of (a dictionary of faces is of none): give the release's "
            "folder, or a file of python -m src.export format=safetensors"
        )
    checkpoint = unloaded(path, read_about(path, text))
    load_tensors(path, checkpoint.generator, tensors_of(path))
    return checkpoint
