from pathlib import Path

import numpy as np
import pytest

from src.photo.detectors import Boxes, build_detector
from src.system.errors import UserError
from tests.helpers.drawn_faces import noise_picture, schematic_face
from tests.helpers.tiny_onnx import constant_detector, constant_network


def test_a_landmark_backend_gives_the_box_that_a_detector_would_draw(tmp_path: Path) -> None:
    constant_detector(tmp_path / "detector.onnx", [[0.25, 0.25, 0.5, 0.75]], [0.9])
    constant_network(tmp_path / "network.onnx", schematic_face((0.5, 0.5), 0.5))
    (face,) = build_detector("onnx", tmp_path).find(noise_picture(96, 72))
    x0, y0, x1, y1 = face.box
    assert 0 < x0 < x1 < 96
    assert 0 < y0 < y1 < 72
    assert face.score == pytest.approx(0.9, abs=1e-3)


def test_onnx_needs_a_folder() -> None:
    with pytest.raises(UserError, match="needs --detector-weights DIR"):
        build_detector("onnx")


def test_boxes_belong_to_a_name_or_to_a_path(tmp_path: Path) -> None:
    rows = "file,x0,y0,x1,y1\na.png,1,2,3,4\n\nsub/b.png,5,6,7,8\na.png,0.5,0,9,9\n"
    (tmp_path / "boxes.csv").write_text(f"\ufeff{rows}", encoding="utf-8")
    boxes = Boxes(tmp_path / "boxes.csv")
    assert boxes.of(tmp_path / "elsewhere/a.png") == [(1, 2, 3, 4), (0.5, 0, 9, 9)]
    assert boxes.of(tmp_path / "sub/b.png") == [(5, 6, 7, 8)]
    assert boxes.of(tmp_path / "b.png") == []
    assert np.isfinite(boxes.of(tmp_path / "a.png")).all()
