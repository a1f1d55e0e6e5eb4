"""The pictures of the faces that a report shows, and pictures as data URIs."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.image.encode import png_bytes
from src.report.picks import LARGEST, Pick

Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class FacePictures:
    """One face.

    Attributes:
        hr: (H, W, 3), the true picture.
        lr: (h, w, 3), the input; None where there is none.
        sr: method -> (H, W, 3), its result.
    """

    hr: Picture
    lr: Picture | None = None
    sr: Mapping[str, Picture] = field(default_factory=dict)

    def with_result(self, method: str, sr: Picture) -> "FacePictures":
        """The same face with one more method's result."""
        return FacePictures(self.hr, self.lr, {**self.sr, method: sr})


@dataclass(frozen=True)
class Shown:
    """The faces of a report.

    Attributes:
        picks: each method's worst, median and best faces.
        faces: place in the rows -> the pictures.
    """

    picks: Sequence[Pick] = ()
    faces: Mapping[int, FacePictures] = field(default_factory=dict)


NOTHING: Final = Shown()


def data_uri(picture: Picture) -> str:
    """(H, W, 3) uint8 as a PNG in a data URI; reduced if a side is longer than 256 pixels."""
    image = Image.fromarray(picture)
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return f"data:image/png;base64,{base64.b64encode(png_bytes(image)).decode()}"
