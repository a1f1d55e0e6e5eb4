"""Loads methods by name or checkpoint file; the only list of all methods."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from src.method.bicubic import Bicubic, BicubicAligned
from src.method.method import Method
from src.method.trained import load_trained
from src.model.checkpoint import Weights
from src.system.errors import UserError

WORDS = ("bicubic", "bicubic_aligned")
"""The methods that have a name; all others are checkpoint files."""


def load_method(named: str, device: torch.device, weights: Weights = "auto") -> Method:
    """The method of a name or of a checkpoint file.

    Args:
        named: one of `WORDS`, or a checkpoint that `src.train` wrote.
        device: where a network computes.
        weights: which of the checkpoint's weights.

    Raises:
        UserError: no method or file is called so, or `load_checkpoint` refuses the file.
    """
    match named:
        case "bicubic":
            return Bicubic()
        case "bicubic_aligned":
            return BicubicAligned()
    if not Path(named).exists() and "/" not in named and "." not in named:
        raise UserError(f"no method is called '{named}': give a checkpoint file, or one of {', '.join(WORDS)}")
    return load_trained(Path(named), device, weights)


def load_methods(
    named: Sequence[str], device: torch.device, weights: Weights = "auto", checkpoint: str | None = None
) -> list[Method]:
    """Several methods, with names and titles that distinguish them.

    Args:
        named: words of `WORDS`, or checkpoint files.
        device: where a network computes.
        weights: which of a checkpoint's weights.
        checkpoint: one more, which must be a checkpoint file.
    """
    methods = [load_method(name, device, weights) for name in named]
    if checkpoint is not None:
        methods.append(load_trained(Path(checkpoint), device, weights))
    words = [*named, *([] if checkpoint is None else [checkpoint])]
    titles = Counter(method.title for method in methods)
    taken: set[str] = set()
    for word, method in zip(words, methods, strict=True):
        first, number = method.name, 1
        while method.name in taken:
            number += 1
            method.name = f"{first}_{number}"
        taken.add(method.name)
        if titles[method.title] > 1:
            method.title = f"{method.title} ({word})"
    return methods
