"""The output of every generator."""

from typing import NamedTuple

from torch import Tensor


class Upscaled(NamedTuple):
    """The output of a generator for a batch of B faces."""

    image: Tensor
    """(B, 3, 128, 128), about [-1, 1]; not clamped: clamp for saving and metrics, not in training."""
    heatmaps: list[Tensor]
    """One (B, M, R, R) per hourglass, the last one the best; empty without the heatmap branch. Linear, about 0-1."""
    matrix: Tensor | None
    """(B, 2, 3) float32: the STN's transform, upright output to unaligned input coordinates; None without an STN."""
