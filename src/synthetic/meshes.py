"""The meshes around the head: ears, neck and shoulders, hair, glasses."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from src.synthetic.compiled import FAST_MATH
from src.synthetic.head import grid_faces, section, smooth_profile
from src.synthetic.parameters import Glasses, Hair, Shape

Mesh = tuple[NDArray[np.float32], NDArray[np.int32]]
_RINGS, _SPOKES = 9, 28


def _ear_faces() -> NDArray[np.int32]:
    return grid_faces(_RINGS, _SPOKES, closed=True)


EAR_FACES = _ear_faces()


def ear_mesh(shape: Shape, side: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vertices (V, 3) of the ear for EAR_FACES; paint (V, 2) is radius 0..1 and angle; side 1 is image right, -1 left.

    A shell that leans out from the skull: a raised rim around a hollow, wider above than at the lobe.
    """
    radius = np.array([0.02, 0.2, 0.4, 0.55, 0.68, 0.8, 0.9, 0.97, 0.9])[:, None]
    angle = np.linspace(0, 2 * np.pi, _SPOKES, endpoint=False)[None]
    back, up = np.cos(angle), np.sin(angle)
    reach = (1.0 + 0.18 * up * (up > 0) - 0.1 * back * (up < 0)) * radius
    z = -14.0 - reach * back * 16.0 * shape.ear - 5.0 * reach * up * shape.ear
    y = -10.0 + reach * up * 30.0 * shape.ear
    rim = np.exp(-(((radius - 0.86) / 0.1) ** 2)) * np.where(up > -0.5, 1.0, 0.5)
    bowl = np.exp(-((radius / 0.45) ** 2))
    inner = np.exp(-(((radius - 0.55) / 0.12) ** 2)) * (back > -0.3) * 0.7
    lean = 6.0 + 9.0 * reach * back  # the back edge stands away from the head
    out = lean + 3.6 * rim + 2.0 * inner - 6.0 * bowl
    out[-1] = lean[-1] - 5.0  # fold the rim back so that it has a thickness
    width, _, _ = section(-10.0, shape)
    x = side * (width - 3.0 + out)
    vertices = np.stack([np.broadcast_to(x, z.shape), y, z], -1).reshape(-1, 3).astype(np.float32)
    paint = np.stack([np.broadcast_to(radius, z.shape), np.broadcast_to(angle, z.shape)], -1).reshape(-1, 2)
    return vertices, np.ascontiguousarray(paint, dtype=np.float32)


_BODY_Y = np.array([-40.0, -80.0, -110.0, -135.0, -150.0, -162.0, -176.0, -192.0, -215.0, -300.0])
_BODY_X = np.array([48.0, 48.0, 49.0, 53.0, 62.0, 84.0, 130.0, 172.0, 196.0, 205.0])
_BODY_Z = np.array([50.0, 51.0, 52.0, 55.0, 58.0, 62.0, 70.0, 80.0, 92.0, 100.0])
_BODY_BACK = np.array([-16.0, -20.0, -24.0, -29.0, -32.0, -34.0, -36.0, -38.0, -38.0, -36.0])
_BODY_SPOKES = 36
_BODY_LEVELS = np.concatenate([np.linspace(-40, -130, 7), np.linspace(-138, -215, 12), np.array([-250.0, -300.0])])
BODY_FACES = grid_faces(len(_BODY_LEVELS), _BODY_SPOKES, closed=True)


