"""Where a command computes."""

import torch

from src.system.errors import UserError


def pick_device(name: str, option: str = "device=") -> torch.device:
    """The device that a person named.

    Args:
        name: "cpu", "cuda", or "auto" for a GPU where there is one.
        option: how the person names it, for the error.

    Raises:
        UserError: a GPU is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError(f"{option}cuda: torch sees no GPU here; use {option}cpu")
    return torch.device("cuda" if available and name != "cpu" else "cpu")
