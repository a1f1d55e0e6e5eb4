"""Similarity transforms and image warps in normalised coordinates.

x and y run from -1 at the left or upper edge of an image to 1 at the right or lower edge (`align_corners=False`
everywhere), so one matrix serves every resolution. A 2x3 matrix maps output to input coordinates, as
`torch.nn.functional.affine_grid` expects.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from src.image.sides import SIDE


def similarity_matrix(angle: Tensor, scale: Tensor, shift_x: Tensor, shift_y: Tensor) -> Tensor:
    """The 2x3 matrix `x -> scale * R(angle) x + shift`.

    Args:
        angle: (B,) radians; positive turns the x axis towards the y axis (clockwise on the screen).
        scale: (B,).
        shift_x: (B,) in normalised units (half an image side is 1).
        shift_y: (B,) likewise.

    Returns:
        (B, 2, 3).
    """
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    return torch.stack([torch.stack([cos, -sin, shift_x], -1), torch.stack([sin, cos, shift_y], -1)], -2)


def invert(matrix: Tensor) -> Tensor:
    """The inverse of similarity matrices, (B, 2, 3) -> (B, 2, 3)."""
    linear, shift = matrix[..., :2], matrix[..., 2:]
    squared_scale = linear[..., 0, :1, None].square() + linear[..., 1, :1, None].square()
    inverse = linear.transpose(-1, -2) / squared_scale
    return torch.cat([inverse, -product(inverse, shift)], -1)


def angle_of(matrix: Tensor) -> Tensor:
    """The rotation angle of similarity matrices in radians, (B, 2, 3) -> (B,)."""
    return torch.atan2(matrix[..., 1, 0], matrix[..., 0, 0])


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """The map that applies `inner`, then `outer`: (B, 2, 3) twice -> (B, 2, 3)."""
    linear = product(outer[..., :2], inner[..., :2])
    shift = product(outer[..., :2], inner[..., 2:]) + outer[..., 2:]
    return torch.cat([linear, shift], -1)


def mirrored(matrix: Tensor) -> Tensor:
    """The similarity (B, 2, 3) of the left-right mirrored picture: angle and horizontal shift change their signs."""
    return matrix * matrix.new_tensor([[1.0, -1.0, -1.0], [-1.0, 1.0, 1.0]])


def corner_distances(matrix: Tensor, true_matrix: Tensor) -> Tensor:
    """How far a transform puts each corner of the frame from its true place, normalised: 1 is half a side.

    Args:
        matrix: (B, 2, 3).
        true_matrix: (B, 2, 3).

    Returns:
        (B, 4).
    """
    corners = matrix.new_tensor([[-1, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1]], dtype=torch.float32)
    distances: Tensor = product(matrix.float() - true_matrix.float(), corners.T).norm(dim=1)
    return distances


def moved_px(matrix: Tensor, other: Tensor | None = None) -> Tensor:
    """How far two transforms put the corners of the frame apart: the mean in pixels of the 128x128 face.

    Args:
        matrix: (B, 2, 3).
        other: (B, 2, 3); None: the identity.

    Returns:
        (B,).
    """
    other = torch.eye(2, 3, device=matrix.device).expand_as(matrix) if other is None else other
    return corner_distances(matrix, other).mean(1) * (SIDE / 2)


def product(left: Tensor, right: Tensor) -> Tensor:
    """The product of small matrices, (B, I, J) and (B, J, K) or (J, K) -> (B, I, K), in their own precision.

    Under autocast `@` would compute in bfloat16, whose steps near 1 are half a pixel of 128.
    """
    return (left[..., :, :, None] * right[..., None, :, :]).sum(-2)


def warp(
    images: Tensor, matrix: Tensor, mode: str = "bilinear", outside: str = "zeros", side: int | None = None
) -> Tensor:
    """Sample images through matrices that map output to input coordinates.

    The grid and the sampling are computed in float32 for images of any type: bfloat16 has 8 bits of precision, too few
    for coordinates of 128 pixels.

    Args:
        images: (B, C, H, W).
        matrix: (B, 2, 3).
        mode: "bilinear" or "bicubic".
        outside: the values outside the images: "zeros", or "border" for the nearest border pixel.
        side: of the square output in pixels; None: the output is as large as the images.

    Returns:
        (B, C, H, W), or (B, C, side, side), in the type of `images`.
    """
    with torch.autocast(images.device.type, enabled=False):
        size = list(images.shape) if side is None else [*images.shape[:2], side, side]
        grid = F.affine_grid(matrix.float(), size, align_corners=False)
        return F.grid_sample(images.float(), grid, mode, outside, align_corners=False).to(images.dtype)


def within_input(matrix: Tensor, side: int) -> Tensor:
    """Which pixels of a square output `warp` takes from inside its input: (B, 2, 3) -> (B, 1, side, side) bool."""
    with torch.autocast(matrix.device.type, enabled=False):
        grid = F.affine_grid(matrix.float(), [len(matrix), 1, side, side], align_corners=False)
    return (grid.abs() <= 1).all(-1)[:, None]


def align(images: Tensor, matrix: Tensor) -> Tensor:
    """The upright face from an unaligned one by a known or estimated transform: the inverse of `misalign`."""
    return warp(images + 1, matrix) - 1


def align_small(images: Tensor, matrix: Tensor) -> Tensor:
    """The upright LR face, sampled from the unaligned LR face alone: all that a real aligner can do.

    Our choice: bicubic samples, border pixels beyond the input. On 16x16 faces of LFW the known transform then leaves a
    fifth of the squared error that bilinear samples and black leave.

    Args:
        images: (B, 3, h, w) in [-1, 1], unaligned.
        matrix: (B, 2, 3), upright output to unaligned input coordinates.

    Returns:
        (B, 3, h, w) in [-1, 1], clamped, not rounded.
    """
    return warp(images, matrix, "bicubic", "border").clamp(-1, 1)
