"""Conversion between 8-bit images and tensors in [-1, 1], and bicubic resizing."""

import torch
import torch.nn.functional as F
from torch import Tensor


def to_network(images: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in [-1, 1]."""
    # In place: new memory for each step takes twice as long.
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1)


def to_bytes(images: Tensor) -> Tensor:
    """(B, 3, H, W) in [-1, 1], clamped -> (B, H, W, 3) uint8."""
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1)


def quantise(images: Tensor) -> Tensor:
    """Images in [-1, 1] rounded to the 256 levels of an 8-bit file and clamped."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def reduced(images: Tensor, height: int, width: int) -> Tensor:
    """Anti-aliased bicubic reduction, neither clamped nor rounded: (B, C, H, W) -> (B, C, height, width)."""
    return F.interpolate(images, (height, width), mode="bicubic", align_corners=False, antialias=True)


def downsample(images: Tensor, side: int) -> Tensor:
    """Anti-aliased bicubic reduction, clamped and rounded to 8 bits: (B, 3, H, W) -> (B, 3, side, side) in [-1, 1]."""
    return quantise(reduced(images, side, side))


def enlarged(images: Tensor, side: int) -> Tensor:
    """Bicubic enlargement, not clamped: (B, C, h, w) -> (B, C, side, side)."""
    return F.interpolate(images, (side, side), mode="bicubic", align_corners=False)


def upsample_bicubic(lr: Tensor, side: int) -> Tensor:
    """The bicubic baseline: (B, 3, h, w) -> (B, 3, side, side) in [-1, 1], clamped."""
    return enlarged(lr, side).clamp(-1, 1)
