"""The errors of estimated heatmaps: distances in pixels of the HR image.

A component without a visible landmark has no true place: its error is NaN, and means leave it out.
"""

from typing import Final

import torch
from torch import Tensor

from src.face.heatmaps import component_heatmaps
from src.face.points import COMPONENTS
from src.image.sides import SIDE
from src.metric.metric import Judged, Metric

FLOOR: Final = 1e-4  # share of the peak: the sub-pixel fit raises lower values to it
AUC_LIMIT: Final = 8.0
"""Pixels of the HR image, one LR pixel: a peak that is further off counts as missed."""
ROUND: Final = 0.7  # a single kernel's flatter curvature is at least this share of its sharper one


def peaks(heatmaps: Tensor) -> Tensor:
    """The peak of each map, to a fraction of a pixel, in pixels of the map.

    The logarithm of a Gaussian kernel is a parabola. It is fitted to the highest pixel and its neighbours along x and
    y, with one curvature, and moves the peak by at most half a pixel. Where kernels merge around the peak (the
    curvatures differ), or at the border, the result is the pixel itself.

    On maps rendered from real landmarks the remaining error is 0.1 pixels of the 128x128 image at R = 64, and 0.5 at
    R = 32, where the lips' landmarks share a pixel.

    Args:
        heatmaps: (B, M, R, R), any real values.

    Returns:
        (B, M, 2) x, y, pixel centres at integers.
    """
    side = heatmaps.shape[-1]
    flat = heatmaps.detach().float().flatten(2)  # (B, M, R * R)
    top, index = flat.max(-1)
    y, x = index // side, index % side

    def logarithm(column: Tensor, row: Tensor) -> Tensor:
        place = row.clamp(0, side - 1) * side + column.clamp(0, side - 1)
        return (flat.gather(2, place[..., None])[..., 0] / top).clamp(min=FLOOR).log()  # 0 at the peak

    left, right = logarithm(x - 1, y), logarithm(x + 1, y)
    above, below = logarithm(x, y - 1), logarithm(x, y + 1)
    flatter, sharper = torch.maximum(left + right, above + below), torch.minimum(left + right, above + below)
    lone = (top > 0) & (flatter < ROUND * sharper) & (x > 0) & (x < side - 1) & (y > 0) & (y < side - 1)
    shift = 0.5 * torch.stack([left - right, above - below], -1) / sharper[..., None]
    shift = torch.where(lone[..., None], shift.clamp(-0.5, 0.5), torch.zeros_like(shift))
    return torch.stack([x, y], -1) + shift


def peak_error(heatmaps: Tensor, landmarks: Tensor, visible: Tensor, image_side: int = SIDE) -> Tensor:
    """Distance from each map's peak to the nearest visible landmark of its component.

    Args:
        heatmaps: (B, M, R, R), estimated; M is one of the component schemes 4, 5 or 68.
        landmarks: (B, 68, 2) x, y in pixels of the upright HR image, pixel centres at integers.
        visible: (B, 68) bool.
        image_side: the HR image's side in pixels.

    Returns:
        (B, M) in HR pixels; NaN where the component has no visible landmark.
    """
    places = _to_image(peaks(heatmaps), heatmaps.shape[-1], image_side)  # (B, M, 2)
    errors = []
    for place, points in zip(places.unbind(1), COMPONENTS[heatmaps.shape[1]].values(), strict=True):
        members = list(points)
        distance = (landmarks[:, members].float() - place[:, None]).norm(dim=-1)  # (B, points)
        nearest = distance.masked_fill(~visible[:, members], float("inf")).amin(1)
        errors.append(nearest.masked_fill(nearest.isinf(), float("nan")))
    return torch.stack(errors, 1)


def centroid_error(heatmaps: Tensor, target: Tensor, image_side: int = SIDE) -> Tensor:
    """Distance between the centres of mass of estimated and true maps; negative estimates count as 0.

    Args:
        heatmaps: (B, M, R, R), estimated.
        target: (B, M, R, R) of `component_heatmaps`.
        image_side: the HR image's side in pixels.

    Returns:
        (B, M) in HR pixels; NaN where the true map is empty. An empty estimate counts as the middle of the image.
    """
    scale = image_side / heatmaps.shape[-1]
    distance: Tensor = (_centroids(heatmaps) - _centroids(target)).norm(dim=-1) * scale
    return distance.masked_fill(target.flatten(2).amax(-1) <= 0, float("nan"))


def _to_image(places: Tensor, side: int, image_side: int) -> Tensor:
    """Pixels of a map to pixels of the image; both have their centres at integers."""
    return (places + 0.5) * (image_side / side) - 0.5


def _centroids(heatmaps: Tensor) -> Tensor:
    """(B, M, R, R) -> (B, M, 2) x, y in pixels of the map."""
    mass = heatmaps.detach().double().clamp(min=0)
    grid = torch.arange(mass.shape[-1], device=mass.device, dtype=mass.dtype)
    total = mass.sum((2, 3))
    x, y = (mass.sum(2) * grid).sum(-1) / total, (mass.sum(3) * grid).sum(-1) / total
    middle = (mass.shape[-1] - 1) / 2
    return torch.stack([x, y], -1).where(total[..., None] > 0, torch.full_like(x, middle)[..., None])


def _peak_error(judged: Judged) -> Tensor | None:
    if not judged.output.heatmaps:
        return None
    pairs = judged.pairs
    return peak_error(judged.output.heatmaps[-1], pairs.landmarks, pairs.visible, pairs.hr.shape[-1])


def _peak_auc(judged: Judged) -> Tensor | None:
    errors = judged.once(_peak_error)
    return None if errors is None else (1 - errors / AUC_LIMIT).clamp(min=0)


def _centroid_error(judged: Judged) -> Tensor | None:
    if not judged.output.heatmaps:
        return None
    pairs, maps = judged.pairs, judged.output.heatmaps[-1]
    side = pairs.hr.shape[-1]
    target, _ = component_heatmaps(
        pairs.landmarks, pairs.visible, maps.shape[1], maps.shape[-1], judged.kernel_std, side
    )
    return centroid_error(maps, target, side)


METRICS: Final = (
    Metric(
        "heatmap_peak_px",
        "heatmap peak error",
        "px",
        2,
        "Heatmap peak error: distance from the peak of the last stack's map (sub-pixel) to the nearest visible "
        "landmark of the component, in pixels of the 128x128 image. A face that hides a component is left out of its "
        "mean.",
        lambda judged: judged.once(_peak_error),
        by_component=True,
        higher_is_better=False,
        in_validation=True,
        place=60,
    ),
    Metric(
        "heatmap_centroid_px",
        "heatmap centroid error",
        "px",
        2,
        "Heatmap centroid error: distance between the centres of mass of the last stack's map and of its target, in "
        "pixels of the 128x128 image; hidden components are left out.",
        _centroid_error,
        by_component=True,
        higher_is_better=False,
        place=61,
    ),
    Metric(
        "heatmap_auc",
        "heatmap AUC",
        "",
        3,
        f"Heatmap AUC: area under the curve of the share of faces whose heatmap peak error is below x, for x from 0 to "
        f"{AUC_LIMIT:g} pixels, divided by {AUC_LIMIT:g}. It is the mean over faces of 1 - error / {AUC_LIMIT:g}, at "
        "least 0.",
        _peak_auc,
        by_component=True,
        place=62,
    ),
)
