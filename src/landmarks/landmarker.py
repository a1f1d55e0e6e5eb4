"""The interface of landmark backends: `Query` in, `Landmarks` out. Each backend has its own file."""

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
        points: (68, 2) float32, (x, y) in pixels of the picture, pixel centres at integers, iBUG order. NaN from a
            network is passed on, and the caller rejects the face.
        score: the backend's confidence, 0 to 1.
        depth: (68,) float32 in pixels of the picture, growing away from the camera; None from a 2-D backend.
    """

    points: NDArray[np.float32]
    score: float
    depth: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A picture to find landmarks in.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        boxes: the faces if they are known, so that no detector runs; None: detect them.
    """

    image: NDArray[np.uint8]
    boxes: tuple[FaceBox, ...] | None = None


class Landmarker(Protocol):
    """A landmark backend.

    Attributes:
        name: the landmarks' source in the manifest.
        settings: everything that affects its answers (files by SHA-256, thresholds), by the dotted key a user types.
        in_workers: True if it is light and each worker process runs a copy beside the decoding; False if it needs the
            whole machine or a GPU and runs in the main process.
    """

    name: str
    settings: Settings
    in_workers: bool

    def find(self, queries: Sequence[Query]) -> list[list[Landmarks]]:
        """The faces of each picture: one per given box, in their order, else the detected ones, from left to right.

        The answers depend only on the queries of this call.
        """
