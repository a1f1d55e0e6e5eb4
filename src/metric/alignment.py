"""Errors of the estimated transform against the known one: angle, scale, shift, and the corners of the face."""

from typing import Final

import torch
from torch import Tensor

from src.image.sides import SIDE
from src.image.warp import angle_of, moved_px
from src.metric.metric import Judged, Metric


def angle_error(matrix: Tensor, true_matrix: Tensor) -> Tensor:
    """Difference of the estimated and the true rotation angle, degrees in [0, 180]: (B, 2, 3) twice -> (B,)."""
    difference = torch.rad2deg(angle_of(matrix.detach().float()) - angle_of(true_matrix.float()))
    return ((difference + 180) % 360 - 180).abs()


def _angle_error(judged: Judged) -> Tensor | None:
    return None if judged.output.matrix is None else angle_error(judged.output.matrix, judged.pairs.matrix)


def _scale_error(judged: Judged) -> Tensor | None:
    if judged.output.matrix is None:
        return None
    scale, true = (matrix.float()[:, :, 0].norm(dim=1) for matrix in (judged.output.matrix, judged.pairs.matrix))
    error: Tensor = 100 * (scale / true - 1).abs()
    return error


def _shift_error(judged: Judged) -> Tensor | None:
    if judged.output.matrix is None:
        return None
    error: Tensor = (judged.output.matrix.float() - judged.pairs.matrix)[:, :, 2].norm(dim=1) * (SIDE / 2)
    return error


def _corner_error(judged: Judged) -> Tensor | None:
    if judged.output.matrix is None:
        return None
    return moved_px(judged.output.matrix, judged.pairs.matrix)


METRICS: Final = (
    Metric(
        "scale_error_percent",
        "scale error",
        "%",
        2,
        "Scale error: by how much the estimated transform's scale is off the known one's, in per cent of it.",
        _scale_error,
        higher_is_better=False,
        aside=True,
        place=51,
    ),
    Metric(
        "shift_error_px",
        "shift error",
        "px",
        2,
        "Shift error: between the estimated and the known place of the face's centre, in pixels of a 128x128 input.",
        _shift_error,
        higher_is_better=False,
        aside=True,
        place=52,
    ),
    Metric(
        "corner_error_px",
        "corner error",
        "px",
        2,
        "Corner error: how far the estimated transform puts the four corners of the face from their known places, the "
        "mean, in pixels of a 128x128 input.",
        _corner_error,
        higher_is_better=False,
        in_validation=True,
        place=53,
    ),
    Metric(
        "angle_error_deg",
        "angle error",
        "deg",
        2,
        "Angle error: the angle between the rotations of the estimated and the known transform, in degrees.",
        _angle_error,
        higher_is_better=False,
        in_validation=True,
        place=50,
    ),
)
