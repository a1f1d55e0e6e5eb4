"""Conversion of Menpo's profile faces, with 39 points, to the 68-point scheme.

Sources: the Menpo authors' own table, 39 numbers per side, in `gen_tfrecords.ipynb` of
github.com/jiankangdeng/Face_Detection_Alignment; and OpenFace's reader of the Menpo files,
`model_training/learn_error_mapping/standardise_landmarks.m`. They agree on points 17 to 39 (from 1), and that both
sides have the same order, from the ear and from the far end of the brow. They differ on the contour and the brow.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from src.face.points import MIRROR, POINTS

PROFILE_POINTS: Final = 39

# Indices from 0 into the 39: ten from the ear along the jaw to the chin's lowest point, two more up the chin's outline
# to below the lower lip; the brow from its outer end; nose; eye without its inner corner; the near half of the lips.
_JAW_LINE, _CONTOUR, _BROW, _NOSE, _EYE, _LIPS = (
    slice(0, 10), slice(0, 12), slice(12, 16), slice(16, 22), slice(22, 27), slice(27, 39),
)  # fmt: skip

# The landmarks of the last 23 points of a face that looks to image right: its image-left half is visible.
_TWINS = (
    27, 28, 29, 30, 33, 31,  # bridge and tip, base, wing
    38, 37, 36, 41, 40,  # upper lid to the outer corner, back along the lower lid
    51, 50, 49, 48, 59, 58, 57,  # outer lips: from the middle of the upper to the corner to the middle of the lower
    62, 61, 60, 67, 66,  # inner lips, the same way
)  # fmt: skip


def points_from_profile(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """The landmarks, (68, 2), of a face annotated with Menpo's 39 profile points; 31 have no point and are NaN.

    The points show which side is visible, so in-plane rotation does not matter, and mirrored points give mirrored
    landmarks. 23 landmarks are copies of points. Half of the jaw (9 landmarks from 10 points) and the brow (5 from 4)
    are resampled between the same ends.

    Our choice: resample, as OpenFace does. The authors' table instead assigns the 12 contour points to landmarks 0 to
    11, and the brow's points to the outer two and the inner two. It shares channels in a network, not places (9 to 11
    are on the far cheek), and their README calls the model that shares fewer the better one. We leave out the two
    points up the chin.

    Args:
        points: (39, 2), finite, y down, in any unit.
    """
    given = points.astype(np.float64)
    nose = given[_NOSE]
    found = np.full((POINTS, 2), np.nan)
    found[0:9] = _resampled(_towards(given[_CONTOUR], nose)[_JAW_LINE], 9)
    found[17:22] = _resampled(_towards(given[_BROW], nose), 5)
    found[list(_TWINS)] = given[_NOSE.start :]
    return found if _looks_right(given) else found[MIRROR]


def _looks_right(points: NDArray[np.float64]) -> bool:
    """Whether the upright face would look to image right; its front is contour to nose, its down is eye to lips."""
    front = points[_NOSE].mean(0) - points[_CONTOUR].mean(0)
    down = points[_LIPS].mean(0) - points[_EYE].mean(0)
    return bool(front[0] * down[1] - front[1] * down[0] > 0)


def _towards(line: NDArray[np.float64], nose: NDArray[np.float64]) -> NDArray[np.float64]:
    """The line, reversed if needed to start at its end far from the nose.

    In some twenty of the published faces, the contour or the brow runs the other way (OpenFace lists them in
    `Prepare_data_menpo_all.m`).
    """
    first, last = np.linalg.norm(line[[0, -1]] - nose.mean(0), axis=1)
    return line if first >= last else line[::-1]


def _resampled(line: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """`count` points on the polyline, at even steps of point number, which keeps the annotator's uneven spacing."""
    number = np.linspace(0, len(line) - 1, count)
    return np.stack([np.interp(number, np.arange(len(line)), values) for values in line.T], 1)
