"""The torch device that a command's device option names."""

import torch

from src.system.errors import UserError


def pick_device(name: str, option: str = "device=") -> torch.device:
    """The torch device for a name.

    Args:
        name: "cpu", "cuda", or "auto": a GPU if there is one, else the CPU.
        option: the option as the user types it, for the error.

    Raises:
        UserError: `name` is "cuda" and torch sees no GPU.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError(f"{option}cuda: torch sees no GPU here; use {option}cpu")
    return torch.device("cuda" if available and name != "cpu" else "cpu")
