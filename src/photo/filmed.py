"""The faces of a video, each in the frames that it is in."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from src.image.crop import FaceBox, Square
from src.photo.smooth import square_of_numbers


@dataclass(eq=False)
class FilmedFace:
    """A face of a video in T frames after each other.

    Attributes:
        first: the number of the first frame.
        boxes: (T, 4) in pixel edges of the frame; between two searches on the line between theirs.
        scores: (T,) of the detector; NaN where it was not searched or not found.
        seen: (T, 4), the squares that are cut for the network, as `numbers_of`, smoothed.
        places: (T, 4), where the upright face is, likewise.
        confidence: component -> the peak of its heatmap, one a frame drawn.
        lost: frames drawn so far for which the network's output was not finite.
    """

    first: int
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    seen: NDArray[np.float64]
    places: NDArray[np.float64]
    confidence: list[Mapping[str, float]] = field(default_factory=list)
    lost: int = 0

    def within(self, frame: int) -> bool:
        """Whether it is in a frame."""
        return self.first <= frame <= self.last

    @property
    def last(self) -> int:
        """The number of the last frame."""
        return self.first + len(self.boxes) - 1

    def place(self, frame: int) -> Square:
        """Where the upright face is on a frame."""
        return square_of_numbers(self.places[frame - self.first])

    def box(self, frame: int) -> FaceBox:
        """Where the face was found on a frame."""
        x0, y0, x1, y1 = self.boxes[frame - self.first].tolist()
        return x0, y0, x1, y1

    @property
    def own_size(self) -> int:
        """Side of its square in pixels, the median."""
        return round(float(np.exp(np.median(self.seen[:, 2]))))


@dataclass(frozen=True, eq=False)
class Search:
    """What the first pass found.

    Attributes:
        faces: by the frame in which they appear, there from left to right.
        times: (F,) of all frames in seconds.
    """

    faces: list[FilmedFace]
    times: NDArray[np.float64]
