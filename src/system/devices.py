"""Where a command computes."""

import torch

from src.system.errors import UserError


def pick_device(name: str) -> torch.device:
    """auto: a GPU where there is one; UserError for a GPU where there is none."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError("device=cuda: torch sees no GPU here; use device=cpu")
    return torch.device("cuda" if available and name != "cpu" else "cpu")
