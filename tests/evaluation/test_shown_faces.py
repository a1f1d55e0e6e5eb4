from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from src.evaluation.compare import Request, measure
from src.evaluation.config import EvaluateConfig, EvaluateData, ProtocolConfig
from src.evaluation.pictures import match_folders
from src.evaluation.run import evaluate
from src.evaluation.shown_faces import show_faces, show_pictures
from src.method.load import load_methods
from src.metric.choose import Chosen
from src.metric.image import IMAGE_METRICS, psnr, unit_images
from src.metric.load import all_metrics
from src.report.scores import FaceScores
from src.report.shown import Shown
from src.store.read import FaceStores
from tests.helpers.tiny_files import write_store

CPU = torch.device("cpu")


def psnr_of(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> float:
    x, y = (torch.from_numpy(picture).permute(2, 0, 1)[None] / 127.5 - 1 for picture in (one, two))
    return float(psnr(*unit_images(x, y)))


def check(shown: Shown, rows: list[FaceScores]) -> None:
    """The pictures of each face are those whose scores stand in its row."""
    assert shown.picks
    for place, face in shown.faces.items():
        for method, sr in face.sr.items():
            assert psnr_of(sr, face.hr) == pytest.approx(rows[place].methods[method].whole["psnr_rgb"], abs=0.02)


def test_shown_faces_are_those_that_were_measured(checkpoint_file: Path, face_store: Path, tmp_path: Path) -> None:
    stores = FaceStores([face_store, write_store(tmp_path / "other", 6, seed=3)])
    protocol = ProtocolConfig(fill="context", seed=5)
    config = EvaluateConfig(EvaluateData(("x",)), method=("bicubic",), protocol=protocol, batch_size=2, faces=7)
    methods = load_methods([str(checkpoint_file), "bicubic", "bicubic_aligned"], CPU)
    rows = evaluate(methods, stores, protocol, CPU, batch_size=2, faces=7).rows
    shown = show_faces(iter(methods), stores, config, CPU, rows)
    check(shown, rows)
    assert {pick.method for pick in shown.picks} == {"tiny", "bicubic", "bicubic_aligned"}
    assert all(len(face.sr) == 3 and face.lr is not None and face.lr.shape == (16, 16, 3)
               for face in shown.faces.values())  # fmt: skip
    assert set(shown.faces) == set(range(7))


def test_shown_pictures_are_those_of_the_folders(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for folder, strength in (("hr", 0), ("good", 10), ("bad", 40)):
        (tmp_path / folder).mkdir()
        for name in "abcd":
            side = 40 if name == "b" else 48
            base = np.full((side, side, 3), 100) + random.normal(0, strength + ord(name) % 5, (side, side, 3))
            Image.fromarray(base.clip(0, 255).astype(np.uint8)).save(tmp_path / folder / f"{name}.png")
    folders = [tmp_path / "good", tmp_path / "bad"]
    matched = match_folders(folders, tmp_path / "hr")
    chosen = Chosen(tuple(metric for metric in all_metrics() if metric.key in IMAGE_METRICS))
    rows = measure(Request(folders, tmp_path / "hr", tmp_path), matched, {}, chosen, CPU, []).rows
    shown = show_pictures(matched, rows)
    check(shown, rows)
    assert all(face.lr is None and set(face.sr) == {"good", "bad"} for face in shown.faces.values())
