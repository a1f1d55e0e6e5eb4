"""The square crop around a face, and its anti-aliased resampling to the HR side.

Two coordinate conventions meet here. Landmarks have pixel *centres* at integers; a crop box has pixel *edges* at
integers (pixel i covers i to i + 1), as Pillow's `box` expects. Hence the offsets of 0.5 below.
"""

import math
from dataclasses import dataclass
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
_PROBES = 128  # a side, to count what of a turned square lies outside


@dataclass(frozen=True)
class Square:
    """A square on a picture, upright or turned.

    Attributes:
        box: x0, y0, x1, y1 in pixel edges before the square is turned about its centre.
        roll: the turn in radians, positive clockwise on the screen.
    """

    box: CropBox
    roll: float = 0.0

    def matrix(self, side: int = SIDE) -> NDArray[np.float64]:
        """Picture to crop, (2, 3), for pixel centres at integers in both; `side` is the crop's in pixels."""
        x0, y0, x1, y1 = self.box
        scale = side / (x1 - x0)
        cos, sin = math.cos(self.roll) * scale, math.sin(self.roll) * scale
        turn = np.array([[cos, sin], [-sin, cos]])
        centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        return np.concatenate([turn, (turn @ (0.5 - centre) + (side / 2 - 0.5))[:, None]], 1)

    def moved(self, points: NDArray[np.float32], side: int = SIDE) -> NDArray[np.float32]:
        """Landmarks (K, 2) moved from the picture into the crop, pixel centres at integers in both."""
        matrix = self.matrix(side)
        return np.asarray(points.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2], np.float32)

    def grown(self, margin: int, side: int = SIDE) -> "Square":
        """The square with this many pixels of the crop more on each side."""
        x0, y0, x1, y1 = self.box
        more = margin * (x1 - x0) / side
        return Square((x0 - more, y0 - more, x1 + more, y1 + more), self.roll)

    def outside(self, width: int, height: int) -> float:
        """The share of the square's area that lies outside a picture of this size, 0 to 1."""
        if self.roll == 0:
            return replicated_share(self.box, width, height)
        back = _inverse(self.matrix(_PROBES))
        grid = np.stack(np.meshgrid(np.arange(_PROBES), np.arange(_PROBES)), -1).reshape(-1, 2)
        places = grid @ back[:, :2].T + back[:, 2]
        inside = ((places >= -0.5) & (places < np.array([width, height]) - 0.5)).all(1)
        return 1 - float(inside.mean())

    def margin_inside(self, margin: int, width: int, height: int, side: int = SIDE) -> float:
        """The share of a margin of so many pixels around the crop that a picture covers, 0 to 1; 1 without a margin."""
        if not margin:
            return 1.0
        of_whole, of_face = float((side + 2 * margin) ** 2), float(side**2)
        outside = self.grown(margin, side).outside(width, height) * of_whole - self.outside(width, height) * of_face
        return min(1.0, max(0.0, 1 - outside / (of_whole - of_face)))


def level_square(points: NDArray[np.floating], roll: float = 0.0) -> Square:
    """The square around the known points in a face's own frame, side 1.5 x the longer side of their box in it.

    Args:
        points: (K, 2) in source pixels, pixel centres at integers; NaN marks an unknown point.
        roll: of the face in radians, positive clockwise on the screen; 0: the square is not turned.
    """
    cos, sin = math.cos(roll), math.sin(roll)
    turn = np.array([[cos, sin], [-sin, cos]])
    x0, y0, x1, y1 = crop_box(points if roll == 0 else np.asarray(points @ turn.T, np.float64))
    if roll == 0:
        return Square((x0, y0, x1, y1))
    # `crop_box` counts pixel edges; the centre goes back as a pixel centre.
    x, y = (np.array([(x0 + x1) / 2, (y0 + y1) / 2]) - 0.5) @ turn + 0.5
    half = (x1 - x0) / 2
    return Square((x - half, y - half, x + half, y + half), roll)


def crop_box(points: NDArray[np.floating]) -> CropBox:
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


def crop_image(image: NDArray[np.uint8], box: CropBox, side: int = SIDE) -> NDArray[np.uint8]:
    """The square `box` of a picture, resampled with anti-aliasing; outside the picture, its border is replicated.

    Args:
        image: (H, W, 3) uint8.
        box: in edge coordinates.
        side: pixels of the result.

    Returns:
        (side, side, 3) uint8.
    """
    x0, y0, x1, y1 = box
    reach = math.ceil(2 * max(1.0, (x1 - x0) / side)) + 1  # of the bicubic kernel, which needs pixels beyond the box
    left, top, right, bottom = (
        math.floor(x0) - reach, math.floor(y0) - reach, math.ceil(x1) + reach, math.ceil(y1) + reach
    )  # fmt: skip
    region = _region(image, left, top, right, bottom)
    inner = (x0 - left, y0 - top, x1 - left, y1 - top)
    return np.asarray(Image.fromarray(region).resize((side, side), RESAMPLER, inner))


def crop_square(image: NDArray[np.uint8], square: Square, side: int = SIDE) -> NDArray[np.uint8]:
    """A square of a picture, which may be turned, anti-aliased to `side`; the border is replicated beyond the picture.

    A turned square is sampled by OpenCV's bicubic (a = -0.75), as densely as the picture or the crop, whichever is
    denser; Pillow's anti-aliased bicubic reduces that raster to the crop.

    Args:
        image: (H, W, 3) uint8.
        square: where.
        side: pixels of the result.

    Returns:
        (side, side, 3) uint8.
    """
    if square.roll == 0:
        return crop_image(image, square.box, side)
    import cv2  # here: most commands turn nothing, and loading it takes a while

    dense = max(side, math.ceil(square.box[2] - square.box[0]))
    back = _inverse(square.matrix(dense))  # crop to picture, pixel centres
    corners = np.array([(-1, -1), (dense, -1), (-1, dense), (dense, dense)]) @ back[:, :2].T + back[:, 2]
    reach = 3  # of the bicubic kernel, and a pixel for rounding
    low, high = np.floor(corners.min(0)).astype(int) - reach, np.ceil(corners.max(0)).astype(int) + reach
    region = _region(image, *low.tolist(), *high.tolist())
    back[:, 2] -= low
    # OpenCV is several times as fast as Pillow here; it places samples to 1/32 of a pixel.
    turned = cv2.warpAffine(region, back, (dense, dense), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    return np.asarray(turned if dense == side else Image.fromarray(turned).resize((side, side), RESAMPLER))


def _region(image: NDArray[np.uint8], left: int, top: int, right: int, bottom: int) -> NDArray[np.uint8]:
    """These pixels of a picture, its border replicated beyond it; a view where they are all inside.

    Pillow itself accepts only boxes inside a picture.
    """
    for axis, (low, high) in enumerate(((top, bottom), (left, right))):
        size = image.shape[axis]
        # Cut out first: of a large picture, only the face's rows and columns are copied.
        start, stop = min(max(low, 0), size - 1), max(min(high, size), 1)
        image = image[start:stop] if axis == 0 else image[:, start:stop]
        if low < 0 or high > size:
            image = image.take(np.arange(low, high).clip(0, size - 1) - start, axis=axis)
    return image


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of a (2, 3) affine map."""
    back = np.linalg.inv(matrix[:, :2])
    return np.concatenate([back, -(back @ matrix[:, 2])[:, None]], 1)
