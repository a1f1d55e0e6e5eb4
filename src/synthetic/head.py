"""The head as a surface: its cross-sections, the edge of the jaw, and the mesh of skin over it."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from src.synthetic.compiled import FAST_MATH
from src.synthetic.curves import chin_y
from src.synthetic.parameters import Shape
from src.synthetic.relief import relief

DOME_Y = 25.0  # above it the skull closes like a dome
_DOME_HEIGHT = 94.0

# Half width and front depth of the horizontal sections, by height of the neutral head (millimetres).
_LEVELS = np.array([-125.0, -111.0, -98.0, -85.0, -70.0, -47.0, -20.0, 0.0, 25.0, 60.0])
_WIDTHS = np.array([46.0, 50.0, 53.5, 57.0, 61.5, 67.5, 71.0, 72.5, 74.0, 74.0])
_FRONTS = np.array([86.0, 94.0, 98.0, 97.5, 100.0, 99.0, 95.0, 92.5, 98.0, 98.0])


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def smooth_profile(at: float, knots: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Value at `at` of the Catmull-Rom curve through (knots, values), constant outside the knots."""
    n = knots.shape[0]
    if at <= knots[0]:
        return float(values[0])
    if at >= knots[n - 1]:
        return float(values[n - 1])
    i = 0
    while at > knots[i + 1]:
        i += 1
    step = knots[i + 1] - knots[i]
    t = (at - knots[i]) / step
    before, after = max(i - 1, 0), min(i + 2, n - 1)
    m0 = (values[i + 1] - values[before]) / (knots[i + 1] - knots[before]) * step
    m1 = (values[after] - values[i]) / (knots[after] - knots[i]) * step
    t2, t3 = t * t, t * t * t
    return float(
        (2 * t3 - 3 * t2 + 1) * values[i] + (t3 - 2 * t2 + t) * m0 + (3 * t2 - 2 * t3) * values[i + 1] + (t3 - t2) * m1
    )


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def section(y: float, shape: Shape) -> tuple[float, float, float]:
    """Half width, front depth and back depth of the skull at height y, without features."""
    neutral = y
    if y < shape.mouth_y:  # the jaw below the mouth stretches as it opens
        neutral = shape.mouth_y + (y - shape.mouth_y) * (shape.mouth_y + 111.4) / (shape.mouth_y - chin_y(shape))
    width = smooth_profile(neutral, _LEVELS, _WIDTHS)
    front = smooth_profile(neutral, _LEVELS, _FRONTS)
    back = 98.0
    low = min(1.0, max(0.0, -(neutral + 10.0) / 80.0))
    width *= shape.width * (1.0 + (shape.jaw - 1.0) * low)
    front -= 0.12 * shape.mouth_open * low
    back -= 42.0 * low
    if y > DOME_Y:
        rise = min(1.0, (y - DOME_Y) / _DOME_HEIGHT)
        close = (1.0 - rise**2.3) ** (1 / 2.1)
        width *= close
        front = (front + shape.forehead * rise) * close
        back *= close
    return width, front * shape.depth, back * shape.depth


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def jaw_edge(theta: float, shape: Shape) -> float:
    """Height of the jaw's lower edge at longitude theta (radians from the front); behind the ear, the nape's."""
    a = abs(theta)
    chin = chin_y(shape)
    corner = -70.0 - 0.35 * shape.chin_drop - 0.15 * shape.mouth_open
    if a < 1.4:
        t = a / 1.4
        # Flat under the chin, then a straight rise to the corner of the jaw.
        return chin + (corner - chin) * (0.85 * t * t + 0.15 * t**4 + 0.4 * t * t * (1 - t) * (2.0 - shape.chin_width))
    t = min(1.0, (a - 1.4) / 0.5)
    return corner + (-58.0 - corner) * t * t * (3 - 2 * t)


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def surface(theta: float, y: float, shape: Shape) -> tuple[float, float, float, float]:
    """Point (x, y, z) of the head at longitude theta and unrolled height y, and its unrolled x."""
    width, front, back = section(y, shape)
    sine, cosine = math.sin(theta), math.cos(theta)
    x = width * sine
    if cosine < 0.0:
        flat = width * (2.0 - abs(sine)) if sine >= 0 else -width * (2.0 - abs(sine))
        return x, y, back * cosine, flat
    dy, dz = relief(x, y, shape)
    return x, y + dy, front * cosine + dz, x


def _columns() -> NDArray[np.float64]:
    """Longitudes of the mesh columns, dense over nose and mouth."""
    half = np.concatenate([np.arange(0, 17, 1.4), np.arange(17.5, 55, 2.2), np.arange(56, 179, 6.0)])
    return np.asarray(np.radians(np.concatenate([-half[:0:-1], half])))


def _rows() -> NDArray[np.float64]:
    """Positions of the face rows between dome (0) and jaw edge (1), dense from the nose's tip to the lower lip."""
    return np.concatenate([np.arange(0, 0.40, 0.022), np.arange(0.40, 0.82, 0.0145), np.linspace(0.82, 1, 10)])


COLUMNS, ROWS = _columns(), _rows()
_DOME_ROWS = np.concatenate([np.array([1.0, 0.97, 0.9]), np.linspace(0.8, 0.06, 12)])
_UNDER = np.array([(0.965, -1.6), (0.90, -1.6), (0.78, 1.0), (0.62, 5.0), (0.45, 10.0)])  # scale inwards, rise


def grid_faces(rows: int, columns: int, closed: bool) -> NDArray[np.int32]:
    """Triangles (T, 3) of a grid whose rows run downwards and columns to image right, seen from its outside."""
    span = columns if closed else columns - 1
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(span), indexing="ij")
    a, b = i * columns + j, i * columns + (j + 1) % columns
    c, d = a + columns, b + columns
    return np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)]).astype(
        np.int32
    )


HEAD_FACES = grid_faces(len(_DOME_ROWS) + len(ROWS) + len(_UNDER), len(COLUMNS), closed=True)


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def _head_grid(
    shape: Shape,
    columns: NDArray[np.float64],
    dome: NDArray[np.float64],
    rows: NDArray[np.float64],
    under: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    n = columns.shape[0]
    total = dome.shape[0] + rows.shape[0] + under.shape[0]
    vertices, paint = np.empty((total * n, 3), np.float32), np.empty((total * n, 2), np.float32)
    for j in range(n):
        edge = jaw_edge(columns[j], shape)
        x = z = y = flat = 0.0
        for i in range(dome.shape[0] + rows.shape[0]):
            if i < dome.shape[0]:
                level = DOME_Y + _DOME_HEIGHT * dome[i]
            else:
                level = DOME_Y + (edge - DOME_Y) * rows[i - dome.shape[0]]
            x, y, z, flat = surface(columns[j], level, shape)
            v = i * n + j
            vertices[v, 0], vertices[v, 1], vertices[v, 2] = x, y, z
            paint[v, 0], paint[v, 1] = flat, level
        for k in range(under.shape[0]):
            v = (dome.shape[0] + rows.shape[0] + k) * n + j
            scale = under[k, 0]
            vertices[v, 0], vertices[v, 1], vertices[v, 2] = x * scale, y + under[k, 1], z * scale
            paint[v, 0], paint[v, 1] = flat * scale, edge - 3.0 - 30.0 * (1.0 - scale)
    return vertices, paint


def head_mesh(shape: Shape) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vertices (V, 3) of the head for HEAD_FACES, millimetres, and their paint coordinates (V, 2)."""
    vertices, paint = _head_grid(shape, COLUMNS, _DOME_ROWS, ROWS, _UNDER)
    return vertices, paint
