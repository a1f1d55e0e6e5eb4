"""LR faces that carry the size that they had in their photograph, as a fourth channel."""

import torch
import torch.nn.functional as F
from torch import Tensor

from src.image.pixels import downsample
from src.image.sides import LR_SIDE, OWN_LR_SIDE

FOLDED: dict[int, int] = {LR_SIDE: 3, OWN_LR_SIDE: 13}
"""Channels of `folded` by the side of the LR face."""


def with_own_size(lr: Tensor, size: Tensor | int) -> Tensor:
    """LR faces with a map of their own size.

    Args:
        lr: (B, 3, 32, 32) in [-1, 1], resampled from the face's own pixels.
        size: (B,), the side that the face had, in pixels; or one for all.

    Returns:
        (B, 4, 32, 32): the last channel is log2(size / 16), constant over the picture, -1 to 2 for 8 to 64 pixels.
    """
    size = torch.full_like(lr[:, 0, 0, 0], size) if isinstance(size, int) else size.to(lr.dtype)
    octaves = torch.log2(size / LR_SIDE)[:, None, None, None]
    return torch.cat([lr, octaves.expand(-1, 1, *lr.shape[2:])], 1)


def as_own_size(lr: Tensor) -> Tensor:
    """16x16 faces (B, 3, 16, 16) as a network for many sizes takes them: enlarged to 32x32, of own size 16."""
    return with_own_size(downsample(lr, OWN_LR_SIDE), LR_SIDE)


def folded(lr: Tensor) -> Tensor:
    """LR faces at 16x16: as they are, or (B, 4, 32, 32) with each 2x2 pixels in 12 channels, and the size's map.

    Returns:
        (B, 3, 16, 16) or (B, 13, 16, 16).
    """
    if lr.shape[-1] == LR_SIDE:
        return lr
    return torch.cat([F.pixel_unshuffle(lr[:, :3], 2), lr[:, 3:, ::2, ::2]], 1)


def check_lr(lr: Tensor, side: int, network: str) -> None:
    """ValueError unless the LR faces are those that a network takes."""
    shape = (3 if side == LR_SIDE else 4, side, side)
    if lr.shape[1:] != shape:
        raise ValueError(f"{network} takes (B, {', '.join(map(str, shape))}), not {tuple(lr.shape)}")
