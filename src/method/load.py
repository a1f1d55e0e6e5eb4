"""From what a person named to the methods: the one place that knows them all."""

from collections.abc import Sequence
from pathlib import Path

import torch

from src.method.bicubic import Bicubic, BicubicAligned
from src.method.method import Method
from src.method.trained import load_trained
from src.model.checkpoint import Weights
from src.system.errors import UserError

WORDS = ("bicubic", "bicubic_aligned")
"""What can be named beside a checkpoint file."""


def load_method(named: str, device: torch.device, weights: Weights = "auto") -> Method:
    """The method that a word or a file names.

    Args:
        named: one of `WORDS`, or a checkpoint that `src.train` wrote.
        device: where a network computes.
        weights: which of a checkpoint's.

    Raises:
        UserError: no such word and no such file; a file that is no checkpoint; see `load_checkpoint`.
    """
    match named:
        case "bicubic":
            return Bicubic()
        case "bicubic_aligned":
            return BicubicAligned()
    if not Path(named).exists() and "/" not in named and "." not in named:
        raise UserError(f"no method is called '{named}': give a checkpoint file, or one of {', '.join(WORDS)}")
    return load_trained(Path(named), device, weights)


def load_methods(named: Sequence[str], device: torch.device, weights: Weights = "auto") -> list[Method]:
    """Several methods, whose names tell them apart: a second one of a name is `NAME_2`, its title says its file."""
    methods = [load_method(name, device, weights) for name in named]
    taken: dict[str, int] = {}
    for word, method in zip(named, methods, strict=True):
        taken[method.name] = number = taken.get(method.name, 0) + 1
        if number > 1:
            method.name, method.title = f"{method.name}_{number}", f"{method.title} ({word})"
    return methods
