"""A face of a photograph after it was upscaled, or why it was not."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.image.crop import FaceBox, Square


@dataclass(frozen=True, eq=False)
class UpscaledFace:
    """An upright face made from one of a photograph.

    Attributes:
        image: (128, 128, 3) uint8 RGB.
        heatmaps: (M, R, R) float32, about 0-1; None from a network without them.
        box: x0, y0, x1, y1 as found or given, in pixel edges of the photograph.
        score: the detector's, 0 to 1; 1 for a box that was given.
        own_size: side in pixels of the square that was cut from the photograph for the network.
        square: where the upright face is on the photograph.
        confidence: component -> the peak of its heatmap, 0 to 1; empty without heatmaps.
    """

    image: NDArray[np.uint8]
    heatmaps: NDArray[np.float32] | None
    box: FaceBox
    score: float
    own_size: int
    square: Square
    confidence: Mapping[str, float]

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(2, 3), from pixels of the photograph to those of the face; pixel centres are at integers in both."""
        return self.square.matrix(len(self.image))


@dataclass(frozen=True)
class LeftOut:
    """A face that was found and not upscaled.

    Attributes:
        box: as found or given, in pixel edges of the photograph.
        score: the detector's.
        own_size: side in pixels of its square.
        reason: why, in a few words.
    """

    box: FaceBox
    score: float
    own_size: int
    reason: str
