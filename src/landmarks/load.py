"""Loading of the face-alignment library's weights into its networks, without executing code from the files."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from src.landmarks.weights import read_library_file
from src.system.errors import UserError

# Checkpoints as old as the library's hold a score beside the tensors, as a NumPy number: data, no code. The library
# reads its depth file without `weights_only`, so that file may be such a checkpoint.
_NUMBER: Any = np.float64(0).__reduce__()[0]  # NumPy's constructor, listed below under its new and its old name
_NUMBERS: list[Any] = [
    _NUMBER, (_NUMBER, "numpy.core.multiarray.scalar"), np.dtype, type(np.dtype("f8")), type(np.dtype("f4")),
]  # fmt: skip


def load_into(network: nn.Module, path: Path) -> None:
    """Load a file of the face-alignment library into one of its networks; nothing in the file is executed.

    Args:
        network: the network to fill.
        path: a state dict, or a training checkpoint with one under "state_dict" and "module." before every name.

    Raises:
        UserError: the file is damaged, holds no weights, or holds those of another network.
    """
    data = read_library_file(path)
    try:
        with torch.serialization.safe_globals(_NUMBERS):
            values = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(f"{path} holds more than weights (perhaps code) and is not loaded: fetch it again") from None
    except Exception as error:  # torch.load raises a dozen types for other files
        reason = str(error).partition("\n")[0][:100]
        raise UserError(f"{path} is no file that torch can load ({reason}): fetch it again") from None
    fault = _misfit(network, values)
    if fault:
        raise UserError(f"{path} does not fit {type(network).__name__} ({fault}): is it another network's file?")


def _misfit(network: nn.Module, values: Any) -> str:
    """Load the values and return "", or return in a few words why they do not fit."""
    if isinstance(values, dict) and isinstance(values.get("state_dict"), dict):
        values = values["state_dict"]
    if not isinstance(values, dict) or not all(isinstance(value, torch.Tensor) for value in values.values()):
        return "no dict of tensors"
    values = {str(key).removeprefix("module."): value for key, value in values.items()}
    # Files of torch 0.4 and older don't count batches; the counter means nothing to a network that is not trained.
    wanted = {key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    missing, shapes = [], []
    for key, value in wanted.items():
        if key not in values:
            missing.append(key)
        elif values[key].shape != value.shape:
            shapes.append(key)
    unknown = [key for key in values if key not in wanted and not key.endswith("num_batches_tracked")]
    for what, keys in (("lacks", missing), ("has another shape of", shapes), ("has an unknown", unknown)):
        if keys:
            return f"{what} {keys[0]}" + (f" and {len(keys) - 1} more" if len(keys) > 1 else "")
    network.load_state_dict(values, strict=False)
    return ""
