"""Targets in the frame that a generator has chosen: the HR face, moved to where its estimated transform puts it."""

import torch
from torch import Tensor

from src.data.batch import Pairs
from src.face.heatmaps import component_heatmaps
from src.image.sides import SIDE
from src.image.warp import compose, invert, product


def hr_in_own_frame(pairs: Pairs, matrix: Tensor) -> Tensor:
    """The HR faces, sampled from their surroundings where an estimated transform puts them.

    A generator whose transform is off by a little restores a face that is off by as little. Compared with the HR face
    in its true place it can only be punished for that, and learns to blur; compared with this it is not.

    Args:
        pairs: B faces with their surroundings.
        matrix: (B, 2, 3), the estimated transform: upright output to unaligned input coordinates.

    Returns:
        (B, 3, 128, 128) in [-1, 1], without gradients to `matrix`.
    """
    assert pairs.surroundings is not None
    return pairs.surroundings.sample(output_to_hr(pairs, matrix))


def output_to_hr(pairs: Pairs, matrix: Tensor) -> Tensor:
    """The map from an output's coordinates to the HR face's: (true transform)^-1 after the estimated one, detached."""
    return compose(invert(pairs.matrix), matrix.detach().float())


def landmarks_in_own_frame(pairs: Pairs, matrix: Tensor) -> Tensor:
    """Where the HR face's landmarks lie in the output of an estimated transform (B, 2, 3): (B, 68, 2) in its pixels."""
    to_output = invert(output_to_hr(pairs, matrix))
    places = (pairs.landmarks.float() + 0.5) / (SIDE / 2) - 1  # normalised, (B, 68, 2)
    places = product(places, to_output[:, :, :2].transpose(1, 2)) + to_output[:, None, :, 2]
    return (places + 1) * (SIDE / 2) - 0.5


def in_own_frame(pairs: Pairs, matrix: Tensor, std: float) -> Pairs:
    """The same pairs with image, landmarks and heatmaps as targets in the frame of an estimated transform.

    Args:
        pairs: B faces with their surroundings; `pairs.matrix` stays the true transform.
        matrix: (B, 2, 3), the estimated one.
        std: the heatmap kernels' standard deviation in pixels of the HR image.
    """
    landmarks = landmarks_in_own_frame(pairs, matrix)
    heatmaps = kernels = None
    if pairs.heatmaps is not None:
        maps, side = pairs.heatmaps.shape[1], pairs.heatmaps.shape[-1]
        heatmaps, kernels = component_heatmaps(landmarks, pairs.visible, maps, side, std)
    with torch.no_grad():
        hr = hr_in_own_frame(pairs, matrix)
    return pairs._replace(hr=hr, landmarks=landmarks, heatmaps=heatmaps, kernels=kernels)
