"""Gaussian facial component heatmaps, rendered per batch on the batch's device and never stored."""

import functools

import torch
from torch import Tensor

from src.face.points import COMPONENTS, POINTS
from src.image.sides import SIDE


@functools.cache
def membership(maps: int, device: torch.device) -> Tensor:
    """(68, M) int64 on a device: 1 where a landmark belongs to a component. Copied there once, not for every batch."""
    table = torch.zeros(POINTS, maps, dtype=torch.int64)
    for column, points in enumerate(COMPONENTS[maps].values()):
        table[list(points), column] = 1
    with torch.inference_mode(False):  # training may later use a tensor that evaluation cached
        return table.to(device, copy=True)


def component_heatmaps(
    landmarks: Tensor, visible: Tensor, maps: int, side: int, std: float, image_side: int = SIDE
) -> tuple[Tensor, Tensor]:
    """The target heatmaps of Eq. 7.5: one isotropic Gaussian kernel of peak 1 per visible landmark, merged by maximum.

    Args:
        landmarks: (B, 68, 2) x, y in pixels of the upright HR image, pixel centres at integers.
        visible: (B, 68) bool; hidden landmarks get no kernel.
        maps: M, the component scheme: 4, 5 or 68.
        side: R, the heatmaps' side in pixels.
        std: the kernels' standard deviation in pixels of the HR image (3 at 128, so 1.5 at 64).
        image_side: the HR image's side in pixels.

    Returns:
        The maps (B, M, R, R) float32 in [0, 1], and the number of visible kernels in each, (B, M) int64.
    """
    scale = side / image_side
    grid = torch.arange(side, device=landmarks.device, dtype=torch.float32)
    centres = (landmarks.float() + 0.5) * scale - 0.5  # (B, 68, 2)
    # A hidden landmark is moved so far away that its kernel is 0 everywhere.
    centres = torch.where(visible[..., None], centres, torch.full_like(centres, 1e4))
    squared = (grid - centres[..., None]).square() * (-0.5 / (std * scale) ** 2)  # (B, 68, 2, R)
    log_x, log_y = squared[:, :, 0], squared[:, :, 1]  # (B, 68, R)

    rendered = []
    for points in COMPONENTS[maps].values():
        members = list(points)
        # max exp(-d) = exp(max(-d)): the exponential is computed once per map, not once per kernel.
        nearest = log_y[:, members[0], :, None] + log_x[:, members[0], None, :]
        for point in members[1:]:
            torch.maximum(nearest, log_y[:, point, :, None] + log_x[:, point, None, :], out=nearest)
        rendered.append(nearest.exp_())
    kernels = (visible[..., None] * membership(maps, visible.device)).sum(1)  # (B, 68, M) -> (B, M)
    return torch.stack(rendered, 1), kernels
