"""Landmarks that are turned as their picture is by its EXIF orientation."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from src.face.points import MIRROR

MIRRORED: Final = frozenset({2, 4, 5, 7})
"""The orientations of pictures that are stored mirrored."""


def turned_points(
    points: NDArray[np.float32], orientation: int, width: int, height: int, swap: bool = True
) -> NDArray[np.float32]:
    """Where landmarks of the stored pixels are in the upright picture, (68, 2).

    Args:
        points: (68, 2) x, y in the stored pixels, pixel centres at integers; NaN where not known.
        orientation: of the EXIF, 1 to 8.
        width: of the upright picture, in pixels.
        height: of the upright picture, in pixels.
        swap: in a mirrored picture, also swap the numbers of left and right; off for numbers that were given to the
            upright face.
    """
    turned = points[:, ::-1] if orientation in (5, 6, 7, 8) else points
    x, y = turned.T
    if orientation in (2, 3, 6, 7):
        x = width - 1 - x
    if orientation in (3, 4, 7, 8):
        y = height - 1 - y
    found = np.stack([x, y], 1).astype(np.float32)
    return found[MIRROR] if swap and orientation in MIRRORED else found