def body_mesh(shape: Shape) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vertices (V, 3) of neck and shoulders for BODY_FACES, millimetres; paint (V, 2) is angle and height."""
    angle = np.linspace(-np.pi, np.pi, _BODY_SPOKES, endpoint=False)[None]
    y = _BODY_LEVELS[:, None]
    thin = shape.neck + (1 - shape.neck) * np.clip((-y - 150) / 40, 0, 1)
    wide = np.interp(-y, -_BODY_Y, _BODY_X) * thin
    deep = np.interp(-y, -_BODY_Y, _BODY_Z) * thin
    x = wide * np.sin(angle)
    cords = 3.0 * np.exp(-(((np.abs(angle) - 0.45 - 0.004 * (y + 150)) / 0.16) ** 2)) * (y > -160)
    z = (deep + cords) * np.cos(angle) + np.interp(-y, -_BODY_Y, _BODY_BACK)
    height = y + 0 * angle
    vertices = np.stack([x, height, z], -1).reshape(-1, 3).astype(np.float32)
    paint = np.stack([np.broadcast_to(angle, z.shape), height], -1).reshape(-1, 2)
    return vertices, np.ascontiguousarray(paint, dtype=np.float32)


_HAIR_ANGLES = np.radians(np.concatenate([np.arange(-178, -84, 7.0), np.arange(-84, 85, 3.5), np.arange(88, 180, 7.0)]))
_HAIR_DOME = np.concatenate([np.array([1.0, 0.985, 0.95]), np.linspace(0.88, 0.0, 18)])
_HAIR_FALL = np.concatenate([np.linspace(0.06, 1, 16)])
HAIR_FACES = grid_faces(len(_HAIR_DOME) + len(_HAIR_FALL), len(_HAIR_ANGLES), closed=True)
_KNOTS = np.radians(np.array([0.0, 25.0, 42.0, 56.0, 66.0, 76.0, 84.0, 93.0, 106.0, 118.0, 180.0]))


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def _hair_grid(
    shape: Shape,
    hair: Hair,
    angles: NDArray[np.float64],
    dome: NDArray[np.float64],
    fall: NDArray[np.float64],
    knots: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    n, rows = angles.shape[0], dome.shape[0] + fall.shape[0]
    vertices, paint = np.empty((rows * n, 3), np.float32), np.empty((rows * n, 3), np.float32)
    h = hair.hairline
    low = min(hair.over_ear, hair.sideburn)
    edge = np.array(
        [h, h - 1.0, h - 7.0, min(h, 34.0 + hair.temple), 14.0 + hair.temple, low, low,
         hair.over_ear, hair.over_ear - 8.0, hair.bottom, hair.bottom]
    )  # fmt: skip
    if hair.over_ear < -100.0:  # long hair hangs from the temples down
        edge[4:6] = 0.45 * hair.bottom, hair.bottom
        edge[6:] = hair.bottom
    long = hair.bottom < -80.0
    for j in range(n):
        theta = angles[j]
        part = theta + hair.lopsided / 60.0 * math.exp(-((theta / 0.8) ** 2))
        line = smooth_profile(abs(part), knots, edge)
        slope = (smooth_profile(abs(part) + 0.05, knots, edge) - smooth_profile(abs(part) - 0.05, knots, edge)) / 8.0
        steep = math.sqrt(1.0 + slope * slope)
        sine, cosine = math.sin(theta), math.cos(theta)
        for i in range(rows):
            if i < dome.shape[0]:
                y = 25.0 + 94.0 * dome[i]
            else:
                y = 25.0 + (hair.bottom - 8.0 - 25.0) * fall[i - dome.shape[0]]
            sy = y
            if long and y < 0.0:
                sy = 0.0
            width, front, back = section(sy, shape)
            inside = (y - line) / steep  # millimetres inside the hair
            swell = math.sin(2.2 * theta + 0.05 * y) * math.sin(0.045 * y + 5.0 * theta)
            thick = hair.thick_top + (hair.thick_side - hair.thick_top) * min(1.0, max(0.0, (70.0 - y) / 60.0))
            thick = thick * (1.0 + 0.3 * hair.wave * swell)
            roll = min(1.0, max(0.0, inside / (3.0 + thick)))
            offset = 0.6 + (thick - 0.6) * math.sqrt(roll) if inside > 0.0 else 0.6
            if long and y < 0.0:
                hang = min(1.0, -y / 140.0)
                offset += -hair.inward * 90.0 * hang * hang
                if cosine < 0.0:
                    offset -= 26.0 * min(1.0, -y / 70.0) * (-cosine)
            fore = front if cosine >= 0.0 else back
            x, z = (width + offset) * sine, (fore + offset) * cosine
            v = i * n + j
            vertices[v, 0], vertices[v, 1], vertices[v, 2] = x, y + 0.6 * offset * max(0.0, (y - 40.0) / 80.0), z
            paint[v, 0], paint[v, 1] = 80.0 * theta, y
            cover = max(-3.0, min(1.0, inside / 5.0))
            if i >= dome.shape[0]:
                cover = min(cover, (y - hair.bottom) / 12.0)
            paint[v, 2] = cover
    return vertices, paint


def hair_mesh(shape: Shape, hair: Hair) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vertices (V, 3) of the hair for HAIR_FACES; paint (V, 3): around and along the strands, cover (-1 clear)."""
    vertices, paint = _hair_grid(shape, hair, _HAIR_ANGLES, _HAIR_DOME, _HAIR_FALL, _KNOTS)
    return vertices, paint


def _tube(path: NDArray[np.float64], radius: float, closed: bool) -> Mesh:
    """A six-sided tube along a path (N, 3)."""
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    side = np.cross(ahead, np.array([0.3, 0.9, 0.4]))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(ahead, side)
    around = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    ring = path[:, None] + radius * (np.cos(around)[:, None] * side[:, None] + np.sin(around)[:, None] * other[:, None])
    faces = grid_faces(len(path) + int(closed), 6, closed=True) % (6 * len(path))
    return ring.reshape(-1, 3).astype(np.float32), faces.astype(np.int32)


def glasses_mesh(shape: Shape, glasses: Glasses) -> Mesh:
    """Vertices (V, 3) and triangles (T, 3) of a spectacle frame before the eyes: rims, bridge and temples."""
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    power = 2.0 / glasses.square
    rim_x = glasses.half_width * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power
    rim_y = glasses.half_height * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
    front = 99.0 * shape.depth
    middle = shape.eye_x + 0.5

    def bow(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return front - 0.0045 * x * x

    parts: list[Mesh] = []
    hinge = middle + glasses.half_width
    width, _, _ = section(0.0, shape)
    for side in (-1.0, 1.0):
        x = side * (middle + rim_x)
        parts.append(_tube(np.stack([x, rim_y - 2.0, bow(x)], -1), glasses.tube, closed=True))
        along = np.linspace(0, 1, 8)
        arm_x = side * (hinge + (width + 3.0 - hinge) * np.minimum(1, along * 1.6))
        arm_z = bow(np.array([hinge]))[0] * (1 - along) - 8.0 * along
        parts.append(_tube(np.stack([arm_x, 5.0 - 3.0 * along, arm_z], -1), glasses.tube, closed=False))
    gap = np.linspace(-(middle - glasses.half_width), middle - glasses.half_width, 7)
    bridge = np.stack([gap, 3.5 - 0.02 * gap * gap, bow(gap) + 2.0], -1)
    parts.append(_tube(bridge, glasses.tube, closed=False))
    vertices = np.concatenate([v for v, _ in parts])
    starts = np.cumsum([0] + [len(v) for v, _ in parts[:-1]])
    return vertices, np.concatenate([f + s for (_, f), s in zip(parts, starts, strict=True)]).astype(np.int32)
