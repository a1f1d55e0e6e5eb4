"""The output of every generator."""

from typing import Final, NamedTuple

from torch import Tensor

from src.face.points import MIRROR, POINTS

SWAPPED: Final[list[int]] = MIRROR.tolist()
"""`MIRROR` as plain numbers: a compiled or exported network shares no array or cached tensor with other code."""


class Upscaled(NamedTuple):
    """The output of a generator for a batch of B faces."""

    image: Tensor
    """(B, 3, 128, 128), about [-1, 1]; not clamped: clamp for saving and metrics, not in training."""
    heatmaps: list[Tensor]
    """One (B, M, R, R) per hourglass, the last one the best; empty without the heatmap branch. Linear, about 0-1."""
    matrix: Tensor | None
    """(B, 2, 3) float32: the STN's transform, upright output to unaligned input coordinates; None without an STN."""


def mean_of_mirrored(seen: Upscaled, twin: Upscaled) -> Upscaled:
    """The mean of the outputs for faces and for their mirror images, upright as the faces are.

    Args:
        seen: for the faces; the transforms are these.
        twin: for the mirrored faces, aligned by the mirrored transforms.
    """
    heatmaps = [(maps + _swapped(other).flip(3)) / 2 for maps, other in zip(seen.heatmaps, twin.heatmaps, strict=True)]
    return Upscaled((seen.image + twin.image.flip(3)) / 2, heatmaps, seen.matrix)


def _swapped(heatmaps: Tensor) -> Tensor:
    """Heatmaps (B, M, R, R), one per landmark, with left and right swapped; those of components are symmetric."""
    return heatmaps[:, SWAPPED] if heatmaps.shape[1] == POINTS else heatmaps
