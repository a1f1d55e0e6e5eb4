"""Faces at the size that they have in a photograph: rendered and compressed there, then resampled for the network.

Our choice throughout. A photograph does not know the network's input: the lens, the sensor and JPEG act on a face of 12
or of 40 pixels, and only then is the face cut out and brought to 32x32.
"""

import functools
import math
from typing import Final

import numpy as np
import torch
from torch import Tensor

from src.data.camera import KERNELS, CameraDraw, blur_level, blurs, developed, frame_to_face, kernel
from src.data.jpeg import MCU
from src.image.pixels import quantise
from src.image.sides import LR_SIDE, OWN_LR_SIDE

SMALLEST: Final = 8
LARGEST: Final = 64
"""The least and the most pixels of a face's own side that can be asked for."""
SAMPLES: Final = 192
"""Samples of the picture along a side of the compressed frame: 6 a pixel for faces of up to 16 pixels, 4 up to 32, 3 up
to 48. Of a face of 12 pixels or more they are at most 1.9 pixels of HR apart."""

OwnSizes = tuple[int, int]
"""The smallest and the largest side of a face in its photograph, in pixels."""


def check_own_size(own_size: OwnSizes | None, lr_side: int = LR_SIDE) -> None:
    """ValueError if the range is none, or if the network is to be told sizes that nobody draws."""
    if lr_side not in (LR_SIDE, OWN_LR_SIDE):
        raise ValueError(f"lr_side must be {LR_SIDE} or {OWN_LR_SIDE}, not {lr_side}")
    if own_size is None:
        if lr_side == OWN_LR_SIDE:
            raise ValueError(f"lr_side={lr_side} needs own_size, the range of the faces' own sizes: own_size=[12,40]")
        return
    low, high = own_size
    if not SMALLEST <= low <= high <= LARGEST:
        raise ValueError(f"own_size must be {SMALLEST}-{LARGEST} pixels and in this order, not {low} and {high}")


def draw_own_size(own_size: OwnSizes, random: np.random.Generator) -> int:
    """One face's own side in pixels, uniform in its logarithm: as many faces from 12 to 20 as from 20 to 33.

    The random number is drawn for a single size too, so that all other draws are those of any other range.
    """
    low, high = own_size
    drawn = math.exp(random.uniform(math.log(low - 0.5), math.log(high + 0.5)))
    return min(max(round(drawn), low), high)


def canvas_side(largest: int) -> int:
    """Side of the part of the photograph that holds faces of up to `largest` pixels at any offset to JPEG's blocks."""
    return MCU * math.ceil((largest + MCU) / MCU)


class OwnFrames:
    """Where the parts of the photographs lie that are compressed with B faces, each at the face's own size.

    Args:
        size: (B,) int64, sides of the faces in pixels.
        camera: what a camera did; None: anti-aliased bicubic.
    """

    def __init__(self, size: Tensor, camera: CameraDraw | None) -> None:
        self.size, self.camera = size, camera
        self.side = canvas_side(LARGEST) if camera is None else camera.noise.shape[-1]
        # Without a camera, no edge of the frame is in the reach of a kernel.
        self.offset = size.new_full((len(size), 2), MCU // 2) if camera is None else camera.offset
        # The pixel below the face is in the frame too: chroma is interpolated.
        self._blocks = (size + MCU).add(MCU - 1).div(MCU, rounding_mode="floor")  # JPEG's, along a side

    def to_face(self) -> Tensor:
        """The matrices (B, 2, 3) from the frames' coordinates to those of the unaligned faces, both normalised."""
        return frame_to_face(self.offset, self.size[:, None], MCU * self._blocks[:, None])

    def photographed(self, frames: Tensor) -> Tensor:
        """The frames as the photographs hold them.

        Args:
            frames: (B, 3, 192, 192) in [-1, 1], sampled through `to_face`.

        Returns:
            (B, 3, S, S) in [-1, 1], rounded to 8 bits; beyond its blocks each frame repeats its last pixels.
        """
        reduce, camera = _reductions(frames.device, self.side), self.camera
        if camera is None:
            down = across = reduce[self._blocks - 2, 0, 0][:, None]
        else:
            level = blur_level(camera.blur)
            down, across = (reduce[self._blocks - 2, camera.kernel, level[:, axis]][:, None] for axis in (0, 1))
        small = down @ frames.float() @ across.transpose(-1, -2)
        return quantise(small) if camera is None else developed(small, camera) / 127.5 - 1

    def resampled(self, canvas: Tensor, side: int) -> Tensor:
        """The faces cut out and brought to one size by anti-aliased bicubic, rounded to 8 bits; as `downsample` does.

        Args:
            canvas: (B, 3, S, S) in [-1, 1], the photographs.
            side: of the LR faces in pixels.

        Returns:
            (B, 3, side, side) in [-1, 1].
        """
        size = self.size[:, None, None].float()
        centres = (torch.arange(side, device=canvas.device)[:, None] + 0.5) * size / side - 0.5  # (B, side, 1)
        wide = (size / side).clamp(min=1)
        lines = []
        for axis in (0, 1):
            pixels = torch.arange(self.side, device=canvas.device) - self.offset[:, axis, None, None]  # (B, 1, S)
            weights = kernel("bicubic", (pixels - centres) / wide)
            weights = weights.masked_fill((pixels < 0) | (pixels >= size), 0)
            lines.append((weights / weights.sum(-1, keepdim=True))[:, None])
        down, across = lines
        return quantise(down @ canvas @ across.transpose(-1, -2))


@functools.cache
def _reductions(device: torch.device, side: int) -> Tensor:
    """Blur and reduction of a line of samples to `side` pixels, (blocks, kernels, LEVELS, side, SAMPLES).

    Rows sum to 1. The first is for frames of 2 blocks along a side, the last for frames that fill the canvas.
    """
    with torch.inference_mode(False):  # training may later use a tensor that evaluation cached
        samples = torch.arange(SAMPLES, dtype=torch.float64)
        found = []
        for blocks in range(2, side // MCU + 1):
            pixel = SAMPLES / (MCU * blocks)
            places = torch.arange(side, dtype=torch.float64).clamp(max=MCU * blocks - 1)
            centres = (places[:, None] + 0.5) * pixel - 0.5
            kernels = torch.stack([kernel(name, (samples - centres) / pixel) for name in KERNELS])
            kernels /= kernels.sum(-1, keepdim=True)
            found.append((kernels[:, None] @ blurs(SAMPLES, pixel)).float())
        return torch.stack(found).to(device)
