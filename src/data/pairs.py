"""LR/HR pairs: the known misalignment of the LR branch and the degradation to 16x16, as functions on batches."""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from src.data.camera import FRAME, CameraDraw, frame_to_face, photograph
from src.data.own_size import SAMPLES, OwnFrames
from src.image.own_size import with_own_size
from src.image.pixels import downsample
from src.image.sides import LR_SIDE, OWN_LR_SIDE, SIDE
from src.image.surroundings import Surroundings
from src.image.warp import compose, invert, similarity_matrix, warp

VALIDATION_SEED: Final = 0
VALIDATION_EPOCH: Final = -1
"""Seed and epoch of the fixed draws: validation and test faces always have the same misalignment."""

UPRIGHT: Final = (0.0, 1.0, 0.0, 0.0)
"""No misalignment, as `draw_misalignment` gives one."""

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
    """What fills the corners that the misalignment empties: the face's true surroundings (context), black (as
    published), or its border pixels replicated (border)."""

    @property
    def reach(self) -> float:
        """How far the unaligned frame may reach beyond the upright face, in pixels of the 128x128 face."""
        angle = math.radians(min(self.rotation, 45.0))
        return SIDE / 2 * ((math.cos(angle) + math.sin(angle)) * (1 + 2 * self.shift) / self.scale_min - 1)

    @property
    def upright(self) -> bool:
        """Whether it leaves every face where it is."""
        return not (self.rotation or self.shift) and self.scale_min == self.scale_max == 1

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


def misalign(hr: Tensor, matrix: Tensor, fill: Literal["black", "border"] = "black") -> Tensor:
    """The unaligned faces at full resolution, from the faces alone.

    Args:
        hr: (B, 3, 128, 128) in [-1, 1], upright.
        matrix: (B, 2, 3), upright to unaligned points, normalised coordinates.
        fill: what fills the corners: black, or the border pixels replicated.

    Returns:
        (B, 3, 128, 128) in [-1, 1].
    """
    # Outside the image the sampler reads 0, so the values are shifted to make 0 black.
    return warp(hr + 1, invert(matrix), outside="zeros" if fill == "black" else "border") - 1


def make_pair(
    hr: Tensor,
    misalignment: Tensor,
    fill: Fill = "black",
    surroundings: Surroundings | None = None,
    camera: CameraDraw | None = None,
    own_size: Tensor | None = None,
    lr_side: int = LR_SIDE,
) -> tuple[Tensor, Tensor]:
    """The LR input of every upright HR face, and the label of the STN.

    Rotation, scale and shift act at full resolution on the LR branch only. Their samples are never rounded or stored:
    together with the anti-aliased reduction they are one linear map from the picture to the LR face.

    Args:
        hr: (B, 3, 128, 128) in [-1, 1].
        misalignment: (B, 4) from `draw_misalignment`.
        fill: what fills the corners that the misalignment empties.
        surroundings: of the same faces; `fill="context"` samples them.
        camera: what a camera did to the faces; None: anti-aliased bicubic and 8-bit rounding.
        own_size: (B,) int64, the side in pixels that each face has in its photograph; None: that of LR.
        lr_side: side of the LR image in pixels; with a camera and without own sizes, 16.

    Returns:
        LR (B, 3, lr_side, lr_side) in [-1, 1], with own sizes and 32 pixels (B, 4, 32, 32), see `with_own_size`; and
        the true 2x3 matrices (B, 2, 3): upright output to LR coordinates.
    """
    matrix = similarity_matrix(*misalignment.float().unbind(1))
    if own_size is not None:
        lr = _of_own_size(hr, matrix, fill, surroundings, OwnFrames(own_size, camera), lr_side)
        return with_own_size(lr, own_size) if lr_side == OWN_LR_SIDE else lr, matrix
    around = None
    if fill == "context":
        assert surroundings is not None
        to_face = invert(matrix)
        if camera is None:
            unaligned = surroundings.sample(to_face)
        else:
            # Four samples a pixel are enough: only JPEG blocks at the edge of the face see what lies around it.
            frame = (compose(to_face, frame_to_face(camera.offset)), 2 * FRAME)
            unaligned, around = surroundings.sample_frames((to_face, SIDE), frame)
            around = F.avg_pool2d(around, 2)
    else:
        unaligned = misalign(hr, matrix, fill)
    lr = downsample(unaligned, lr_side) if camera is None else photograph(unaligned, around, camera)
    return lr, matrix


def _of_own_size(
    hr: Tensor, matrix: Tensor, fill: Fill, surroundings: Surroundings | None, frames: OwnFrames, side: int
) -> Tensor:
    """LR faces (B, 3, side, side), photographed at their own sizes."""
    to_face = compose(invert(matrix), frames.to_face())
    if fill == "context":
        assert surroundings is not None
        sampled = surroundings.sample(to_face, SAMPLES)
    else:
        outside = "zeros" if fill == "black" else "border"
        sampled = warp(hr + 1, to_face, outside=outside, side=SAMPLES) - 1  # 0, which is outside, is black
    return frames.resampled(frames.photographed(sampled), side)
