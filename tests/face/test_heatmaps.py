import math

import pytest
import torch

from src.face.heatmaps import component_heatmaps
from src.face.points import COMPONENTS


def render(landmarks: torch.Tensor, visible: torch.Tensor, side: int = 64, std: float = 3.0, maps: int = 4):  # noqa: ANN201
    return component_heatmaps(landmarks[None], visible[None], maps, side, std)


def lone_point(x: float, y: float, point: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    landmarks, visible = torch.zeros(68, 2), torch.zeros(68, dtype=torch.bool)
    landmarks[point], visible[point] = torch.tensor([x, y]), True
    return landmarks, visible


def test_a_kernel_has_peak_1_at_its_landmark_and_its_std() -> None:
    # Pixel centre 20.5 of the 128 grid is pixel centre 10 of the 64 grid.
    maps, kernels = render(*lone_point(20.5, 40.5))
    nose = maps[0, 1]
    assert nose[20, 10] == pytest.approx(1.0)
    assert nose[20, 13] == pytest.approx(math.exp(-(3**2) / (2 * 1.5**2)), rel=1e-5)
    assert kernels[0].tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("side", [16, 32, 64, 128])
def test_the_centre_of_mass_is_the_landmark_at_every_resolution(side: int) -> None:
    x, y = 70.3, 51.8
    maps, _ = render(*lone_point(x, y), side=side, std=8.0)
    nose, grid = maps[0, 1], torch.arange(side, dtype=torch.float32)
    mean_x, mean_y = ((nose.sum(dim) * grid).sum() / nose.sum() for dim in (0, 1))
    assert (mean_x + 0.5) * 128 / side - 0.5 == pytest.approx(x, abs=0.1)
    assert (mean_y + 0.5) * 128 / side - 0.5 == pytest.approx(y, abs=0.1)


def test_kernels_merge_by_maximum_not_by_sum() -> None:
    landmarks, visible = torch.full((68, 2), 63.5), torch.ones(68, dtype=torch.bool)
    maps, kernels = render(landmarks, visible, side=128, std=3.0)
    assert maps.max() <= 1.0
    assert kernels[0].tolist() == [22, 9, 20, 17]


def test_hidden_landmarks_leave_no_trace() -> None:
    landmarks, visible = torch.full((68, 2), 40.0), torch.ones(68, dtype=torch.bool)
    visible[list(COMPONENTS[4]["chin"])] = False
    maps, kernels = render(landmarks, visible)
    assert maps[0, 3].abs().max() == 0
    assert kernels[0, 3] == 0
    assert maps[0, :3].amax((1, 2)).min() > 0.5


def test_68_maps_are_one_landmark_each() -> None:
    landmarks = torch.rand(68, 2) * 100 + 10
    maps, kernels = render(landmarks, torch.ones(68, dtype=torch.bool), side=128, maps=68)
    peaks = maps[0].flatten(1).argmax(1)
    found = torch.stack([peaks % 128, peaks // 128], 1)
    assert (found - landmarks).abs().max() <= 0.5
    assert torch.all(kernels == 1)
