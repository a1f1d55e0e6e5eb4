"""The square around a found face that the network takes, and the upright face's square that it answers with."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.image.crop import FaceBox, Square, crop_square
from src.image.own_size import with_own_size
from src.image.pixels import to_network
from src.image.sides import LR_SIDE

SIDE_PER_BOX: Final = 1.5
"""Side of the network's square / root of the box's area. With CenterFace's boxes of 31 annotated faces of AFW at 14 to
42 pixels, the crop rule's own square has 1.42 to 1.47 in the median, with a standard deviation of 0.06 to 0.10 (1.25
and 0.08 to 0.13 of the box's longer side). Our choice is a little more: the face is then in the middle of the
scales of the training, 0.75 to 1.15."""
DOWN_PER_BOX: Final = 0.12
"""How far the square's centre lies below the box's, as a share of the box's height: medians of 0.11 to 0.135 there,
standard deviation 0.04, which is 3 % of the square's side; the trained shift is 10 %."""

FARTHEST: Final = 4.0
"""Our choice: how many times larger or smaller, or how many half sides away, a face may be than its square; trainings
draw 0.75 to 1.15 and 0.2."""


def square_of(box: FaceBox) -> Square:
    """The square that a face's box stands for, of whole pixels, as the training cuts its faces."""
    return whole_pixels(*place_of(box))


def place_of(box: FaceBox) -> tuple[float, float, float]:
    """The centre x and y and the side of the square that a face's box stands for, in pixel edges."""
    width, height = box[2] - box[0], box[3] - box[1]
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2 + DOWN_PER_BOX * height
    return x, y, SIDE_PER_BOX * math.sqrt(width * height)


def whole_pixels(x: float, y: float, side: float) -> Square:
    """The upright square of whole pixels nearest to one with this centre, in pixel edges."""
    whole = max(1, round(side))
    left, top = round(x - whole / 2), round(y - whole / 2)
    return Square((left, top, left + whole, top + whole))


def side_of(square: Square) -> float:
    """Side of a square in pixels of the photograph: the face's own size."""
    return square.box[2] - square.box[0]


def cut(
    image: NDArray[np.uint8], squares: Sequence[Square], side: int, own_size: tuple[int, int] | None = None
) -> Tensor:
    """The network's input for the faces of a photograph, each in one anti-aliased resampling with what surrounds it.

    Args:
        image: (H, W, 3) uint8; beyond it, its border is replicated.
        squares: B of them.
        side: of the LR faces that the network takes, in pixels.
        own_size: the smallest and the largest size that a network of side 32 may be told; None: any.

    Returns:
        (B, 3, 16, 16) in [-1, 1]; with side 32 (B, 4, 32, 32), see `with_own_size`.
    """
    lr = to_network(torch.from_numpy(np.stack([crop_square(image, square, side) for square in squares])))
    if side == LR_SIDE:
        return lr
    sizes = torch.tensor([side_of(square) for square in squares])
    return with_own_size(lr, sizes.round() if own_size is None else sizes.round().clamp(*own_size))


def upright_square(square: Square, matrix: NDArray[np.floating]) -> Square:
    """The square of the upright face on the photograph.

    Args:
        square: that the network saw.
        matrix: (2, 3), its transform: upright output to unaligned input coordinates, normalised.
    """
    (a, _, across), (b, _, down) = matrix.tolist()
    x0, y0, x1, y1 = square.box
    reach, half = (x1 - x0) / 2, math.hypot(a, b) * (x1 - x0) / 2
    cos, sin = math.cos(square.roll) * reach, math.sin(square.roll) * reach
    x, y = (x0 + x1) / 2 + cos * across - sin * down, (y0 + y1) / 2 + sin * across + cos * down
    return Square((x - half, y - half, x + half, y + half), square.roll + math.atan2(b, a))


def possible(matrix: NDArray[np.floating]) -> bool:
    """Whether a network's transform (2, 3) can be that of a face in its square; `upright_square` takes no other."""
    scale, shift = np.hypot(*matrix[:, 0].astype(float)), np.abs(matrix[:, 2]).max()
    return bool(np.isfinite(matrix).all() and 1 / FARTHEST <= scale <= FARTHEST and shift <= FARTHEST)


def moved(before: Square, after: Square) -> float:
    """How far the corners of a square are from those of another in the mean, as a share of the other's side."""
    corners = np.array([(-1, -1), (1, -1), (-1, 1), (1, 1)])
    places = []
    for square in (before, after):
        cos, sin = math.cos(square.roll), math.sin(square.roll)
        centre = np.array([square.box[0] + square.box[2], square.box[1] + square.box[3]]) / 2
        places.append(centre + corners @ np.array([[cos, sin], [-sin, cos]]) * side_of(square) / 2)
    return float(np.linalg.norm(places[1] - places[0], axis=1).mean() / side_of(after))
