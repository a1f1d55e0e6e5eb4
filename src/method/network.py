"""Loads what is a trained network: a checkpoint, a release, an export, or a release on the hub."""

import os
from pathlib import Path
from typing import Final

import torch

from src.method.bicubic import Bicubic, BicubicAligned
from src.method.method import Runtime
from src.method.onnx import SUFFIX as ONNX
from src.method.onnx import in_onnxruntime, load_onnx
from src.method.trained import Trained, load_trained
from src.model.checkpoint import Weights
from src.model.hub import PREFIX, pull
from src.system.errors import UserError

TAKEN: Final = (
    f"a release's folder, a checkpoint, a .onnx, .pt2 or .safetensors file of src.export, or {PREFIX}OWNER/NAME"
)


def load_network(path: Path, device: torch.device, weights: Weights = "auto", runtime: Runtime = "torch") -> Trained:
    """The network of a file, or of a release's folder.

    Args:
        path: ends in `.onnx`, `.pt2` or `.safetensors` for a file of `src.export`; else a release or a checkpoint.
        device: where torch computes.
        weights: which of a checkpoint's weights.
        runtime: what computes; ONNX Runtime computes an `.onnx` file whatever this says.

    Raises:
        UserError: the function for its kind refuses the file.
    """
    if path.suffix == ONNX:
        found = load_onnx(path, device)
        if weights not in ("auto", found.checkpoint.weights):
            raise UserError(f"{path} holds {found.checkpoint.weights} weights alone: leave out weights={weights}")
        return found
    trained = load_trained(path, device, weights)
    return in_onnxruntime(trained.checkpoint, device) if runtime == "onnxruntime" else trained


def named_network(
    named: str | Path, device: torch.device, weights: Weights = "auto", runtime: Runtime = "torch"
) -> Trained:
    """The network that a person names: `hub:OWNER/NAME`, see `pull`, or a path of `load_network`.

    Raises:
        UserError: nothing is there, it is a method without a network, or it is refused.
    """
    name, path = str(named), Path(named)
    if name.startswith(PREFIX):
        return load_network(pull(name), device, weights, runtime)
    if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for a name that is too long
        is_word = name in (Bicubic.name, BicubicAligned.name)
        raise UserError(f"{name} {'is a method without a network' if is_word else 'does not exist'}: give {TAKEN}")
    return load_network(path, device, weights, runtime)
