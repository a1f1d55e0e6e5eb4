"""The crop rules: which square of a photograph becomes a face of the store, and when a square is refused."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator

from src.face.level import eye_roll
from src.image.crop import CropBox, Square, level_square, replicated_share
from src.store.card import MOST_MARGIN

CELEBA_SIZE = (178, 218)  # width and height of CelebA's aligned pictures
COMMON_RULE = {
    "points": "landmarks: x' = (x + 0.5 - x0) * 128 / (x1 - x0) - 0.5, y likewise",
    "outside": "the picture's border pixels are replicated; replicated_border is the share of the square outside",
    "resampler": "Pillow BICUBIC with antialiasing, 8 bit",
    "coordinates": "landmarks (x, y), pixel centres at integers; crop box in pixel edges",
}


LEVEL = {
    "upright": "roll = the angle of the line from the mean of landmarks 36-41 to that of 42-47, on the fitted 3-D mean "
    "face where an eye is hidden; the square is turned by it, and m0..m5 map the picture to the crop. A turned square "
    "is sampled by OpenCV's INTER_CUBIC as densely as the picture or the crop, whichever is denser, then reduced",
}
TAKEN_WHOLE = "a picture that is 128x128 already, with landmarks of its own, is taken byte for byte"


@dataclass(frozen=True)
class LandmarksCrop:
    """A square around the landmarks: `conf/crop/landmarks.yaml`."""

    name: Literal["landmarks"]
    max_replicated_border: float = 1.0
    """Largest share of the square outside the picture, 0-1; a face above it is rejected."""
    min_side: float = 0.0
    """Shortest side of the square in pixels of the picture; a smaller face is rejected."""
    upright: bool = True
    """Turn the face level before it is cut out; false: the head keeps its own roll."""
    margin: int = 48
    """Pixels of surroundings to keep on each side of the 128x128 face, 0-128."""

    def __post_init__(self) -> None:
        _check_filters(self.max_replicated_border, self.min_side, self.margin)

    @property
    def rule(self) -> dict[str, str]:
        """The rule in words and formulas, for the card."""
        return {
            "name": self.name,
            **(LEVEL if self.upright else {}),
            "formula": "side = 1.5 * max(xmax - xmin, ymax - ymin) over the known landmarks"
            + (", turned level; " if self.upright else "; ")
            + "x0 = (xmin + xmax + 1) / 2 - side / 2, y0 likewise, x1 = x0 + side, y1 = y0 + side",
            **({} if self.upright else {"exception": TAKEN_WHOLE}),
            **_margin_rule(self.margin),
            **COMMON_RULE,
        }

    def square(self, points: NDArray[np.float32], visible: NDArray[np.bool_], width: int, height: int) -> Square:
        """The square of a face in a picture of this size; see `level_square` and `eye_roll`.

        Raises:
            ValueError: the face's roll cannot be known.
        """
        if not self.upright:
            return level_square(points)
        roll = float(eye_roll(points[None], visible[None])[0])
        if math.isnan(roll):
            raise ValueError("both eyes are hidden, so its roll cannot be known: crop.upright=false crops it as it is")
        return level_square(points, roll)


@dataclass(frozen=True)
class CelebaAlignedCrop:
    """The same square on every one of CelebA's aligned 178x218 pictures: `conf/crop/celeba_aligned.yaml`."""

    name: Literal["celeba_aligned"]
    box: tuple[float, float, float, float] = (0.0, 20.0, 178.0, 198.0)
    """x0, y0, x1, y1 in pixel edges, a square."""
    max_replicated_border: float = 1.0
    min_side: float = 0.0
    upright: bool = False
    """Always false: these pictures were turned level by their publishers."""
    margin: int = 0
    """Pixels of surroundings to keep on each side, 0-128; the pictures hold few, so that border is replicated."""

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.box
        if not (x1 > x0 and abs((x1 - x0) - (y1 - y0)) < 1e-6):
            raise ValueError(f"box={list(self.box)} is not a square x0, y0, x1, y1")
        if x1 - x0 > 3 * max(CELEBA_SIZE) or replicated_share(self.box, *CELEBA_SIZE) >= 1:
            raise ValueError(f"box={list(self.box)} is outside a 178x218 picture, or far larger")
        if self.upright:
            raise ValueError("upright=true: crop=celeba_aligned takes the same square of every picture")
        _check_filters(self.max_replicated_border, self.min_side, self.margin)

    @property
    def rule(self) -> dict[str, str]:
        """The rule in words and formulas, for the card."""
        box = ", ".join(f"{edge:g}" for edge in self.box)
        return {
            "name": self.name,
            "formula": f"x0, y0, x1, y1 = {box} of every 178x218 picture",
            **_margin_rule(self.margin),
            **COMMON_RULE,
        }

    def square(self, points: NDArray[np.float32], visible: NDArray[np.bool_], width: int, height: int) -> Square:
        """The fixed square; ValueError where the picture has another size."""
        if (width, height) != CELEBA_SIZE:
            raise ValueError(f"{width}x{height}, but crop=celeba_aligned is for 178x218 pictures: use crop=landmarks")
        return Square(self.box)


CropConfig = Annotated[LandmarksCrop | CelebaAlignedCrop, Discriminator("name")]


def _check_filters(max_replicated_border: float, min_side: float, margin: int) -> None:
    if not 0 <= max_replicated_border <= 1:
        raise ValueError(f"max_replicated_border={max_replicated_border} is not in 0..1")
    if min_side < 0:
        raise ValueError(f"min_side={min_side} is negative")
    if not 0 <= margin <= MOST_MARGIN:
        raise ValueError(f"margin={margin} is not in 0..{MOST_MARGIN}")


def _margin_rule(margin: int) -> dict[str, str]:
    if not margin:
        return {}
    return {"margin": f"{margin} pixels of surroundings on each side of the 128x128 face; inside is the share of "
            "this margin that the picture covers"}  # fmt: skip


def crop_fault(crop: LandmarksCrop | CelebaAlignedCrop, box: CropBox, border: float) -> str:
    """Why the filters refuse a square with this share of replicated border; "" if they accept it."""
    if border >= 1:
        return "the crop lies outside the picture"
    if border > crop.max_replicated_border:
        return f"cut by the picture's border: {border:.2f} of the crop lies outside, above crop.max_replicated_border"
    if box[2] - box[0] < crop.min_side:
        return f"too small: the crop is {box[2] - box[0]:.0f} pixels wide, below crop.min_side"
    return ""
