"""The relief of the features: how far nose, eyes and mouth stand out from the plain head."""

import math

from numba import njit

from src.synthetic.compiled import FAST_MATH
from src.synthetic.curves import (
    brow_line,
    chin_y,
    lid_line,
    lower_lip_bottom,
    mouth_bottom,
    mouth_line,
    mouth_top,
    upper_lip_top,
)
from src.synthetic.parameters import Shape


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def bump(dx: float, dy: float, sx: float, sy: float) -> float:
    """Bell of height 1 at an offset (dx, dy) from its centre, with radii sx and sy; exactly 0 from 3.2 radii on."""
    ex, ey = dx / sx, dy / sy
    e = 1.0 - 0.1 * (ex * ex + ey * ey)
    if e <= 0.0:
        return 0.0
    e2 = e * e
    return e2 * e2 * e  # as good as a Gaussian here, at a fraction of its cost


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def _nose(x: float, y: float, shape: Shape) -> tuple[float, float]:
    """Lift (dy, dz) of the nose: bridge, tip and wings."""
    tip, base, root = shape.nose_tip_y, shape.nose_tip_y - 13.0, 6.0
    a = abs(x)
    if y > 22.0 or y < base - 14.0 or a > 34.0:
        return 0.0, 0.0
    w = shape.nose_width
    if y >= tip:
        t = min(1.0, max(0.0, (root + 6.0 - y) / (root + 6.0 - tip)))
        height = 3.0 + (shape.nose_out - 3.0) * t**1.3 * (1.25 - 0.25 * t)
        if y > root:
            height *= max(0.0, 1.0 - (y - root) / 16.0) ** 2
        height += shape.nose_hump * bump(0.0, t - 0.5, 1.0, 0.16)
        half = (8.2 + 5.2 * t * t) * (0.5 + 0.5 * w)
    else:
        t = min(1.0, (tip - y) / (tip - base))
        height = shape.nose_out * (0.5 + 0.5 * math.cos(math.pi * t**1.15))
        half = 12.6 * (0.5 + 0.5 * w) - 2.0 * t
    ridge = height * math.exp(-((a / half) ** 1.9))
    # The flank spreads the ridge into the cheek.
    fade = max(0.0, 1.0 - max(0.0, tip - 6.0 - y) / 9.0)
    flank = 0.22 * height * bump(a, 0.0, 1.35 * half, 1.0) * fade
    wing = 10.0 * bump(a - 12.6 * w, y - (tip - 6.0), 5.4 * (0.6 + 0.4 * w), 6.0)
    ball = 2.0 * bump(a, y - (tip - 1.0), 7.5, 6.0)
    crease = -2.2 * bump(a - 18.5 * w, y - (tip - 5.0), 2.6, 6.0)
    nostril = -3.0 * bump(a - 6.8 * w, y - (base + 3.2), 3.0, 2.2)
    droop = -2.2 * bump(a, y - (tip - 3.0), 9.0 * w, 5.0) - 2.0 * bump(a - 12.0 * w, y - (tip - 8.0), 5.0, 4.0)
    return droop, ridge + flank + wing + ball + crease + nostril


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def _eye(x: float, y: float, shape: Shape) -> float:
    """Lift of socket, eyeball, lids and brow ridge."""
    a = abs(x)
    if y > 50.0 or y < -45.0:
        return 0.0
    dx = a - shape.eye_x
    lift = -shape.socket * bump(dx + 4.0, y - 2.0, 15.0, 11.0)
    lift -= 0.55 * shape.socket * bump(a - 15.0, y - 4.0, 6.0, 8.0)
    lift += 7.0 * bump(dx, y + 0.5, 11.5, 8.5)
    t = dx / shape.eye_half
    if -1.2 < t < 1.2 and -14.0 < y < 18.0:
        crease = lid_line(t, shape) + shape.eye_up * max(0.0, 1.0 - 0.7 * t * t) + 3.4
        lift -= 1.3 * bump(0.0, y - crease, 1.0, 1.5) * max(0.0, 1.0 - t * t)
    s = (a - 11.5) / 47.5
    brow = brow_line(min(1.0, max(0.0, s)), shape)
    lift += shape.brow_ridge * bump(a - 30.0, y - (0.6 * brow + 7.5), 20.0, 6.5)
    lift += 0.5 * shape.brow_ridge * bump(a, y - 19.0, 11.0, 7.0)
    lift -= 1.4 * bump(dx, y + 14.0, 13.0, 4.0)  # below the eye
    return lift


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def _mouth(x: float, y: float, shape: Shape) -> float:
    """Lift of lips, philtrum and the hollow of an open mouth."""
    if y > -44.0 or y < -112.0 - shape.mouth_open or abs(x) > 48.0:
        return 0.0
    t = x / shape.mouth_half
    k = min(1.0, abs(t))
    round_off = 1.0 - k * k
    top, bottom = upper_lip_top(k, shape), lower_lip_bottom(k, shape)
    inner_top, inner_bottom = mouth_top(k, shape), mouth_bottom(k, shape)
    rise = max(1.6, 0.62 * (top - inner_top))
    drop = max(1.8, 0.62 * (inner_bottom - bottom))
    lift = 2.6 * bump(x, y - shape.mouth_y, 27.0, 15.0 + 0.4 * shape.mouth_open)  # teeth behind the lips
    lift += shape.lip_out * bump(0.0, y - 0.5 * (top + inner_top), 1.0, rise) * round_off
    lift += 1.05 * shape.lip_out * bump(0.0, y - 0.5 * (bottom + inner_bottom), 1.0, drop) * round_off
    if abs(t) < 1.0:
        middle, half = 0.5 * (inner_top + inner_bottom), 0.5 * (inner_top - inner_bottom)
        inside = max(0.0, 1.0 - ((y - middle) / (half + 1.1)) ** 2)
        lift -= (1.6 + 0.25 * shape.mouth_open) * inside * round_off
    lift -= 2.2 * bump(abs(x) - shape.mouth_half - 1.5, y - mouth_line(1.0, shape), 3.2, 3.6)  # corners
    lift -= 1.3 * bump(x, y - (top + 6.0), 2.6, 5.0)  # philtrum
    lift -= 3.4 * bump(x, y - (lower_lip_bottom(0.0, shape) - 5.0), 15.0, 4.2)  # fold above the chin
    return lift


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def relief(x: float, y: float, shape: Shape) -> tuple[float, float]:
    """Displacement (dy, dz) in millimetres of the face from the plain skull at unrolled (x, y)."""
    if y > 90.0:
        return 0.0, 0.0
    a = abs(x)
    dy, dz = _nose(x, y, shape)
    dz += _eye(x, y, shape) + _mouth(x, y, shape)
    smile = max(0.0, shape.smile)
    dz += (shape.cheek + 3.5 * smile) * bump(a - 40.0, y + 26.0 - 3.0 * smile, 16.0, 13.0)
    dz -= 3.6 * bump(a - 45.0, y + 60.0, 13.0, 16.0)  # hollow of the cheek
    dz -= (1.2 + 1.6 * smile) * bump(a - 26.0 - 0.25 * (-48.0 - y), y + 57.0, 3.0, 9.0)  # fold from wing to mouth
    dz += (3.4 + shape.chin_out) * bump(x, y - (chin_y(shape) + 9.5), 15.0 * shape.chin_width, 9.0)
    dz -= 2.0 * bump(a - 62.0, y - 20.0, 12.0, 16.0)  # temples
    if shape.beard_out > 0.0 and y < -50.0:
        dz += shape.beard_out * min(1.0, (-50.0 - y) / 25.0) * (0.4 + 0.6 * bump(a, 0.0, 40.0, 1.0))
    return dy, dz
