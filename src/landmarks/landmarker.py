"""Who places the 68 landmarks on a picture: one small interface, a file a backend."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from src.image.crop import FaceBox
from src.store.card import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """The landmarks of one face.

    Attributes:
        points: (68, 2) float32, (x, y) in pixels of the picture, pixel centres at integers, iBUG order. A network
            that answered NaN hands the NaN on; whoever asked rejects the face.
        score: the backend's confidence, 0 to 1.
        depth: (68,) float32 in pixels of the picture, growing away from the camera; None from a 2-D backend.
    """

    points: NDArray[np.float32]
    score: float
    depth: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A picture to look at.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        boxes: the faces where they are known already, so that no detector runs; None: find them.
    """

    image: NDArray[np.uint8]
    boxes: tuple[FaceBox, ...] | None = None


class Landmarker(Protocol):
    """A landmark backend.

    Attributes:
        name: what the manifest says of who placed the landmarks.
        settings: all that decides its answers (files by SHA-256, thresholds), by the dotted key a person would type.
        in_workers: True where it is light and runs beside the decoding, one copy a worker process; False where it
            wants the whole machine or a GPU, and runs in the main process.
    """

    name: str
    settings: Settings
    in_workers: bool

    def find(self, queries: Sequence[Query]) -> list[list[Landmarks]]:
        """The faces of each picture: one for each of its boxes in their order, else those found, from left to right.

        The answers depend on the queries of this call and on nothing else.
        """
