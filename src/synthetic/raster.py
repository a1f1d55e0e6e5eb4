"""Rasterisation of triangles: a canvas with depth, filled with the nearest surface."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from src.synthetic.compiled import FAST_MATH

# What a pixel shows.
NOTHING, SKIN, EAR, BODY, HAIR, FRAME = 0, 1, 2, 3, 4, 5
FAR = -1.0e4


class Canvas:
    """Depth and attributes of the nearest surface at every pixel of a square picture.

    depth (S, S) float32, millimetres to the viewer, FAR where nothing is; material (S, S) uint8; cover (S, S) float32,
    -1 clear to 1 opaque; attributes (S, S, 5) float32, normal x y z in camera axes and the two paint coordinates,
    undefined where nothing is.
    """

    def __init__(self, side: int) -> None:
        self.depth = np.full((side, side), FAR, np.float32)
        self.material = np.zeros((side, side), np.uint8)
        self.cover = np.full((side, side), -1, np.float32)
        self.attributes = np.empty((side, side, 5), np.float32)


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def vertex_normals(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """Unit normals (V, 3), area-weighted over the faces that meet at a vertex."""
    normals = np.zeros((vertices.shape[0], 3), np.float32)
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = (vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2])
        bx, by, bz = (vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2])
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for v in (i, j, k):
            normals[v, 0] += nx
            normals[v, 1] += ny
            normals[v, 2] += nz
    for v in range(normals.shape[0]):
        length = np.sqrt(normals[v, 0] ** 2 + normals[v, 1] ** 2 + normals[v, 2] ** 2) + 1e-9
        normals[v] /= length
    return normals


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def fill(
    screen: NDArray[np.float32],
    attributes: NDArray[np.float32],
    faces: NDArray[np.int32],
    material: int,
    two_sided: bool,
    depth: NDArray[np.float32],
    materials: NDArray[np.uint8],
    covers: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Draw triangles into a canvas; the nearest wins.

    screen (V, 3): column, row (pixel centres at integers) and depth to the viewer; attributes (V, 6). Faces wind
    counter-clockwise seen from outside with y up. Where the interpolated cover is below -1 nothing is drawn.
    """
    side = depth.shape[0]
    for f in range(faces.shape[0]):
        # Unsigned: every access by a signed index is checked for a negative one.
        i, j, k = np.uint64(faces[f, 0]), np.uint64(faces[f, 1]), np.uint64(faces[f, 2])
        x0, y0, x1, y1, x2, y2 = screen[i, 0], screen[i, 1], screen[j, 0], screen[j, 1], screen[k, 0], screen[k, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        facing = area < 0.0  # rows grow downwards, so the front winds clockwise on the screen
        if area == 0.0 or not (facing or two_sided):
            continue
        left, right = max(0, int(np.ceil(min(x0, x1, x2)))), min(side - 1, int(np.floor(max(x0, x1, x2))))
        top, bottom = max(0, int(np.ceil(min(y0, y1, y2)))), min(side - 1, int(np.floor(max(y0, y1, y2))))
        if left > right or top > bottom:
            continue
        inverse = 1.0 / area
        z0, z1, z2 = screen[i, 2], screen[j, 2], screen[k, 2]
        frayed = min(attributes[i, 5], attributes[j, 5], attributes[k, 5]) < 1.0
        sign = np.float32(1.0) if facing else np.float32(-1.0)
        bx, by = (y2 - y0) * inverse, -(x2 - x0) * inverse  # slopes of the weights b and c
        cx, cy = -(y1 - y0) * inverse, (x1 - x0) * inverse
        for row in range(np.uint64(top), np.uint64(bottom + 1)):
            b_row = by * (row - y0) - bx * x0
            c_row = cy * (row - y0) - cx * x0
            for column in range(np.uint64(left), np.uint64(right + 1)):
                b = bx * column + b_row
                c = cx * column + c_row
                a = 1.0 - b - c
                if a < 0.0 or b < 0.0 or c < 0.0:
                    continue
                z = a * z0 + b * z1 + c * z2
                if z <= depth[row, column]:
                    continue
                fa, fb, fc = np.float32(a), np.float32(b), np.float32(c)
                cover = np.float32(1.0)
                if frayed:
                    cover = fa * attributes[i, 5] + fb * attributes[j, 5] + fc * attributes[k, 5]
                    if cover < -1.0:
                        continue
                depth[row, column] = z
                materials[row, column] = material
                covers[row, column] = cover
                for n in range(3):
                    out[row, column, n] = sign * (fa * attributes[i, n] + fb * attributes[j, n] + fc * attributes[k, n])
                for n in range(3, 5):
                    out[row, column, n] = fa * attributes[i, n] + fb * attributes[j, n] + fc * attributes[k, n]


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def hide(
    points: NDArray[np.float32],
    slack: NDArray[np.float32],
    screen: NDArray[np.float32],
    faces: NDArray[np.int32],
    side: int,
    hidden: NDArray[np.bool_],
) -> None:
    """Mark in `hidden` (N,) the points behind a triangle of the mesh, by one ray per point, without rounding to pixels.

    points (N, 3) and screen (V, 3): column, row and depth to the viewer, columns and rows within a picture of `side`
    pixels; a triangle must be nearer by slack (N,).
    """
    # Few triangles share a cell with a point; a look-up skips all others.
    cell = 4.0
    count = int(side / cell) + 2
    busy = np.zeros((count, count), np.bool_)
    for n in range(points.shape[0]):
        busy[int(points[n, 1] / cell + 1), int(points[n, 0] / cell + 1)] = True
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        x0, y0, x1, y1, x2, y2 = screen[i, 0], screen[i, 1], screen[j, 0], screen[j, 1], screen[k, 0], screen[k, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if not area < 0.0:  # a back face: closed skin has a front face before it
            continue
        left, right = max(0, int(min(x0, x1, x2) / cell + 1)), min(count - 1, int(max(x0, x1, x2) / cell + 1))
        top, bottom = max(0, int(min(y0, y1, y2) / cell + 1)), min(count - 1, int(max(y0, y1, y2) / cell + 1))
        near = False
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                near = near or busy[row, column]
        if not near:
            continue
        for n in range(points.shape[0]):
            x, y = points[n, 0], points[n, 1]
            b = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) / area
            c = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) / area
            if b >= 0.0 and c >= 0.0 and b + c <= 1.0:
                z = (1.0 - b - c) * screen[i, 2] + b * screen[j, 2] + c * screen[k, 2]
                if z > points[n, 2] + slack[n]:
                    hidden[n] = True
