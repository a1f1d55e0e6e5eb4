"""Light on the surfaces: diffuse light, gloss, and the sheen of hair."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from src.synthetic.compiled import FAST_MATH
from src.synthetic.noise import sample
from src.synthetic.parameters import Light, Look, Shape
from src.synthetic.raster import BODY, EAR, FRAME, NOTHING, SKIN
from src.synthetic.relief import bump
from src.synthetic.texture import paint_head, step


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def _surface_paint(
    kind: int,
    u: float,
    v: float,
    shape: Shape,
    look: Look,
    noise: NDArray[np.float32],
    clouds: NDArray[np.float32],
) -> tuple[float, float, float, float]:
    """Linear colour and gloss of anything but hair at its paint coordinates."""
    if kind == SKIN:
        return paint_head(u, v, shape, look, noise, clouds)
    if kind == EAR:
        dark = 1.0 - 0.5 * bump(u, 0.0, 0.3, 1.0) - 0.25 * bump(u - 0.7, 0.0, 0.07, 1.0)
        return look.skin[0] * dark * 1.02, look.skin[1] * dark * 0.88, look.skin[2] * dark * 0.86, 0.2
    if kind == BODY:
        neckline = look.collar - 24.0 * bump(u, 0.0, 0.36, 1.0)
        cloth = step(1.0, -1.0, v - neckline)
        fold = 1.0 + 0.13 * sample(clouds, u * 30.0 + look.noise_u, v * 0.7)
        hem = 1.0 - 0.35 * bump(v - neckline, 0.0, 2.0, 1.0)
        r, g, b = look.skin[0], 0.95 * look.skin[1], 0.94 * look.skin[2]
        r += (look.cloth[0] * fold - r) * cloth
        g += (look.cloth[1] * fold - g) * cloth
        b += (look.cloth[2] * fold - b) * cloth
        return r * hem, g * hem, b * hem, 0.15 * (1.0 - cloth)
    return look.frame[0], look.frame[1], look.frame[2], 1.5


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def shade(
    picture: NDArray[np.float32],
    material: NDArray[np.uint8],
    attributes: NDArray[np.float32],
    shut_in: NDArray[np.float32],
    shadow: NDArray[np.float32],
    shape: Shape,
    look: Look,
    light: Light,
    noise: NDArray[np.float32],
    clouds: NDArray[np.float32],
) -> None:
    """Light every drawn pixel of `picture` (S, S, 3), linear colour, in place.

    material (S, S) and attributes (S, S, 5) as in `raster.Canvas`; shut_in and shadow (S, S) go from 0, full ambient
    and key light at a pixel, to 1, least light.
    """
    side = picture.shape[0]
    soft = 0.32 - 0.22 * light.hard
    shadow_depth = 0.55 + 0.35 * light.hard
    halve = 1.0 / math.sqrt(2.0 + 2.0 * light.key_z)
    kx, ky, kz = light.key_x, light.key_y, light.key_z
    key_r, key_g, key_b = light.key[0], light.key[1], light.key[2]
    sky_r, sky_g, sky_b = light.sky[0], light.sky[1], light.sky[2]
    ground_r, ground_g, ground_b = light.ground[0], light.ground[1], light.ground[2]
    rim, rim_x = light.rim, light.rim_x
    for row in range(side):
        for column in range(side):
            kind = material[row, column]
            if kind == NOTHING:
                continue
            nx, ny, nz = attributes[row, column, 0], attributes[row, column, 1], attributes[row, column, 2]
            scale = 1.0 / (math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9)
            nx, ny, nz = nx * scale, ny * scale, nz * scale
            u, v = attributes[row, column, 3], attributes[row, column, 4]
            r, g, b, gloss = _surface_paint(kind, u, v, shape, look, noise, clouds)
            shut = shut_in[row, column]
            cast = (1.0 - 0.35 * shut) * (1.0 - shadow_depth * shadow[row, column])
            facing = nx * kx + ny * ky + nz * kz
            # Skin lets red light through: its shadow edge is wider and warmer.
            wrap = soft + 0.14 if kind != FRAME else soft
            red = max(0.0, (facing + wrap) / (1.0 + wrap)) * cast
            blue = max(0.0, (facing + soft) / (1.0 + soft)) * cast
            ambient = (1.0 - 0.85 * shut) * (0.75 + 0.25 * max(0.0, nz))
            up = (0.5 + 0.5 * ny) * ambient
            down = ambient - up
            edge = rim * step(0.35, 0.95, nx * rim_x) * (1.0 - shut)
            half = max(0.0, facing + nz) * halve
            h2 = half * half
            h8 = h2 * h2 * h2 * h2
            grazing = 1.0 - max(0.0, nz)
            spec = gloss * (0.05 * h8 + 0.10 * h8 * h8 * h2 * h2 + 0.05 * grazing * grazing * grazing) * cast
            picture[row, column, 0] = r * (key_r * red + sky_r * up + ground_r * down + edge) + spec * key_r
            picture[row, column, 1] = g * (key_g * blue + sky_g * up + ground_g * down + edge) + spec * key_g
            picture[row, column, 2] = b * (key_b * blue + sky_b * up + ground_b * down + edge) + spec * key_b


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def shade_hair(
    picture: NDArray[np.float32],
    cover: NDArray[np.float32],
    attributes: NDArray[np.float32],
    shut_in: NDArray[np.float32],
    shadow: NDArray[np.float32],
    look: Look,
    light: Light,
    noise: NDArray[np.float32],
) -> None:
    """Lay the lit hair over `picture` (S, S, 3) in place; cover (S, S) and attributes (S, S, 5) are the hair's.

    Noise stretched along the strands thins the hair out where the cover falls from 1 to -1.
    """
    side = picture.shape[0]
    for row in range(side):
        for column in range(side):
            there = cover[row, column]
            if there <= -1.0:
                continue
            u, v = attributes[row, column, 3], attributes[row, column, 4]
            fine = sample(noise, u * 2.4, v * 0.06 + look.noise_v)
            lock = sample(noise, u * 0.9, v * 0.03 + look.noise_u)
            opaque = step(-0.55, 0.55, there + 0.45 * (1.0 - abs(there)) * (fine + 0.5 * lock))
            if opaque <= 0.0:
                continue
            nx, ny, nz = attributes[row, column, 0], attributes[row, column, 1], attributes[row, column, 2]
            scale = 1.0 / (math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9)
            nx, ny, nz = nx * scale, ny * scale, nz * scale
            strand = max(-2.4, 0.6 * fine + 0.5 * lock)
            tone = 1.0 + strand * (0.33 + 0.06 * strand)
            # Light across a cylinder-like strand: a band where the strand is square to the half-way direction.
            sheen = bump(ny - 0.5 * light.key_y, 0.0, 0.16, 1.0) * max(0.0, 0.6 + 0.5 * strand)
            shut = shut_in[row, column]
            cast = (1.0 - 0.35 * shut) * (1.0 - 0.8 * shadow[row, column])
            key = max(0.0, (nx * light.key_x + ny * light.key_y + nz * light.key_z + 0.15) / 1.15) * cast
            ambient = (1.0 - 0.85 * shut) * (0.75 + 0.25 * max(0.0, nz))
            up = (0.5 + 0.5 * ny) * ambient
            edge = light.rim * step(0.35, 0.95, nx * light.rim_x) * (1.0 - shut)
            for n in range(3):
                lit = light.key[n] * key + light.sky[n] * up + light.ground[n] * (ambient - up) + edge
                colour = look.hair[n] * tone * lit + 0.1 * sheen * cast * light.key[n]
                picture[row, column, n] += (colour - picture[row, column, n]) * opaque
