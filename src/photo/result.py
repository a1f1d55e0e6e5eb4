"""What is known of a photograph after its faces were upscaled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.photo.faces import LeftOut, UpscaledFace
from src.photo.paste import paste, whole_face_scale


@dataclass(frozen=True, eq=False)
class PhotoResult:
    """A photograph and its faces, from left to right.

    Attributes:
        photograph: (H, W, 3) uint8 RGB, upright, in sRGB.
        faces: those upscaled.
        left_out: those not, each with its reason.
        seconds: what took how long: read, detect, cut, network.
    """

    photograph: NDArray[np.uint8]
    faces: Sequence[UpscaledFace]
    left_out: Sequence[LeftOut]
    seconds: Mapping[str, float]

    def pasted(self, scale: float | None = None) -> NDArray[np.uint8]:
        """The photograph enlarged, the upscaled faces in their places; see `paste`."""
        scale = whole_face_scale(self.photograph, self.faces) if scale is None else scale
        return paste(self.photograph, self.faces, scale)
