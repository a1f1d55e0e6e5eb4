from pathlib import Path

import numpy as np
import pytest
import torch

from src.data.batch import Pairs
from src.metric.landmark_nme import LandmarkNME, build_backend, detect_points, find_points, nme
from src.metric.metric import Judged
from src.model.output import Upscaled
from src.system.errors import UserError
from tests.helpers.tiny_onnx import constant_detector, constant_network

ALL = np.ones(68, bool)


def face() -> np.ndarray:
    """68 points in a 128x128 picture whose outer eye corners are 40 pixels apart."""
    points = np.random.default_rng(0).uniform(20, 100, (68, 2)).astype(np.float32)
    points[36], points[45] = (40.0, 50.0), (80.0, 50.0)
    return points


def test_it_is_the_hand_worked_case() -> None:
    truth, found = face(), face()
    found[0] += (3.0, 4.0)  # 5 px
    found[67] += (0.0, 12.0)
    # (5 + 12) / 68 pixels by 40 pixels between points 36 and 45.
    assert nme(found, truth, ALL) == pytest.approx(100 * 17 / 68 / 40, abs=1e-4)
    hidden = ALL.copy()
    hidden[67] = False
    assert nme(found, truth, hidden) == pytest.approx(100 * 5 / 67 / 40, abs=1e-4)
    hidden[36] = False
    assert np.isnan(nme(found, truth, hidden))
    # The inner corners (39, 42), the pupils, or counting from 1 would give another divisor.
    moved = truth.copy()
    moved[[35, 37, 39, 42, 44, 46]] += 30
    assert nme(moved + np.array([2, 0]), moved, ALL) == pytest.approx(100 * 2 / 40, abs=1e-4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    constant_network(tmp_path / "network.onnx", np.random.default_rng(1).uniform(0.2, 0.8, (68, 2)))
    boxes = [(0.05, 0.05, 0.25, 0.3), (0.4, 0.3, 0.9, 0.95)]
    constant_detector(tmp_path / "detector.onnx", boxes, [0.95, 0.9], (32, 32))
    return tmp_path


def test_the_backend_sees_the_face_in_the_box_of_its_true_landmarks(folder: Path) -> None:
    backend = build_backend("onnx", str(folder))
    landmarks = np.stack([face(), face() * 0.5 + 10])
    found = find_points(backend, torch.zeros(2, 3, 128, 128), landmarks)
    assert found.shape == (2, 68, 2)
    for points, truth in zip(found, landmarks, strict=True):
        middle = (truth.min(0) + truth.max(0)) / 2
        assert np.abs((points.min(0) + points.max(0)) / 2 - middle).max() < 15
    assert not np.allclose(found[0], found[1], atol=5)


def test_sr_and_hr_are_measured_and_hr_once_for_all_methods(folder: Path) -> None:
    measured = LandmarkNME(build_backend("onnx", str(folder)))
    calls = []
    find = measured.backend.find
    measured.backend.find = lambda queries: calls.append(len(queries)) or find(queries)
    sr, hr = measured.metrics()
    landmarks = torch.from_numpy(np.stack([face()] * 3))
    visible = torch.ones(3, 68, dtype=torch.bool)
    visible[1] = False
    images = torch.zeros(3, 3, 128, 128)
    pairs = Pairs(images, images, torch.eye(2, 3).expand(3, 2, 3), None, None, landmarks, visible)
    for _ in range(2):
        judged = Judged(Upscaled(images, [], None), pairs)
        of_sr, of_hr = sr.measure(judged), hr.measure(judged)
        assert of_sr is not None
        assert of_hr is not None
        torch.testing.assert_close(of_sr, of_hr, equal_nan=True)
        assert of_sr.isnan().tolist() == [False, True, False]
    assert calls == [2, 2, 2]  # SR of both methods, HR once; the hidden face is not asked for


def test_the_largest_detected_face_is_taken(folder: Path) -> None:
    backend = build_backend("onnx", str(folder))
    points = detect_points(backend, np.zeros((128, 128, 3), np.uint8))
    assert points[:, 0].mean() > 60
    constant_detector(folder / "detector.onnx", [(0.1, 0.1, 0.4, 0.5)], [0.1])
    assert np.isnan(detect_points(build_backend("onnx", str(folder)), np.zeros((128, 128, 3), np.uint8))).all()


def test_missing_weights_are_said_by_the_key_and_nothing_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"metrics.landmarks=onnx needs metrics.landmarks_weights=DIR"):
        build_backend("onnx", None)
    with pytest.raises(UserError, match=r"^metrics\.landmarks_weights=.*holds no \.onnx file with 68 landmarks"):
        build_backend("onnx", str(tmp_path))
    with pytest.raises(UserError, match="needs 2DFAN4-"):
        build_backend("face_alignment", None)
