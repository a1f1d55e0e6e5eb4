"""Puts upscaled faces back into their photograph, which is enlarged around them."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.image.crop import RESAMPLER, Square, crop_square
from src.image.sides import SIDE
from src.photo.faces import UpscaledFace
from src.photo.frames import side_of

MOST: Final = 48_000_000
"""Pixels of the enlarged photograph that the default scale does not exceed."""
LARGEST: Final = 10.0
"""The largest default scale: a face of 12 pixels is then whole but for a few pixels."""
COARSE: Final = 32
"""Side at which the colours of a face are compared with those of its place."""
BLUR: Final = 5.0
"""Standard deviation there: what is coarser comes from the photograph, what is finer from the network."""
WIDE, HIGH, POWER = 0.86, 0.92, 3.0  # half axes, in halves of the square, and exponent of the mask's outer edge
INNER: Final = 0.72
"""Share of the mask's radius within which the face covers the photograph wholly."""


def whole_face_scale(image: NDArray[np.uint8], faces: Sequence[UpscaledFace]) -> float:
    """The scale at which the smallest face keeps its 128 pixels, 1 to 10, as far as the picture has 48 megapixels."""
    if not faces:
        return 1.0
    wanted = SIDE / min(side_of(face.square) for face in faces)
    most = math.sqrt(MOST / (image.shape[0] * image.shape[1]))
    return max(1.0, round(min(wanted, LARGEST, most) - 0.005, 2))


def paste(image: NDArray[np.uint8], faces: Sequence[UpscaledFace], scale: float) -> NDArray[np.uint8]:
    """The photograph enlarged by bicubic, each face over its place: feathered, with the coarse colours of the place.

    Args:
        image: (H, W, 3) uint8.
        faces: upscaled from it.
        scale: of both sides, 1 or more.

    Returns:
        (H x scale, W x scale, 3) uint8, rounded to whole pixels.
    """
    height, width = image.shape[:2]
    return paste_at(image, faces, (max(1, round(width * scale)), max(1, round(height * scale))))


def paste_at(image: NDArray[np.uint8], faces: Sequence[UpscaledFace], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The same for a width and height in pixels, whose scales may differ by the rounding to whole pixels."""
    height, width = image.shape[:2]
    large = np.array(Image.fromarray(image).resize(size, RESAMPLER))
    for face in faces:
        _put(large, matched(face, image), face.square, (size[0] / width, size[1] / height))
    return large


def matched(face: UpscaledFace, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The face (128, 128, 3) with the coarse colours that the photograph has in its place."""
    import cv2

    place = crop_square(image, face.square, COARSE).astype(np.float32)
    coarse = np.asarray(Image.fromarray(face.image).resize((COARSE, COARSE), RESAMPLER), np.float32)
    change = cv2.GaussianBlur(place - coarse, (0, 0), BLUR, borderType=cv2.BORDER_REPLICATE)
    side = len(face.image)
    change = cv2.resize(change, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray((face.image + change).round().clip(0, 255), np.uint8)


def mask(side: int) -> NDArray[np.float32]:
    """(side, side) in [0, 1]: how far a face covers its square, 1 in the middle, 0 well before the edge."""
    line = np.abs((np.arange(side) + 0.5) * 2 / side - 1)
    radius = ((line[None] / WIDE) ** POWER + (line[:, None] / HIGH) ** POWER) ** (1 / POWER)
    share = ((1 - radius) / (1 - INNER)).clip(0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def _put(large: NDArray[np.uint8], face: NDArray[np.uint8], square: Square, scale: tuple[float, float]) -> None:
    """Blend a face into the enlarged photograph, in place."""
    import cv2

    height, width = large.shape[:2]
    x0, y0, x1, y1 = square.box
    across, down = scale
    # Both sides are scaled alike but for the rounding to whole pixels, which moves the centre alone.
    x, y, half = (x0 + x1) / 2 * across, (y0 + y1) / 2 * down, (x1 - x0) / 2 * (across * down) ** 0.5
    there = Square((x - half, y - half, x + half, y + half), square.roll)
    side = min(len(face), max(1, round(2 * half)))
    if side < len(face):  # anti-aliased
        face = np.asarray(Image.fromarray(face).resize((side, side), RESAMPLER))
    reach = half * 1.5  # the half diagonal of the square, and a pixel or more
    left, right = (int(min(max(place, 0), width)) for place in (x - reach, x + reach + 1))
    top, bottom = (int(min(max(place, 0), height)) for place in (y - reach, y + reach + 1))
    if left >= right or top >= bottom:
        return
    matrix = there.matrix(side)
    matrix[:, 2] += matrix[:, :2] @ [left, top]
    size, flags = (right - left, bottom - top), cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(face, matrix, size, flags=flags | cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(mask(side), matrix, size, flags=flags | cv2.INTER_LINEAR)[..., None]
    part = large[top:bottom, left:right]
    part[:] = (part + share * (warped.astype(np.float32) - part)).round()
