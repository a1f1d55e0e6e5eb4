"""A camera's small faces: blur, the sensor's raster, its noise, a tone curve and JPEG, in place of plain bicubic.

Our choice throughout. A face that is 16 pixels large in a photograph was reduced by a lens, a sensor and whatever
program scaled the picture, and its file was compressed at that size: an 8x8 block of JPEG is a quarter of the face.
"""

import functools
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from src.data.jpeg import MCU, jpeg
from src.image.sides import LR_SIDE, SIDE

Degradation = Literal["bicubic", "camera"]

FRAME: Final = LR_SIDE + MCU
"""Side of the part of the photograph that is compressed with a face: the face at any offset to the blocks."""
KERNELS: Final = ("bicubic", "bilinear", "box", "lanczos")
"""What reduces the picture, each widened to be anti-aliased."""
LARGEST_BLUR: Final = 2.0
"""Pixels of the LR face; the end of the blur's table."""
LEVELS: Final = 32
"""Steps of the blur's table from none to the largest."""


@dataclass(frozen=True)
class CameraConfig:
    """Ranges of `degradation=camera`; every face gets its own draw."""

    blur: float = 0.6
    """Largest standard deviation of the blur in pixels of the LR face, 0-2; drawn for each axis."""
    noise: float = 6.0
    """Largest standard deviation of the sensor's noise at white, in grey levels of 255, 0-50."""
    gamma: float = 1.2
    """The tone curve's exponent is drawn between 1 / gamma and gamma, 1-3."""
    jpeg_min: int = 60
    """Lowest quality of JPEG, 1-100."""
    jpeg_max: int = 98
    """Highest quality, jpeg_min-100."""

    def __post_init__(self) -> None:
        if not 0 <= self.blur <= LARGEST_BLUR:
            raise ValueError(f"blur must be 0-{LARGEST_BLUR:g} pixels of the LR face, not {self.blur:g}")
        if not 0 <= self.noise <= 50:
            raise ValueError(f"noise must be 0-50 grey levels, not {self.noise:g}")
        if not 1 <= self.gamma <= 3:
            raise ValueError(f"gamma must be 1-3, not {self.gamma:g}")
        if not 1 <= self.jpeg_min <= self.jpeg_max <= 100:
            raise ValueError(
                f"jpeg_min and jpeg_max must be 1-100 and in this order, not {self.jpeg_min} and {self.jpeg_max}"
            )


def ranges_of(degradation: Degradation, camera: CameraConfig) -> CameraConfig | None:
    """The ranges of a camera if it is the degradation; None for plain bicubic."""
    return camera if degradation == "camera" else None


class CameraDraw(NamedTuple):
    """What the camera did to each of B faces."""

    kernel: Tensor
    """(B,) int64, an index of `KERNELS`."""
    blur: Tensor
    """(B, 2) float32, standard deviations down and across, in pixels of the LR face."""
    gamma: Tensor
    """(B,) float32, the tone curve's exponent."""
    quality: Tensor
    """(B,) float32, of JPEG, 1-100."""
    offset: Tensor
    """(B, 2) int64, the face's place in the compressed frame, y then x, 0-15."""
    noise: Tensor
    """(B, 3, S, S) float32, the sensor's noise at white, in grey levels of 255; S is the side of the compressed frame:
    32, or that of `own_size.canvas_side`."""


def draw_camera(config: CameraConfig, random: np.random.Generator, side: int = FRAME) -> tuple[Any, ...]:
    """One face's values, arrays and numbers in the order of `CameraDraw`, for a frame of `side` pixels."""
    kernel = random.integers(len(KERNELS))
    blur = random.uniform(0, config.blur, 2)
    gamma = config.gamma ** random.uniform(-1, 1)
    quality = random.integers(config.jpeg_min, config.jpeg_max + 1)
    offset = random.integers(0, MCU, 2)
    noise = random.standard_normal((3, side, side), np.float32) * np.float32(random.uniform(0, config.noise))
    return np.asarray(kernel), blur.astype(np.float32), np.float32(gamma), np.float32(quality), offset, noise


def to_batch(draws: list[tuple[Any, ...]]) -> CameraDraw:
    """The draws of B faces as tensors."""
    return CameraDraw(*(torch.from_numpy(np.stack(values)) for values in zip(*draws, strict=True)))


def frame_to_face(offset: Tensor, side: int | Tensor = LR_SIDE, frame: int | Tensor = FRAME) -> Tensor:
    """The matrices from the compressed frame's coordinates to the small face's, both normalised.

    Args:
        offset: (B, 2) int64, the face's place in the frame in pixels, y then x.
        side: of the face in pixels; of each one where it is a tensor (B, 1).
        frame: side of the frame in pixels, likewise.

    Returns:
        (B, 2, 3).
    """
    shift = (frame - side - 2 * offset.float()) / side  # (B, 2), y then x
    zero = torch.zeros_like(shift[:, 0])
    grow = frame / side if isinstance(frame, int) else (frame / side)[:, 0]
    rows = [torch.stack([zero + grow, zero, shift[:, 1]], 1), torch.stack([zero, zero + grow, shift[:, 0]], 1)]
    return torch.stack(rows, 1)


