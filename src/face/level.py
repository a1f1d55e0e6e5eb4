"""How far a face leans: the roll of the line between its eyes, which is what upright means here."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from src.face.mean_face import MEAN_FACE
from src.face.pose import MIN_KNOWN, estimate_pose

LEFT_EYE, RIGHT_EYE = slice(36, 42), slice(42, 48)
"""The image-left and the image-right eye of a face that is not upside down."""
SEEN: Final = 3
"""Our choice: an eye with fewer of its six landmarks visible counts as hidden, as its centre is then a guess."""


def eye_roll(points: NDArray[np.floating], visible: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The roll of faces in radians, positive where a face leans clockwise on the screen, in (-pi, pi].

    It is the angle of the line from the mean of landmarks 36-41 to that of 42-47. Where an eye is hidden, or lacks a
    landmark, it is that line on the 3-D mean face in the pose of the landmarks that are known.

    Args:
        points: (B, 68, 2) x, y in pixels; NaN where not known.
        visible: (B, 68), False where not known or hidden by the face itself.

    Returns:
        (B,); NaN where both eyes are hidden, or where too few landmarks are known for a pose.
    """
    known = np.isfinite(points).all(2)
    eyes = (LEFT_EYE, RIGHT_EYE)
    seen = np.stack([(known & visible)[:, eye].sum(1) >= SEEN for eye in eyes])
    whole = np.stack([known[:, eye].all(1) for eye in eyes])
    line = points[:, RIGHT_EYE].mean(1) - points[:, LEFT_EYE].mean(1)
    roll = np.arctan2(line[:, 1], line[:, 0]).astype(np.float64)
    fitted = ~(seen & whole).all(0)
    if fitted.any():
        mean_line = MEAN_FACE[RIGHT_EYE].mean(0) - MEAN_FACE[LEFT_EYE].mean(0)
        turned = estimate_pose(points[fitted], known[fitted]) @ mean_line  # (B', 3)
        roll[fitted] = np.arctan2(turned[:, 1], turned[:, 0])
    lost = ~seen.any(0) | (known.sum(1) < MIN_KNOWN)
    return np.where(lost, np.nan, roll)
