"""The crop rule: one square a face, resampled to 128x128, with its landmarks.

Two coordinate conventions meet here. Landmarks have pixel *centres* at integers; a crop box has pixel *edges* at
integers (pixel i covers i to i + 1), which is what Pillow's `box` takes. Hence the halves below.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Discriminator

from src.data.face import SIDE, CropBox

MARGIN = 1.5  # side of the square / longer side of the landmarks' bounding box
CELEBA_SIZE = (178, 218)  # width and height of CelebA's aligned pictures
# Our choice: bicubic, as the LR branch uses; Pillow widens its kernel when it shrinks, so there is no aliasing.
RESAMPLER = Image.Resampling.BICUBIC
COMMON_RULE = {
    "points": "landmarks: x' = (x + 0.5 - x0) * 128 / (x1 - x0) - 0.5, y likewise",
    "outside": "the picture's border pixels are replicated; replicated_border is the share of the square outside",
    "resampler": "Pillow BICUBIC with antialiasing, 8 bit",
    "coordinates": "landmarks (x, y), pixel centres at integers; crop box in pixel edges",
}


@dataclass(frozen=True)
class LandmarksCrop:
    """A square round the landmarks: `conf/crop/landmarks.yaml`."""

    name: Literal["landmarks"]
    max_replicated_border: float = 1.0
    """Share of the square that may lie outside the picture, 0-1; a face above it is rejected."""
    min_side: float = 0.0
    """Pixels of the picture that the square's side must have at least; a smaller face is rejected."""

    def __post_init__(self) -> None:
        _check_filters(self.max_replicated_border, self.min_side)

    @property
    def rule(self) -> dict[str, str]:
        """The rule in words and formulas, for the card."""
        return {
            "name": self.name,
            "formula": "side = 1.5 * max(xmax - xmin, ymax - ymin) over the known landmarks; "
            "x0 = (xmin + xmax + 1) / 2 - side / 2, y0 likewise, x1 = x0 + side, y1 = y0 + side",
            "exception": "a picture that is 128x128 already, with landmarks of its own, is taken byte for byte",
            **COMMON_RULE,
        }

    def square(self, points: NDArray[np.float32], width: int, height: int) -> CropBox:
        """The square of a face in a picture of this size; see `crop_box`."""
        return crop_box(points)


@dataclass(frozen=True)
class CelebaAlignedCrop:
    """The same square on every one of CelebA's aligned 178x218 pictures: `conf/crop/celeba_aligned.yaml`."""

    name: Literal["celeba_aligned"]
    box: tuple[float, float, float, float] = (0.0, 20.0, 178.0, 198.0)
    """x0, y0, x1, y1 in pixel edges, a square."""
    max_replicated_border: float = 1.0
    min_side: float = 0.0

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.box
        if not (x1 > x0 and abs((x1 - x0) - (y1 - y0)) < 1e-6):
            raise ValueError(f"box={list(self.box)} is not a square x0, y0, x1, y1")
        if x1 - x0 > 3 * max(CELEBA_SIZE) or replicated_share(self.box, *CELEBA_SIZE) >= 1:
            raise ValueError(f"box={list(self.box)} does not lie on a picture of 178x218")
        _check_filters(self.max_replicated_border, self.min_side)

    @property
    def rule(self) -> dict[str, str]:
        """The rule in words and formulas, for the card."""
        box = ", ".join(f"{edge:g}" for edge in self.box)
        return {"name": self.name, "formula": f"x0, y0, x1, y1 = {box} of every 178x218 picture", **COMMON_RULE}

    def square(self, points: NDArray[np.float32], width: int, height: int) -> CropBox:
        """The fixed square; ValueError where the picture has another size."""
        if (width, height) != CELEBA_SIZE:
            raise ValueError(f"{width}x{height}, but crop=celeba_aligned is for 178x218 pictures: use crop=landmarks")
        return self.box


CropConfig = Annotated[LandmarksCrop | CelebaAlignedCrop, Discriminator("name")]


def _check_filters(max_replicated_border: float, min_side: float) -> None:
    if not 0 <= max_replicated_border <= 1:
        raise ValueError(f"max_replicated_border={max_replicated_border} is not in 0..1")
    if min_side < 0:
        raise ValueError(f"min_side={min_side} is negative")


def crop_fault(crop: LandmarksCrop | CelebaAlignedCrop, box: CropBox, border: float) -> str:
    """Why the filters refuse a square with this share of replicated border; "" where they don't."""
    if border >= 1:
        return "the crop lies outside the picture"
    if border > crop.max_replicated_border:
        return f"cut by the picture's border: {border:.2f} of the crop lies outside, above crop.max_replicated_border"
    if box[2] - box[0] < crop.min_side:
        return f"too small: the crop is {box[2] - box[0]:.0f} pixels wide, below crop.min_side"
    return ""


def crop_box(points: NDArray[np.float32]) -> CropBox:
    """The square round the known points, side 1.5 x the longer side of their bounding box, centred on it.

    Args:
        points: (K, 2) in source pixels, pixel centres at integers; NaN marks a point that is not known.

    Returns:
        x0, y0, x1, y1 in edge coordinates.
    """
    low, high = np.nanmin(points, axis=0).astype(float), np.nanmax(points, axis=0).astype(float)
    half = MARGIN * float((high - low).max()) / 2
    x, y = ((low + high + 1) / 2).tolist()
    return x - half, y - half, x + half, y + half


def replicated_share(box: CropBox, width: int, height: int) -> float:
    """The share of the square's area that lies outside a picture of this size, 0 to 1."""
    x0, y0, x1, y1 = box
    inside = max(0.0, min(x1, width) - max(x0, 0)) * max(0.0, min(y1, height) - max(y0, 0))
    return 1 - inside / ((x1 - x0) * (y1 - y0))


def points_in_crop(points: NDArray[np.float32], box: CropBox, side: int = SIDE) -> NDArray[np.float32]:
    """Landmarks moved from the picture into the crop, (K, 2) -> (K, 2), pixel centres at integers in both."""
    x0, y0, x1, _ = box
    moved = (points.astype(np.float64) + 0.5 - [x0, y0]) * (side / (x1 - x0)) - 0.5
    return moved.astype(np.float32)


def crop_image(image: NDArray[np.uint8], box: CropBox, side: int = SIDE) -> NDArray[np.uint8]:
    """The square `box` of a picture, anti-aliased to `side`; the border is replicated where it leaves the picture.

    Args:
        image: (H, W, 3) uint8.
        box: in edge coordinates.
        side: pixels of the result.

    Returns:
        (side, side, 3) uint8.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    reach = math.ceil(2 * max(1.0, (x1 - x0) / side)) + 1  # the bicubic kernel's, so that it sees beyond the box
    left, top, right, bottom = (
        math.floor(x0) - reach, math.floor(y0) - reach, math.ceil(x1) + reach, math.ceil(y1) + reach
    )  # fmt: skip
    # Clamped indices replicate the border; Pillow itself only takes boxes inside a picture.
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
