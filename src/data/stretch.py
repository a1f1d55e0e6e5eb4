"""Stretched training faces, so that a network cannot learn faces by heart: each is a face of another shape.

An upright face is nearly the same picture in every epoch. Made wider or narrower it has other proportions, and by the
crop rule another upright frame: both are new to the aligner. It is not stretched along other directions: its eyes would
no longer lie across its nose, and what is upright could not be told.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from src.face.level import eye_roll
from src.image.crop import level_square
from src.image.sides import SIDE

MOST_STRETCH: Final = 0.5
"""Beyond it a face looks like no other."""


def draw_stretch(most: float, random: np.random.Generator) -> float:
    """How many times as wide a face gets for its height: log-uniform in [1 / (1 + most), 1 + most]."""
    return math.exp(random.uniform(-1, 1) * math.log1p(most))


def stretched(
    image: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    visible: NDArray[np.bool_],
    stretch: float,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """An upright face, stretched with its surroundings, in the upright frame of the new face.

    The new frame lies to the old one as the level squares of the landmarks after and before the stretch lie to each
    other, whatever rule the store was cropped by.

    Args:
        image: (S, S, 3) RGB, the 128x128 face in the middle of its surroundings.
        landmarks: (68, 2) x, y in pixels of the face.
        visible: (68,) bool.
        stretch: how many times as wide, along the line of its eyes, the face gets for its height; below 1: narrower.

    Returns:
        Image and landmarks, new arrays of the same shapes. Beyond the surroundings their border pixels are replicated.
    """
    import cv2

    matrix = _to_new_frame(landmarks, visible, stretch)
    margin = (image.shape[0] - SIDE) / 2
    shift = matrix[:, 2] + margin - matrix[:, :2] @ (margin, margin)
    moved = cv2.warpAffine(
        image,
        np.column_stack([matrix[:, :2], shift]),
        image.shape[1::-1],
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    places = landmarks.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(moved, np.uint8), places.astype(np.float32)


def _to_new_frame(landmarks: NDArray[np.float32], visible: NDArray[np.bool_], stretch: float) -> NDArray[np.float64]:
    """The map (2, 3) from pixels of the old face to pixels of the new one."""
    points = landmarks.astype(np.float64)
    roll = float(np.nan_to_num(eye_roll(points[None], visible[None])[0]))
    cos, sin = math.cos(roll), math.sin(roll)
    turn = np.array([[cos, -sin], [sin, cos]])
    wider = turn @ np.diag([math.sqrt(stretch), 1 / math.sqrt(stretch)]) @ turn.T  # along the line of the eyes
    old, new = (level_square(places, roll).matrix() for places in (points, points @ wider))
    # q = old^-1(new(wider p)): the new square goes where the old one lay.
    return np.column_stack(
        [
            np.linalg.solve(old[:, :2], new[:, :2] @ wider),
            np.linalg.solve(old[:, :2], new[:, 2] - old[:, 2]),
        ]
    )