def photograph(unaligned: Tensor, around: Tensor | None, camera: CameraDraw) -> Tensor:
    """The LR faces that a camera would have delivered.

    Args:
        unaligned: (B, 3, 128, 128) in [-1, 1], the unaligned faces at full resolution.
        around: (B, 3, 32, 32) in [-1, 1], the frame that is compressed with each face; None: the faces' border pixels
            replicated.
        camera: what it did.

    Returns:
        (B, 3, 16, 16) in [-1, 1], rounded to 8 bits.
    """
    reduce = _reductions(unaligned.device)
    level = blur_level(camera.blur)
    down, across = (reduce[camera.kernel, level[:, axis]][:, None] for axis in (0, 1))  # (B, 1, 16, 128)
    lr = down @ unaligned.float() @ across.transpose(-1, -2)
    if around is None:
        around = _replicated(lr, camera.offset)
    rows, columns = (camera.offset[:, axis, None] + torch.arange(LR_SIDE, device=lr.device) for axis in (0, 1))
    faces = torch.arange(len(lr), device=lr.device)[:, None, None]
    place = (faces, slice(None), rows[:, :, None], columns[:, None, :])  # (B, 16, 16, 3)
    frame = around.float().clone()
    frame[place] = lr.permute(0, 2, 3, 1)
    return developed(frame, camera)[place].permute(0, 3, 1, 2) / 127.5 - 1


def developed(frame: Tensor, camera: CameraDraw) -> Tensor:
    """What the sensor, the tone curve and JPEG make of frames (B, 3, S, S) in [-1, 1]: whole levels in [0, 255]."""
    light = ((frame + 1) / 2).clamp(0, 1)
    # Shot noise grows with the root of the light; a fifth of the variance is the sensor's own and always there.
    light = (light + camera.noise / 255 * (0.2 + 0.8 * light).sqrt()).clamp(0, 1)
    toned = light ** camera.gamma[:, None, None, None]
    return jpeg(255 * toned, camera.quality)


def blur_level(blur: Tensor) -> Tensor:
    """The index in the table of `blurs` of each standard deviation in pixels of the small face."""
    return (blur * ((LEVELS - 1) / LARGEST_BLUR)).round().long()


def _replicated(lr: Tensor, offset: Tensor) -> Tensor:
    """The frame around each LR face from its border pixels, (B, 3, 32, 32)."""
    inside = torch.arange(FRAME, device=lr.device)
    rows, columns = ((inside - offset[:, axis, None]).clamp(0, LR_SIDE - 1) for axis in (0, 1))
    faces = torch.arange(len(lr), device=lr.device)[:, None, None]
    return lr[faces, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


@functools.cache
def _reductions(device: torch.device) -> Tensor:
    """Blur and reduction of a line of 128 pixels to 16, (4, LEVELS, 16, 128), by kernel and blur; rows sum to 1."""
    shrink = SIDE // LR_SIDE
    pixels = torch.arange(SIDE, dtype=torch.float64)
    centres = (torch.arange(LR_SIDE, dtype=torch.float64)[:, None] + 0.5) * shrink - 0.5
    kernels = torch.stack([kernel(name, (pixels - centres) / shrink) for name in KERNELS])  # (4, 16, 128)
    kernels /= kernels.sum(-1, keepdim=True)
    return (kernels[:, None] @ blurs(SIDE, shrink)).float().to(device)


def blurs(samples: int, pixel: float) -> Tensor:
    """Gaussian blur of a line by each level of the table, (LEVELS, samples, samples) float64; rows sum to 1.

    Args:
        samples: of the line.
        pixel: how many samples a pixel of the small face covers.
    """
    places = torch.arange(samples, dtype=torch.float64)
    # At least a width that reaches no neighbour.
    deviations = torch.linspace(0, LARGEST_BLUR * pixel, LEVELS, dtype=torch.float64).clamp(min=0.05)
    weights = torch.exp(-0.5 * ((places - places[:, None]) / deviations[:, None, None]).square())
    return weights / weights.sum(-1, keepdim=True)


def kernel(name: str, distance: Tensor) -> Tensor:
    """A kernel at a distance in pixels of the LR face."""
    x = distance.abs()
    match name:
        case "bicubic":  # a = -0.5, as Pillow's
            near = 1.5 * x**3 - 2.5 * x**2 + 1
            far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
            return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
        case "bilinear":
            return (1 - x).clamp(min=0)
        case "box":
            return (x <= 0.5).double()
        case "lanczos":
            return torch.where(x < 3, torch.sinc(x) * torch.sinc(x / 3), torch.zeros_like(x))
    raise AssertionError(name)
