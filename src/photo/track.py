"""Joins the faces found in the frames of a video to tracks: one face each, from its first frame to its last."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from src.image.crop import FaceBox
from src.landmarks.boxes import area, intersection
from src.photo.centerface import FoundFace

GROWN: Final = 2.0
"""Our choice: boxes are compared at twice their size, so that a small face may move by its own width between two
searches."""
OVERLAP: Final = 0.3
"""Our choice: the least intersection over union of two such boxes of one face."""
REMEMBERED: Final = 4
"""Our choice: a face's motion is that over its last so many boxes."""


@dataclass
class Track:
    """One face in the frames in which it was found.

    Attributes:
        frames: their numbers, rising.
        boxes: x0, y0, x1, y1 of each in pixel edges.
        scores: of each, 0 to 1.
    """

    frames: list[int] = field(default_factory=list)
    boxes: list[FaceBox] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def expected(self, frame: int) -> NDArray[np.float64]:
        """The box (4,) that the face has in a later frame if it moves on as it did."""
        last: NDArray[np.float64] = np.array(self.boxes[-1], float)
        before = np.array(self.boxes[-REMEMBERED:][0], float)
        passed = self.frames[-1] - self.frames[-REMEMBERED:][0]
        if not passed:
            return last
        motion = (last[:2] + last[2:] - before[:2] - before[2:]) / 2 / passed
        return np.asarray(last + np.tile(motion, 2) * (frame - self.frames[-1]), float)

    def filled(self, until: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The boxes (T, 4) of all frames from the first to `until`, those between two found ones on the line between.

        Beyond the last frame, the last box stays. The scores (T,) are NaN where the face was not found.
        """
        every = np.arange(self.frames[0], until + 1)
        boxes = np.array(self.boxes, float)
        scores = np.full(len(every), np.nan)
        scores[np.array(self.frames) - every[0]] = self.scores
        return np.stack([np.interp(every, self.frames, side) for side in boxes.T], 1), scores


class Tracker:
    """Takes the faces of one searched frame after another.

    Args:
        gap: frames for which a face may be lost and is still the same one afterwards.
        shortest: a face that is found in fewer searched frames is dropped as a false find.
    """

    def __init__(self, gap: int, shortest: int) -> None:
        self._gap, self._shortest = gap, shortest
        self._live: list[Track] = []
        self._ended: list[Track] = []
        self._searched = 0

    def add(self, frame: int, faces: Sequence[FoundFace]) -> None:
        """Join the faces of a frame, later than those before, to the tracks; a face that fits none begins one."""
        self._searched += 1
        for track in [track for track in self._live if frame - track.frames[-1] > self._gap]:
            self._live.remove(track)
            if len(track.frames) >= self._shortest:
                self._ended.append(track)
        boxes = np.array([face.box for face in faces], float).reshape(-1, 4)
        pairs = dict(partners(np.array([track.expected(frame) for track in self._live]).reshape(-1, 4), boxes))
        joined = {found: self._live[track] for track, found in pairs.items()}
        for number, face in enumerate(faces):
            if number not in joined:
                joined[number] = Track()
                self._live.append(joined[number])
            track = joined[number]
            track.frames.append(frame)
            track.boxes.append(face.box)
            track.scores.append(face.score)

    def tracks(self) -> list[Track]:
        """The tracks so far, by their first frame and there from left to right; of a short video shorter ones too."""
        shortest = min(self._shortest, self._searched)
        found = [*self._ended, *(track for track in self._live if len(track.frames) >= shortest)]
        return sorted(found, key=lambda track: (track.frames[0], track.boxes[0][0] + track.boxes[0][2]))


def partners(expected: NDArray[np.float64], found: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Which of the boxes (N, 4) are which of the boxes (M, 4): pairs of indices, the largest overlap first."""
    before, after = grown(expected), grown(found)
    shared = np.array([intersection(box, after) for box in before]).reshape(len(before), len(after))
    overlap = shared / (area(before)[:, None] + area(after) - shared)
    pairs: dict[int, int] = {}
    for at in np.argsort(-overlap, axis=None, kind="stable"):
        one, other = divmod(int(at), len(after))
        if overlap[one, other] < OVERLAP:
            break
        if one not in pairs and other not in pairs.values():
            pairs[one] = other
    return list(pairs.items())


def grown(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Boxes (N, 4) at `GROWN` times their size about their centres."""
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    return np.concatenate([centre - GROWN * half, centre + GROWN * half], 1)
