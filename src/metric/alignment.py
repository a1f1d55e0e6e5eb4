"""The angle error: how far the estimated rotation is from the known one."""

from typing import Final

import torch
from torch import Tensor

from src.image.warp import angle_of
from src.metric.metric import Judged, Metric


def angle_error(matrix: Tensor, true_matrix: Tensor) -> Tensor:
    """Difference of the estimated and the true rotation angle, degrees in [0, 180]: (B, 2, 3) twice -> (B,)."""
    difference = torch.rad2deg(angle_of(matrix.detach().float()) - angle_of(true_matrix.float()))
    return ((difference + 180) % 360 - 180).abs()


def _angle_error(judged: Judged) -> Tensor | None:
    return None if judged.output.matrix is None else angle_error(judged.output.matrix, judged.pairs.matrix)


METRICS: Final = (
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
