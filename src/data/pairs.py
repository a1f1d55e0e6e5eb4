"""LR/HR pairs: the known misalignment of the LR branch and the degradation to 16x16, as functions on batches."""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from src.image.pixels import downsample
from src.image.sides import LR_SIDE, SIDE
from src.image.warp import face_of, invert, sample_surroundings, similarity_matrix, warp

VALIDATION_SEED: Final = 0
VALIDATION_EPOCH: Final = -1
"""Seed and epoch of the fixed draws: validation and test faces always have the same misalignment."""


Fill = Literal["context", "black", "border"]


@dataclass(frozen=True)
class MisalignmentConfig:
    """How far the LR faces are from upright; the defaults were measured on the published test inputs."""

    rotation: float = 30.0
    """Degrees, uniform in [-rotation, rotation]."""
    scale_min: float = 0.85
    """Scale, uniform in [scale_min, scale_max]; below 1 the face shrinks."""
    scale_max: float = 1.0
    shift: float = 0.05
    """Share of the side, uniform in [-shift, shift] for x and y."""
    fill: Fill = "black"
    """What fills the corners that the misalignment empties: black (as published), or the border pixels replicated."""

    def __post_init__(self) -> None:
        if not 0 < self.scale_min <= self.scale_max < math.inf:
            raise ValueError("scale_min must be above 0 and at most scale_max")
        if not (0 <= self.rotation <= 180 and 0 <= self.shift < 0.5):
            raise ValueError("rotation must be 0-180 degrees and shift 0-0.5 of the side")


def draw_misalignment(config: MisalignmentConfig, random: np.random.Generator) -> NDArray[np.float32]:
    """One face's misalignment (4,): angle in radians, scale, and the shifts in x and y in normalised units."""
    low = [-config.rotation, config.scale_min, -config.shift, -config.shift]
    high = [config.rotation, config.scale_max, config.shift, config.shift]
    angle, scale, shift_x, shift_y = random.uniform(low, high)
    # In normalised units an image side is 2 long.
    return np.array([np.deg2rad(angle), scale, 2 * shift_x, 2 * shift_y], np.float32)


def face_random(seed: int, epoch: int, row: int) -> np.random.Generator:
    """The random numbers of one face in one epoch: the same whatever the batch, the worker, the process or a resume."""
    return np.random.default_rng([seed, epoch - VALIDATION_EPOCH, row])


def misalign(pictures: Tensor, matrix: Tensor, fill: Fill = "black", side: int = SIDE) -> Tensor:
    """The unaligned face at full resolution.

    Args:
        pictures: (B, 3, S, S) in [-1, 1]: the upright face in the middle of its surroundings, or S = side without.
        matrix: (B, 2, 3), upright to unaligned points, normalised coordinates.
        fill: what fills the corners: the surroundings (context), black, or the face's border pixels.
        side: of the face in pixels.

    Returns:
        (B, 3, side, side) in [-1, 1].
    """
    if fill == "context":
        return sample_surroundings(pictures, invert(matrix), side)
    hr = face_of(pictures, side)
    # Outside the image the sampler reads 0, so the values are shifted to make 0 black.
    return warp(hr + 1, invert(matrix), outside="zeros" if fill == "black" else "border") - 1


def make_pair(
    pictures: Tensor, misalignment: Tensor, lr_side: int = LR_SIDE, fill: Fill = "black", side: int = SIDE
) -> tuple[Tensor, Tensor]:
    """The LR input of every upright HR face, and the label of the STN.

    Rotation, scale and shift act at full resolution on the LR branch only; then anti-aliased bicubic, 8-bit rounding.

    Args:
        pictures: (B, 3, S, S) in [-1, 1]: the upright face in the middle of its surroundings, or S = side without.
        misalignment: (B, 4) from `draw_misalignment`.
        lr_side: side of the LR image in pixels.
        fill: what fills the corners that the misalignment empties.
        side: of the face in pixels.

    Returns:
        LR (B, 3, lr_side, lr_side) in [-1, 1], and the true 2x3 matrices (B, 2, 3): upright output to LR coordinates.
    """
    matrix = similarity_matrix(*misalignment.float().unbind(1))
    return downsample(misalign(pictures, matrix, fill, side), lr_side), matrix
