"""Paint of the head: linear colour, gloss and the shade of folds at unrolled face coordinates (millimetres)."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from src.synthetic.compiled import FAST_MATH
from src.synthetic.curves import (
    brow_line,
    lid_line,
    lower_lid,
    lower_lip_bottom,
    mouth_bottom,
    mouth_top,
    upper_lid,
    upper_lip_top,
)
from src.synthetic.noise import sample
from src.synthetic.parameters import Look, Shape
from src.synthetic.relief import bump

Paint = tuple[float, float, float, float]  # red, green, blue, gloss


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def step(low: float, high: float, at: float) -> float:
    """Smooth 0 to 1 as `at` goes from low to high."""
    t = (at - low) / (high - low)
    t = 0.0 if t < 0.0 else (1.0 if t > 1.0 else t)
    return t * t * (3.0 - 2.0 * t)


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def _skin(x: float, y: float, shape: Shape, look: Look, grain: float, cloud: float) -> Paint:
    """Bare skin: blood in cheeks, nose and chin, patches, freckles, folds of age."""
    a = abs(x)
    blood = 0.16 * cloud
    shade = 1.0 + 0.03 * grain + 0.045 * cloud
    gloss = 0.5
    # The bumps are 0 beyond 3.2 radii; the comparisons only avoid computing them there.
    if y < 8.0 and y > -76.0:
        blood += 0.9 * look.blush * bump(a - 42.0, y + 34.0, 15.0, 13.0)
        if a < 35.2:
            blood += 0.8 * look.blush * bump(a, y - shape.nose_tip_y, 11.0, 10.0)
    if y < -73.0:
        blood += 0.4 * bump(x, y + 105.0, 16.0, 10.0)
    if y < 29.0 and y > -29.0:
        blood += 0.5 * bump(a - shape.eye_x, y, 19.0, 9.0)
        under_eye = bump(a - shape.eye_x + 4.0, y + 7.0 + shape.eye_low, 10.0, 3.2)
        shade *= 1.0 - 0.16 * (0.4 + look.age) * under_eye
    if y > -31.0:
        gloss += 0.6 * bump(x, y - 40.0, 26.0, 22.0)
    if a < 25.6:
        gloss += 0.7 * bump(x, y + 25.0, 8.0, 18.0)
    if look.age > 0.15:
        old = look.age - 0.15
        if y < -32.0:
            fold = a - 21.0 - 0.36 * (-48.0 - y)
            shade *= 1.0 - (0.3 * old + 0.1 * max(0.0, shape.smile)) * bump(fold, y + 58.0, 1.2, 8.0)
        if y > 28.0:
            wave = y + 0.004 * x * x - 1.4 * cloud
            line = abs((wave / 9.0) % 1.0 - 0.5) * 9.0
            shade *= 1.0 - 0.22 * old * bump(line, 0.0, 1.0, 1.0) * bump(x, y - 46.0, 26.0, 11.0)
        if a < 7.5 and y > -1.0:
            shade *= 1.0 - 0.3 * old * bump(a - 4.5, y - 15.0, 0.9, 5.0)
        if a > 38.0 and y > -20.0 and y < 20.0:
            crow = (y - 0.5 * (a - shape.eye_x - shape.eye_half)) / 4.0
            shade *= 1.0 - 0.3 * old * bump(a - 53.0, y, 4.5, 6.0) * max(0.0, math.cos(2 * math.pi * crow))
    if look.freckles > 0.0:
        spot = step(1.5, 2.1, grain + 0.5 * cloud) * bump(a - 24.0, y + 24.0, 24.0, 14.0)
        shade *= 1.0 - 0.45 * look.freckles * spot
    r, g, b = look.skin[0], look.skin[1], look.skin[2]
    gloss *= look.oil
    return r * shade * (1 + 0.05 * blood), g * shade * (1 - 0.2 * blood), b * shade * (1 - 0.17 * blood), gloss


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def _beard_cover(x: float, y: float, shape: Shape) -> tuple[float, float]:
    """How far (x, y) is inside the beard's area and inside the moustache's, each 0 to 1."""
    a = abs(x)
    k = min(1.0, a / shape.mouth_half)
    lip = step(0.6, -0.6, y - lower_lip_bottom(k, shape)) if a < shape.mouth_half else 1.0
    upper = max(upper_lip_top(k, shape), shape.mouth_y - 3.0 - 0.9 * max(0.0, a - shape.mouth_half))
    under_nose = shape.nose_tip_y - 15.0 - 0.012 * a * a
    moustache = step(-1.0, 1.5, y - upper) * step(2.0, -3.0, y - under_nose) * step(9.0, 3.0, a - shape.mouth_half)
    # The cheek's hair line falls from the sideburn to beside the mouth.
    line = shape.mouth_y - 4.0 + 0.045 * max(0.0, a - 26.0) ** 2 + (3.0 if a > shape.mouth_half else 0.0)
    jaw = step(9.0, -7.0, y - line) * lip * step(12.0, -8.0, y)
    if a < shape.mouth_half and y > lower_lip_bottom(k, shape):
        jaw = 0.0
    return jaw, moustache


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def _eye(x: float, y: float, shape: Shape, look: Look, r: float, g: float, b: float, gloss: float) -> Paint:
    """Eye and lids over the skin r, g, b: sclera, iris, pupil, light, lashes, crease."""
    side = 1.0 if x > 0 else -1.0
    dx = abs(x) - shape.eye_x
    t = dx / shape.eye_half
    k = min(1.0, max(-1.0, t))
    top, bottom = upper_lid(k, shape), lower_lid(k, shape)
    # Lid shadow and crease.
    open_up = max(0.0, y - top)
    if y > top:
        tint = look.lid_shadow * step(9.0, 1.0, open_up) * step(1.25, 0.9, abs(t))
        r, g, b = r * (1 - 0.5 * tint), g * (1 - 0.6 * tint), b * (1 - 0.5 * tint)
        crease = lid_line(k, shape) + shape.eye_up * max(0.0, 1.0 - 0.7 * k * k) + 3.2
        dark = 1.0 - 0.42 * bump(0.0, y - crease, 1.0, 0.85) * step(1.25, 0.8, abs(t + 0.06))
        r, g, b = r * dark, g * dark * dark, b * dark * dark
    inside = step(-0.45, 0.45, top - y) * step(-0.45, 0.45, y - bottom) * step(1.03, 0.97, abs(t))
    if inside > 0.0:
        white = 0.55 - 0.2 * k * k
        er, eg, eb = white * 1.03, white * 0.96, white * 0.93
        if t < -0.8:  # the tear duct's corner
            pink = step(-0.8, -0.98, t)
            er, eg, eb = er * (1 - 0.25 * pink), eg * (1 - 0.5 * pink), eb * (1 - 0.5 * pink)
        middle = lid_line(0.0, shape) + 0.9 + look.gaze_y
        gx, gy = dx - side * look.gaze_x, y - middle
        distance = math.sqrt(gx * gx + gy * gy)
        iris = step(6.3, 5.6, distance)
        if iris > 0.0:
            angle = math.atan2(gy, gx)
            spoke = 1.0 + 0.22 * math.cos(9 * angle + 3.0) * math.cos(14 * angle)
            glow = (0.75 + 0.55 * step(2.0, -4.0, gy)) * spoke * (1.0 - 0.75 * step(4.4, 6.0, distance))
            ir, ig, ib = look.iris[0] * glow, look.iris[1] * glow, look.iris[2] * glow
            pupil = 1.0 - 0.94 * step(2.7, 2.1, distance)
            ir, ig, ib = ir * pupil, ig * pupil, ib * pupil
            er, eg, eb = er + (ir - er) * iris, eg + (ig - eg) * iris, eb + (ib - eb) * iris
        lid_cast = 1.0 - 0.62 * step(4.2, 0.0, top - y) - 0.15 * step(1.5, 0.0, y - bottom)
        er, eg, eb = er * lid_cast, eg * lid_cast, eb * lid_cast
        hx, hy = dx * side + 1.9, y - middle - 2.0
        spark = step(1.7, 0.9, math.sqrt(hx * hx + hy * hy)) * step(0.0, 1.5, top - y)
        er, eg, eb = er + 1.1 * spark, eg + 1.1 * spark, eb + 1.1 * spark
        r, g, b = r + (er - r) * inside, g + (eg - g) * inside, b + (eb - b) * inside
        gloss *= 1.0 - 0.9 * inside
    # Lashes: thicker towards the outer corner.
    reach = 0.75 + 0.75 * look.lash * (1.0 + 0.5 * k)
    lashes = step(reach + 0.5, 0.2, abs(y - top - 0.25 * reach)) * step(1.12, 0.98, abs(t))
    lashes *= 0.55 + 0.42 * look.lash
    lower = 0.4 * step(0.95, 0.1, abs(y - bottom)) * step(1.02, 0.9, abs(t)) * (0.4 + 0.6 * look.lash)
    dark = (1.0 - lashes) * (1.0 - lower)
    return r * dark + 0.012 * lashes, g * dark + 0.008 * lashes, b * dark + 0.007 * lashes, gloss * dark


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def _mouth(x: float, y: float, shape: Shape, look: Look, r: float, g: float, b: float, gloss: float) -> Paint:
    """Lips, teeth, tongue and the mouth's dark over the skin r, g, b."""
    t = x / shape.mouth_half
    k = min(1.0, abs(t))
    top, bottom = upper_lip_top(k, shape), lower_lip_bottom(k, shape)
    lips = step(-0.7, 0.7, top - y) * step(-0.7, 0.7, y - bottom) * step(1.02, 0.96, abs(t))
    if lips > 0.0:
        ridge = 1.0 + 0.07 * math.cos(2.3 * x + 0.8 * math.sin(x)) * (1.0 - k)
        shade = ridge * (0.86 if y > mouth_bottom(k, shape) + 0.2 else 1.0)
        r += (look.lip[0] * shade - r) * lips
        g += (look.lip[1] * shade - g) * lips
        b += (look.lip[2] * shade - b) * lips
        gloss += 0.8 * lips * (look.oil + 0.2)
    inner = min(1.0, abs(t) / 0.92)
    inner_top, inner_bottom = mouth_top(inner, shape), mouth_bottom(inner, shape)
    if abs(t) < 0.95 and shape.mouth_open > 0.4:
        gap = step(-0.5, 0.4, inner_top - y) * step(-0.5, 0.4, y - inner_bottom) * step(0.95, 0.85, abs(t))
        if gap > 0.0:
            mr, mg, mb = 0.045, 0.014, 0.012
            tongue = step(0.0, 6.0, shape.mouth_open - 7.0) * bump(x, y - inner_bottom - 1.0, 11.0, 3.0)
            mr, mg, mb = mr + 0.26 * tongue, mg + 0.07 * tongue, mb + 0.07 * tongue
            edge = 6.6 - 0.012 * x * x
            teeth = step(0.5, -0.5, inner_top - y - edge) * step(19.0, 15.0, abs(x)) * look.teeth
            arch = 0.72 - 0.0011 * x * x
            gaps = 1.0 - 0.3 * bump(abs((abs(x) / 6.3) % 1.0 - 0.5) * 6.3 - 3.15, 0.0, 0.45, 1.0)
            cast = 1.0 - 0.5 * step(2.4, 0.0, inner_top - y)
            white = arch * gaps * cast
            mr, mg, mb = mr + (white - mr) * teeth, mg + (white * 0.93 - mg) * teeth, mb + (white * 0.84 - mb) * teeth
            r, g, b = r + (mr - r) * gap, g + (mg - g) * gap, b + (mb - b) * gap
            gloss *= 1.0 - gap
    line = bump(0.0, y - inner_top, 1.0, 0.9) * step(1.06, 0.8, abs(t))
    line = max(line, 0.8 * bump(abs(t) - 1.0, (y - inner_top) * 0.5, 0.05, 1.0))
    dark = 1.0 - (0.72 if shape.mouth_open <= 0.4 else 0.4) * line
    return r * dark, g * dark * dark, b * dark * dark, gloss * dark


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def paint_head(
    x: float, y: float, shape: Shape, look: Look, noise: NDArray[np.float32], clouds: NDArray[np.float32]
) -> Paint:
    """Linear colour and gloss of the head at unrolled (x, y)."""
    u, v = look.noise_u, look.noise_v
    q = (x / 73.0) ** 2
    along = x * (1.0 + q * (0.167 + q * (0.075 + 0.33 * q * q)))  # about the arc length: no stretch at the sides
    grain = sample(noise, u + 1.6 * along, v + 1.6 * y)
    cloud = sample(clouds, v + 1.1 * along, u + 1.1 * y)
    r, g, b, gloss = _skin(x, y, shape, look, grain, cloud)
    a = abs(x)
    if y < 12.0 and (look.stubble > 0.0 or look.beard_full > 0.0 or look.moustache > 0.0):
        jaw, moustache = _beard_cover(x, y, shape)
        shadow = 0.34 * look.stubble * max(jaw, moustache) * (1.0 + 0.25 * grain)
        r, g, b = r * (1 - shadow), g * (1 - 0.92 * shadow), b * (1 - 0.82 * shadow)
        hair = max(jaw * look.beard_full, moustache * look.moustache)
        if hair > 0.0:
            strand = sample(noise, u + 2.0 * along + 0.5 * y, v + 0.45 * y)
            hair = step(0.15, 0.65, hair + 0.16 * strand) * 0.93
            tone = max(0.1, 1.0 + 0.38 * strand + 0.25 * cloud)
            r, g, b = (
                r + (look.beard[0] * tone - r) * hair,
                g + (look.beard[1] * tone - g) * hair,
                b + (look.beard[2] * tone - b) * hair,
            )
            gloss *= 1.0 - 0.8 * hair
    if y > -16.0 and y < 42.0 and a < 66.0:
        if abs(a - shape.eye_x) < 1.35 * shape.eye_half and y < 18.0:
            r, g, b, gloss = _eye(x, y, shape, look, r, g, b, gloss)
        s = (a - 11.0) / 48.5
        if s > -0.1 and s < 1.05:
            k = min(1.0, max(0.0, s))
            half = shape.brow_thick * (0.62 + 0.75 * k) * (1.0 - k**3) * step(-0.1, 0.06, s) + 0.25
            strand = sample(noise, u + 1.5 * (a + 1.0 * y), v + 0.5 * (y - 0.5 * a))
            off = (y - brow_line(k, shape) + 0.4) / half
            brow = step(1.5, 0.35, abs(off) + 0.28 * strand) * look.brow_dense * step(1.04, 0.9, s)
            r, g, b = r + (look.brow[0] - r) * brow, g + (look.brow[1] - g) * brow, b + (look.brow[2] - b) * brow
            gloss *= 1.0 - brow
    elif y < shape.mouth_y + 16.0 and a < 1.12 * shape.mouth_half and y > shape.mouth_y - 30.0 - shape.mouth_open:
        r, g, b, gloss = _mouth(x, y, shape, look, r, g, b, gloss)
    if a < 26.0 and y < shape.nose_tip_y + 6.0 and y > shape.nose_tip_y - 22.0:
        base = shape.nose_tip_y - 13.0
        w = shape.nose_width
        hole = 0.8 * bump((a - 6.6 * w) + 0.35 * (y - base), y - (base + 3.0), 2.7 * w, 1.7)
        rim = 0.22 * bump(a - 18.6 * w, y - (base + 6.5), 1.3, 5.0)
        under = 0.05 * bump(a, y - (base + 0.6), 10.0 * w, 1.6)
        dark = (1.0 - min(0.93, hole * 1.1)) * (1.0 - rim) * (1.0 - under)
        r, g, b, gloss = r * dark, g * dark * (0.9 + 0.1 * dark), b * dark * (0.9 + 0.1 * dark), gloss * dark
    return r, g, b, gloss
