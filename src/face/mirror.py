"""Left-right mirroring of landmarks and visibility flags, in batches."""

import functools

import torch
from torch import Tensor

from src.face.points import MIRROR


@functools.cache
def mirror_table(device: torch.device) -> Tensor:
    """`MIRROR`, (68,) int64, on a device, copied there once: a copy per batch would make the GPU wait for the host."""
    with torch.inference_mode(False):  # training may later use a tensor that evaluation cached
        return torch.as_tensor(MIRROR, device=device)


def mirror_landmarks(landmarks: Tensor, side: int) -> Tensor:
    """Landmarks of the left-right mirrored picture: positions flipped, left and right swapped.

    Args:
        landmarks: (B, 68, 2) x, y in pixels, pixel centres at integers.
        side: the picture's width in pixels.

    Returns:
        (B, 68, 2); mirroring twice gives back the input.
    """
    swapped = landmarks[:, mirror_table(landmarks.device)]
    return torch.stack([side - 1 - swapped[..., 0], swapped[..., 1]], -1)


def mirror_visible(visible: Tensor) -> Tensor:
    """Visibility flags of the mirrored picture, (B, 68) -> (B, 68)."""
    return visible[:, mirror_table(visible.device)]
