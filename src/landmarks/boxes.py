"""Face boxes in pixel edges: the box for given landmarks, overlap, removal of duplicates, and tiles of a picture."""

import math

import numpy as np
from numpy.typing import NDArray

from src.image.crop import FaceBox

# Offsets of a detector's box from the box of the 68 landmarks (edges of its outermost pixels), as shares of the
# latter's width and height: about the medians of rfb320.onnx's boxes in the 870 pictures of helen_train, all of which
# it found (0.026, -0.259, -0.022, 0.013; standard deviations 0.04 to 0.07). The landmarks lack the forehead.
LEFT, TOP, RIGHT, BOTTOM = 0.025, -0.26, -0.025, 0.01
NESTED = 0.7  # a box with this share of its area inside a larger box is a part of that face
TILE_OVERLAP = 0.25  # of a tile: a smaller face is complete in at least one tile


def face_box(points: NDArray[np.float32]) -> FaceBox:
    """The box that a face detector would draw around 68 landmarks.

    Args:
        points: (K, 2) in pixels, pixel centres at integers; a row of NaN is an unknown landmark.

    Returns:
        x0, y0, x1, y1 in pixel edges.
    """
    x0, y0 = np.nanmin(points, axis=0).astype(float).tolist()
    x1, y1 = (np.nanmax(points, axis=0).astype(float) + 1).tolist()
    width, height = x1 - x0, y1 - y0
    return x0 + LEFT * width, y0 + TOP * height, x1 + RIGHT * width, y1 + BOTTOM * height


def usable(box: FaceBox) -> bool:
    """Whether a box is finite and has a positive width and height."""
    return all(map(math.isfinite, box)) and box[2] > box[0] and box[3] > box[1]


def area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The areas of boxes, (N, 4) -> (N,)."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def intersection(box: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The area that a box (4,) shares with each of (N, 4)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared: NDArray[np.float64] = np.prod((high - low).clip(0), axis=1)
    return shared


def distinct(boxes: NDArray[np.float64], scores: NDArray[np.float64], overlap: float) -> NDArray[np.intp]:
    """One box per face: non-maximum suppression, then removal of boxes inside another.

    Args:
        boxes: (N, 4).
        scores: (N,), or other numbers that are higher for preferred boxes.
        overlap: of two boxes with a larger intersection over union, the one with the lower score is dropped.

    Returns:
        Indices of the boxes that are kept, best first.
    """
    order, kept = np.argsort(-scores, kind="stable"), []
    areas = area(boxes)
    while order.size:
        best, order = order[0], order[1:]
        kept.append(best)
        shared = intersection(boxes[best], boxes[order])
        order = order[shared <= overlap * (areas[best] + areas[order] - shared)]
    found = np.array(kept, np.intp)
    inside = [
        bool(((intersection(boxes[one], boxes[found]) > NESTED * areas[one]) & (areas[found] > areas[one])).any())
        for one in found
    ]
    outer: NDArray[np.intp] = found[~np.array(inside, bool)]
    return outer


def tiles(width: int, height: int, tile: tuple[float, float]) -> list[tuple[int, int, int, int]]:
    """Evenly spaced boxes of about the size `tile` that cover a picture; neighbours overlap by a quarter or more."""

    def spans(length: int, part: float) -> list[tuple[int, int]]:
        size = min(math.ceil(part), length)
        count = 1 + math.ceil((length - size) / (size * (1 - TILE_OVERLAP)))
        starts = [round(index * (length - size) / max(count - 1, 1)) for index in range(count)]
        return [(start, start + size) for start in starts]

    return [(x0, y0, x1, y1) for y0, y1 in spans(height, tile[1]) for x0, x1 in spans(width, tile[0])]
