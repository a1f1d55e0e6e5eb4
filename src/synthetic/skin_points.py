"""The 68 landmarks of a drawn head in three dimensions, with the skin's normals there."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from src.face.points import POINTS
from src.synthetic.compiled import FAST_MATH
from src.synthetic.curves import (
    brow_line,
    lid_line,
    lower_lid,
    lower_lip_bottom,
    mouth_bottom,
    mouth_line,
    mouth_top,
    upper_lid,
    upper_lip_top,
)
from src.synthetic.head import jaw_edge, section, surface
from src.synthetic.parameters import Shape

# Longitude in degrees and position between eye level (0) and jaw edge (1) of jaw points 8 (chin) to 16.
_JAW_LONGITUDE = np.array([0.0, 17.5, 36.0, 54.0, 70.0, 75.0, 76.5, 77.5, 78.0])
_JAW_LEVEL = np.array([0.985, 0.985, 0.98, 0.975, 0.97, 0.82, 0.54, 0.27, 0.0])


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def _flat_points(shape: Shape, longitudes: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitude and unrolled height (68, 2) of the landmarks."""
    flat = np.zeros((68, 2))  # x, y; the jaw already as longitude
    for i in range(9):
        theta = math.radians(longitudes[i])
        height = levels[i] * jaw_edge(theta, shape)
        flat[8 + i] = theta, height
        flat[8 - i] = -theta, height
    for i in range(5):  # outer to inner on the left, inner to outer on the right
        t = i / 4.0
        x, height = 12.5 + 46.0 * t, brow_line(t, shape) + 0.25 * shape.brow_thick
        flat[22 + i] = x, height
        flat[21 - i] = -x, height
    tip = shape.nose_tip_y + 0.8
    for i in range(4):
        flat[27 + i] = 0.0, 2.0 + (tip - 2.0) * i / 3.0
    base = shape.nose_tip_y - 13.0
    w = shape.nose_width
    flat[33] = 0.0, base + 0.8
    for side in (-1, 1):
        flat[33 + side] = side * 7.6 * w, base + 1.4
        flat[33 + 2 * side] = side * 14.2 * w, base + 3.8
    outer, upper_out, upper_in, inner, lower_in, lower_out = 1.0, 0.37, -0.37, -1.0, -0.37, 0.37
    for side in (-1, 1):
        x = shape.eye_x
        h = shape.eye_half
        corner_in, corner_out = lid_line(inner, shape), lid_line(outer, shape)
        eye = (
            (x + outer * h, corner_out),
            (x + upper_out * h, upper_lid(upper_out, shape)),
            (x + upper_in * h, upper_lid(upper_in, shape)),
            (x + inner * h, corner_in),
            (x + lower_in * h, lower_lid(lower_in, shape)),
            (x + lower_out * h, lower_lid(lower_out, shape)),
        )
        for k in range(6):
            point = 36 + k
            if side > 0:  # the other eye runs from its inner corner
                point = 42 + (3 - k) % 6
            flat[point] = side * eye[k][0], eye[k][1]
    m = shape.mouth_half
    for side in (-1, 1):
        flat[51 + 3 * side] = side * m, mouth_line(1.0, shape)
        flat[51 + 2 * side] = side * 0.64 * m, upper_lip_top(0.64, shape)
        flat[51 + side] = side * 0.25 * m, upper_lip_top(0.25, shape)
        flat[57 - side] = side * 0.31 * m, lower_lip_bottom(0.31, shape)
        flat[57 - 2 * side] = side * 0.68 * m, lower_lip_bottom(0.68, shape)
        flat[62 + 2 * side] = side * 0.89 * m, mouth_line(0.89, shape)
        flat[62 + side] = side * 0.28 * m, mouth_top(0.28 / 0.9, shape)
        flat[66 - side] = side * 0.28 * m, mouth_bottom(0.28 / 0.9, shape)
    flat[51] = 0.0, upper_lip_top(0.0, shape)
    flat[57] = 0.0, lower_lip_bottom(0.0, shape)
    flat[62] = 0.0, mouth_top(0.0, shape)
    flat[66] = 0.0, mouth_bottom(0.0, shape)
    for i in range(17, POINTS):
        width, _, _ = section(flat[i, 1], shape)
        flat[i, 0] = math.asin(max(-0.999, min(0.999, flat[i, 0] / width)))
    return flat


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def _on_surface(flat: NDArray[np.float64], shape: Shape) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    points, normals = np.empty((68, 3)), np.empty((68, 3))
    step = 1.2  # millimetres: about a mesh cell, so that normals in creases match the mesh
    for i in range(POINTS):
        theta, y = flat[i]
        points[i] = surface(theta, y, shape)[:3]
        a = np.array(surface(theta + step / 80.0, y, shape)[:3]) - np.array(surface(theta - step / 80.0, y, shape)[:3])
        b = np.array(surface(theta, y + step, shape)[:3]) - np.array(surface(theta, y - step, shape)[:3])
        n = np.array((a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]))
        normals[i] = n / math.sqrt((n * n).sum())
    return points, normals


def head_landmarks(shape: Shape) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 68 landmarks (68, 3) on the head's surface in millimetres and the surface's unit normals (68, 3) there.

    iBUG order counted from 0; the person's right side, image left when frontal, comes first.
    """
    flat = _flat_points(shape, _JAW_LONGITUDE, _JAW_LEVEL)
    points, normals = _on_surface(flat, shape)
    return points, normals
