"""The square crop around a face, and its anti-aliased resampling to the HR side.

Two coordinate conventions meet here. Landmarks have pixel *centres* at integers; a crop box has pixel *edges* at
integers (pixel i covers i to i + 1), as Pillow's `box` expects. Hence the offsets of 0.5 below.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.image.sides import SIDE

CropBox = tuple[float, float, float, float]
"""x0, y0, x1, y1 of a square on a picture, in pixel edges."""
FaceBox = tuple[float, float, float, float]
"""x0, y0, x1, y1 of a face as detectors draw it, from the upper forehead to the chin, in pixel edges."""

FACE_MARGIN: Final = 1.5
"""The crop rule: side of the square / longer side of the landmarks' bounding box."""
# Our choice: bicubic, as in the LR branch. Pillow widens its kernel when it shrinks an image, so there is no aliasing.
RESAMPLER: Final = Image.Resampling.BICUBIC


def crop_box(points: NDArray[np.float32]) -> CropBox:
    """The square around the known points, centred on their bounding box, side 1.5 x the box's longer side.

    Args:
        points: (K, 2) in source pixels, pixel centres at integers; NaN marks an unknown point.

    Returns:
        x0, y0, x1, y1 in edge coordinates.
    """
    low, high = np.nanmin(points, axis=0).astype(float), np.nanmax(points, axis=0).astype(float)
    half = FACE_MARGIN * float((high - low).max()) / 2
    x, y = ((low + high + 1) / 2).tolist()
    return x - half, y - half, x + half, y + half


def replicated_share(box: CropBox, width: int, height: int) -> float:
    """The share of the square's area outside a picture of this size, 0 to 1."""
    x0, y0, x1, y1 = box
    inside = max(0.0, min(x1, width) - max(x0, 0)) * max(0.0, min(y1, height) - max(y0, 0))
    return 1 - inside / ((x1 - x0) * (y1 - y0))


def points_in_crop(points: NDArray[np.float32], box: CropBox, side: int = SIDE) -> NDArray[np.float32]:
    """Landmarks moved from the picture into the crop, (K, 2) -> (K, 2), pixel centres at integers in both."""
    x0, y0, x1, _ = box
    moved = (points.astype(np.float64) + 0.5 - [x0, y0]) * (side / (x1 - x0)) - 0.5
    return moved.astype(np.float32)


def crop_image(image: NDArray[np.uint8], box: CropBox, side: int = SIDE) -> NDArray[np.uint8]:
    """The square `box` of a picture, resampled with anti-aliasing; outside the picture, its border is replicated.

    Args:
        image: (H, W, 3) uint8.
        box: in edge coordinates.
        side: pixels of the result.

    Returns:
        (side, side, 3) uint8.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    reach = math.ceil(2 * max(1.0, (x1 - x0) / side)) + 1  # of the bicubic kernel, which needs pixels beyond the box
    left, top, right, bottom = (
        math.floor(x0) - reach, math.floor(y0) - reach, math.ceil(x1) + reach, math.ceil(y1) + reach
    )  # fmt: skip
    # Clamped indices replicate the border; Pillow itself accepts only boxes inside a picture.
    region = image
    if top < 0 or bottom > height:
        region = region.take(np.arange(top, bottom).clip(0, height - 1), axis=0)
    else:
        region = region[top:bottom]
    if left < 0 or right > width:
        region = region.take(np.arange(left, right).clip(0, width - 1), axis=1)
    else:
        region = region[:, left:right]
    inner = (x0 - left, y0 - top, x1 - left, y1 - top)
    return np.asarray(Image.fromarray(region).resize((side, side), RESAMPLER, inner))
