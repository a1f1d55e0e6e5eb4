import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from src.face.heatmaps import component_heatmaps
from src.face.points import COMPONENT_COLOURS, COMPONENTS
from src.preparation.contact_sheet import HIDDEN, VISIBLE, draw_contact_sheet, heatmaps, tint
from src.store.read import FaceStore
from tests.helpers.tiny_files import write_store


def test_each_face_is_shown_with_its_landmarks_and_its_heatmaps(tmp_path: Path) -> None:
    folder = write_store(tmp_path / "s", 5)
    store = FaceStore(folder)
    sheet = np.asarray(draw_contact_sheet(folder))
    assert sheet.shape == (2 * 256, 4 * 512, 3)
    seen, hidden = store.visible([0])[0], np.flatnonzero(~store.visible([0])[0])
    assert hidden.size
    for point in (int(np.flatnonzero(seen)[0]), int(hidden[0])):
        x, y = ((store.landmarks([0])[0, point] + 0.5) * 2 - 0.5).round().astype(int)
        patch = sheet[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3)
        assert (patch == (VISIBLE if seen[point] else HIDDEN)).all(1).any()


def test_a_component_has_its_colour_and_a_hidden_landmark_none() -> None:
    images = np.zeros((1, 128, 128, 3), np.uint8)
    landmarks = np.full((1, 68, 2), 200, np.float32)
    nose = COMPONENTS[4]["nose"][0]
    landmarks[0, nose] = 40, 70
    visible = np.ones((1, 68), np.bool_)
    assert (
        tint(images, landmarks, visible)[0, 70, 40] == (0.8 * np.float32(COMPONENT_COLOURS["nose"])).astype(np.uint8)
    ).all()
    visible[0, nose] = False
    assert (tint(images, landmarks, visible)[0, 70, 40] == 0).all()


def test_forty_eight_at_most_evenly_spread(tmp_path: Path) -> None:
    sheet = draw_contact_sheet(write_store(tmp_path / "s", 60))
    assert sheet.size == (4 * 512, 12 * 256)


def test_its_heatmaps_are_those_of_training() -> None:
    random = np.random.default_rng(0)
    landmarks = random.uniform(-5, 133, (3, 68, 2)).astype(np.float32)
    visible = random.random((3, 68)) > 0.3
    expected, _ = component_heatmaps(torch.from_numpy(landmarks), torch.from_numpy(visible), 4, 128, 3.0)
    assert np.allclose(heatmaps(landmarks, visible), expected.numpy(), atol=1e-5)


def test_preparation_with_annotations_imports_no_torch() -> None:
    code = "import src.preparation.run, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
