import math

import pytest
import torch

from src.data.batch import Pairs
from src.face.heatmaps import component_heatmaps
from src.metric.heatmap import METRICS, centroid_error, peak_error, peaks
from src.metric.metric import Judged, score
from src.model.output import Upscaled


def face(seed: int = 0, faces: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(faces, 68, 2, generator=random) * 100 + 14, torch.rand(faces, 68, generator=random) > 0.3


@pytest.mark.parametrize("side", [32, 64, 128])
def test_the_peak_of_a_rendered_landmark_is_the_landmark(side: int) -> None:
    landmarks, visible = face()
    maps, _ = component_heatmaps(landmarks, visible, 68, side, std=3.0)
    error = peak_error(maps, landmarks, visible)
    assert error.isnan().equal(~visible)
    assert error.nan_to_num().max() < 0.1  # alone in its map, a kernel is fitted below a pixel


@pytest.mark.parametrize(("side", "most"), [(32, 1.0), (64, 0.5), (128, 0.1)])
def test_the_peak_of_merged_kernels_is_near_one_of_them(side: int, most: float) -> None:
    # Points 3.7 pixels apart, as in a real face's components, so their kernels overlap.
    angle = torch.linspace(0, 2 * math.pi, 69)[:-1]
    ring = torch.stack([64 + 40 * angle.cos(), 64 + 40 * angle.sin()], -1)
    landmarks = ring + torch.rand(64, 68, 2, generator=torch.Generator().manual_seed(1))
    visible = torch.ones(64, 68, dtype=torch.bool)
    maps, _ = component_heatmaps(landmarks, visible, 4, side, std=3.0)
    assert peak_error(maps, landmarks, visible).mean() < most


def test_a_shifted_map_is_as_far_off_as_it_was_shifted() -> None:
    landmarks = torch.full((1, 68, 2), 63.5)
    visible = torch.ones(1, 68, dtype=torch.bool)
    maps, _ = component_heatmaps(landmarks, visible, 4, 64, std=3.0)
    shifted = maps.roll((3, 4), (2, 3))  # 3 down, 4 right on the 64 grid: 6 and 8 pixels of the image
    assert peak_error(shifted, landmarks, visible).flatten().tolist() == pytest.approx([10.0] * 4, abs=0.05)
    assert centroid_error(shifted, maps).flatten().tolist() == pytest.approx([10.0] * 4, abs=0.05)


def test_a_hidden_component_has_no_error() -> None:
    landmarks, visible = face(faces=2)
    visible[:] = True
    visible[0, 27:36] = False  # no nose
    maps, _ = component_heatmaps(landmarks, visible, 4, 64, std=3.0)
    wanted = torch.tensor([[False, True, False, False], [False] * 4])
    assert peak_error(maps, landmarks, visible).isnan().equal(wanted)
    assert centroid_error(maps, maps).isnan().equal(wanted)


def test_only_visible_landmarks_are_near() -> None:
    landmarks, visible = torch.full((1, 68, 2), 20.0), torch.ones(1, 68, dtype=torch.bool)
    landmarks[0, 0] = 100.0
    visible[0, 0] = False
    maps = torch.zeros(1, 4, 128, 128)
    maps[..., 100, 100] = 1.0  # a peak on the hidden landmark of the chin
    assert peak_error(maps, landmarks, visible)[0, 3].item() == pytest.approx(80 * math.sqrt(2), abs=1e-3)


def test_peaks_are_x_then_y_and_hold_at_the_border_and_below_zero() -> None:
    maps = torch.full((1, 2, 8, 8), -1.0)
    maps[0, 0, 2, 7] = 5.0  # row 2, column 7
    maps[0, 1, 0, 3] = -0.5  # a map without a positive value
    assert peaks(maps)[0].tolist() == [[7.0, 2.0], [3.0, 0.0]]


def test_an_empty_estimate_is_the_middle_of_the_image_and_negatives_weigh_nothing() -> None:
    landmarks, visible = torch.full((1, 68, 2), 63.5), torch.ones(1, 68, dtype=torch.bool)
    target, _ = component_heatmaps(landmarks, visible, 4, 64, std=3.0)
    assert centroid_error(torch.zeros_like(target), target).max() < 1e-4
    background = target.clone()
    background[..., :10] = -5.0
    assert centroid_error(background, target).max() < 1e-4


def test_the_auc_is_the_area_under_the_curve_of_errors_below_x() -> None:
    landmarks = torch.full((5, 68, 2), 64.0)
    visible = torch.ones(5, 68, dtype=torch.bool)
    moved = landmarks + torch.tensor([0.0, 1.0, 3.0, 6.0, 30.0])[:, None, None] * torch.tensor([1.0, 0.0])
    maps, _ = component_heatmaps(moved, visible, 4, 64, 3.0)
    images = torch.zeros(5, 3, 128, 128)
    pairs = Pairs(images, images, torch.eye(2, 3).expand(5, 2, 3), None, None, landmarks, visible)
    judged = Judged(Upscaled(images, [maps], None), pairs)
    found = score(judged, METRICS)
    errors = found["heatmap_peak_px"][:, 0].double()
    x = torch.linspace(0, 8, 8001, dtype=torch.float64)
    area = (errors[:, None] < x).double().mean(0).mean()
    assert found["heatmap_auc"][:, 0].mean().item() == pytest.approx(area.item(), abs=1e-3)
    assert found["heatmap_auc"][4].tolist() == [0.0] * 4
    assert found["heatmap_auc"][0].tolist() == pytest.approx([1.0] * 4, abs=0.05)
