"""Finds the faces with large poses from the landmarks in their stores."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from src.face.pose import estimate_pose, pose_angles
from src.store.read import FaceStores

BLOCK: Final = 4096
"""Faces read and measured at a time: 2 MB of landmarks."""


def large_poses(stores: FaceStores, yaw: float) -> NDArray[np.bool_]:
    """(N,) bool: which faces are turned by `yaw` degrees or more to either side, from their visible landmarks.

    A face with too few visible landmarks for a pose counts as frontal.
    """
    large = np.empty(len(stores), np.bool_)
    for start in range(0, len(stores), BLOCK):
        block = np.arange(start, min(start + BLOCK, len(stores)))
        turned, _, _ = pose_angles(estimate_pose(stores.landmarks(block), stores.visible(block)))
        large[block] = np.abs(turned) >= yaw
    return large
