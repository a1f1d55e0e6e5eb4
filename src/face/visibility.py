"""Which landmarks of a face the face itself hides, from its pose: the heatmaps leave out what is not seen."""

import numpy as np
from numpy.typing import NDArray

from src.face.mean_face import CONE_AXES, CONE_COSINES
from src.face.pose import estimate_pose, rotation_from_3d


def visible_landmarks(rotation: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The landmarks of the mean face that are seen in a pose: the camera is within the landmark's cone.

    Hair, glasses, hands and the picture's edge do not count.

    Args:
        rotation: (B, 3, 3) from the face's axes to the camera's, as `estimate_pose` gives it.

    Returns:
        (B, 68).
    """
    to_camera = -rotation[:, 2]  # (B, 3) in the face's axes
    return np.asarray(to_camera @ CONE_AXES.T > CONE_COSINES)


def estimate_visibility(
    points: NDArray[np.floating], known: NDArray[np.bool_], depth: NDArray[np.floating] | None = None
) -> NDArray[np.bool_]:
    """The landmarks that are neither hidden by the face itself nor unknown.

    Args:
        points: (B, 68, 2) x, y in pixels; any value where not known.
        known: (B, 68).
        depth: (B, 68) in pixels, away from the camera, where the landmarks are 3-D.

    Returns:
        (B, 68); faces that cannot be fitted have the flags of a frontal face.
    """
    if depth is None:
        rotation = estimate_pose(points, known)
    else:
        rotation = rotation_from_3d(np.concatenate([points, depth[..., None]], -1), known)
    return visible_landmarks(rotation) & known
