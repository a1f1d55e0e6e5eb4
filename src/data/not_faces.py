"""Crops that are no faces, for a discriminator that knows them as a class."""

import math

import torch
from torch import Tensor

from src.data.batch import Pairs
from src.image.sides import SIDE
from src.image.warp import similarity_matrix, warp

SMALLEST, LARGEST = 0.25, 0.45
"""Sides of the crops, as shares of the picture that they are cut from."""


def not_faces(pairs: Pairs) -> Tensor:
    """One crop a face, at the edge of what the store shows around it, or of the face itself where it shows nothing.

    Our choice: squares of a quarter to nearly half of the picture's side, at a random place along its edge, enlarged to
    128x128. They hold hair, ears, backgrounds and halves of faces, with the light and the sharpness of the data.

    Returns:
        (B, 3, 128, 128) in [-1, 1]; drawn from torch's random state, which a resumed run restores.
    """
    around, hr = pairs.surroundings, pairs.hr
    reach = 1.0 if around is None else around.pictures.shape[1] / SIDE
    drawn = torch.rand(2, len(hr), device=hr.device)
    scale = reach * (SMALLEST + (LARGEST - SMALLEST) * drawn[0])
    direction = 2 * math.pi * drawn[1]
    x, y = direction.cos(), direction.sin()
    far = (reach - scale) / torch.maximum(x.abs(), y.abs())  # the crop touches the picture's edge
    matrix = similarity_matrix(torch.zeros_like(scale), scale, far * x, far * y)
    return warp(hr, matrix, outside="border") if around is None else around.sample(matrix)
