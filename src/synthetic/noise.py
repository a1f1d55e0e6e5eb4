"""Seamless noise tiles, computed once, that give skin, hair and cloth their grain."""

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from src.synthetic.compiled import FAST_MATH

_SIDE = 256


def _tile(scales: tuple[float, ...]) -> NDArray[np.float32]:
    """Noise tile (256, 256) that repeats without a seam: one octave per scale, zero mean, unit deviation."""
    rng = np.random.default_rng(68)
    total = np.zeros((_SIDE, _SIDE), np.float32)
    for scale in scales:
        white = rng.standard_normal((_SIDE, _SIDE)).astype(np.float32)
        pad = int(4 * scale) + 1
        smooth = cv2.GaussianBlur(np.pad(white, pad, mode="wrap"), (0, 0), scale)[pad:-pad, pad:-pad]
        total += smooth / smooth.std() * np.float32(scale**0.5)
    return np.ascontiguousarray((total - total.mean()) / total.std(), dtype=np.float32)


NOISE = _tile((0.7,))  # fine grain: strands, pores
CLOUD = _tile((3.0, 7.0, 14.0))  # broad patches: complexion, folds of cloth


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def sample(tile: NDArray[np.float32], u: float, v: float) -> float:
    """Bilinear value of a repeating tile at (u, v), in the tile's pixels."""
    fu, fv = np.floor(u), np.floor(v)
    i, j = int(fu) & 255, int(fv) & 255
    k, m = (i + 1) & 255, (j + 1) & 255
    du, dv = u - fu, v - fv
    top = tile[j, i] * (1.0 - du) + tile[j, k] * du
    bottom = tile[m, i] * (1.0 - du) + tile[m, k] * du
    return float(top * (1.0 - dv) + bottom * dv)
