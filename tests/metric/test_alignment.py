import pytest
import torch

from src.image.warp import similarity_matrix
from src.metric.alignment import angle_error


def test_angle_error_is_in_degrees_and_wraps() -> None:
    def turned(degrees: list[float], scale: float = 1.0) -> torch.Tensor:
        angle = torch.deg2rad(torch.tensor(degrees))
        return similarity_matrix(angle, torch.full_like(angle, scale), torch.zeros_like(angle), torch.ones_like(angle))

    error = angle_error(turned([10.0, -20.0, 179.0], 0.9), turned([4.0, 10.0, -179.0]))
    assert error.tolist() == pytest.approx([6.0, 30.0, 2.0], abs=1e-3)
