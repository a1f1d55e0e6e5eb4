"""How well an estimated transform fits the known one."""

from typing import Final

import torch
from torch import Tensor

from src.image.warp import angle_of
from src.metric.metric import Judged, Metric


def angle_error(matrix: Tensor, true_matrix: Tensor) -> Tensor:
    """How far the estimated rotation angle is from the true one, degrees in [0, 180]: (B, 2, 3) twice -> (B,)."""
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
        "Angle error: between the rotation of the estimated transform and that of the known one, in degrees.",
        _angle_error,
        higher_is_better=False,
        in_validation=True,
        place=50,
    ),
)
