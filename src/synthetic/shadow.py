"""Shadows: ambient occlusion in folds, and the shadows that the key light casts."""

import math

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from src.synthetic.compiled import FAST_MATH
from src.synthetic.parameters import Light
from src.synthetic.raster import FAR


def occlusion(depth: NDArray[np.float32], millimetres: float) -> NDArray[np.float32]:
    """How shut in each pixel is (0 open, 1 shut): how far it is behind the mean depth around it.

    depth (S, S), FAR where nothing is; `millimetres` is the size of a pixel.
    """
    coarse = depth[::2, ::2]  # the shade is soft: half the resolution is enough
    filled = np.maximum(coarse, np.float32(-150))  # brings the backdrop so near that it does not matter
    total = np.zeros_like(filled)
    for reach, scale in ((8.0, 5.5), (28.0, 18.0)):
        size = 2 * max(1, int(reach / millimetres / 4)) + 1
        near = cv2.blur(cv2.blur(filled, (size, size)), (size, size))
        behind = np.maximum(near - filled, 0)
        total += behind / (behind + np.float32(scale))
    total = np.minimum(total * np.float32(0.8), np.float32(1.0))
    return np.asarray(cv2.resize(total, depth.shape, interpolation=cv2.INTER_LINEAR), np.float32)


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def _march(depth: NDArray[np.float32], light: Light, millimetres: float, blocked: NDArray[np.float32]) -> None:
    """Mark in `blocked` (S / 2, S / 2) the pixels whose ray to the key light passes behind something drawn."""
    side = depth.shape[0]
    stride = 3.2  # millimetres per step
    for i in range(side // 2):
        for j in range(side // 2):
            z = depth[2 * i, 2 * j]
            if z < FAR / 2:
                continue
            for n in range(1, 15):
                s = stride * n * (1.0 + 0.06 * n)
                row = math.floor(2 * i - light.key_y * s / millimetres + 0.5)
                column = math.floor(2 * j + light.key_x * s / millimetres + 0.5)
                if row < 0 or column < 0 or row >= side or column >= side:
                    break
                ahead = depth[row, column] - (z + light.key_z * s)
                # A surface far nearer to the viewer does not extend down to this ray.
                if 2.5 < ahead < 32.0:
                    blocked[i, j] = 1.0
                    break


def cast_shadow(depth: NDArray[np.float32], light: Light, millimetres: float) -> NDArray[np.float32]:
    """Soft shadow (S, S), 0 lit to 1 dark, that nose, chin, brows and hair cast under the key light.

    Computed from the depth picture (S, S) alone: surfaces that the camera does not see cast none.
    """
    side = depth.shape[0]
    blocked = np.zeros((side // 2, side // 2), np.float32)
    _march(depth, light, millimetres, blocked)
    size = 3 if light.hard > 0.6 else 5
    blocked = cv2.blur(cv2.blur(blocked, (size, size)), (size, size))
    return np.asarray(cv2.resize(blocked, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
