"""Which landmarks are visible in a pose; heatmaps leave out those that the face itself hides."""

import numpy as np
from numpy.typing import NDArray

from src.face.mean_face import CONE_AXES, CONE_COSINES
from src.face.pose import estimate_pose, rotation_from_3d


def visible_landmarks(rotation: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which landmarks of the mean face are visible in a pose: those whose cone contains the camera's direction.

    Hair, glasses, hands and the picture's edge are ignored.

    Args:
        rotation: (B, 3, 3) from the face's axes to the camera's, as `estimate_pose` gives it.

    Returns:
        (B, 68) bool.
    """
    to_camera = -rotation[:, 2]  # (B, 3) in the face's axes
    return np.asarray(to_camera @ CONE_AXES.T > CONE_COSINES)


def estimate_visibility(
    points: NDArray[np.floating], known: NDArray[np.bool_], depth: NDArray[np.floating] | None = None
) -> NDArray[np.bool_]:
    """Which landmarks are known and not hidden by the face itself.

    Args:
        points: (B, 68, 2) x, y in pixels; any value where not known.
        known: (B, 68).
        depth: of 3-D landmarks: (B, 68) in pixels, growing away from the camera.

    Returns:
        (B, 68) bool; a face that cannot be fitted gets the flags of a frontal face.
    """
    if depth is None:
        rotation = estimate_pose(points, known)
    else:
        rotation = rotation_from_3d(np.concatenate([points, depth[..., None]], -1), known)
    return visible_landmarks(rotation) & known
