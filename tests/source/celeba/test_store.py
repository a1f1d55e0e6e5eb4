"""CelebA's layout in small through the whole preparation: folder and zip give identical stores."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from src.face.pose import five_points as five_of
from src.landmarks.config import AnnotationsConfig, OnnxConfig
from src.preparation.check_stores import run_check
from src.preparation.config import PrepareConfig
from src.preparation.crop_rules import CelebaAlignedCrop
from src.preparation.run import run_preparation
from src.source.config import CelebaSource
from src.store.read import FaceStore
from tests.helpers.celeba_files import celeba_files, five_points, identity

SHARED = Path(__file__).parents[3].parent / "shared"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def config(root: Path, out: Path) -> PrepareConfig:
    return PrepareConfig(CelebaSource("celeba", str(root)), str(out), AnnotationsConfig("annotations"))


def test_folder_and_zip_give_identical_stores(tmp_path: Path) -> None:
    folder = config(celeba_files(tmp_path / "folder"), tmp_path / "a")
    zipped = config(celeba_files(tmp_path / "zip", zipped=True, layout="official"), tmp_path / "b")
    run_preparation(folder, print)
    run_preparation(replace(zipped, workers=2), print)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    stores = {split: FaceStore(tmp_path / "a" / split) for split in ("train", "val", "test")}
    assert {split: len(store) for split, store in stores.items()} == {"train": 160, "val": 20, "test": 20}
    row = stores["val"].manifest[3]
    assert row.file == "img_align_celeba/000164.jpg"
    assert row.identity == f"celeba-{identity(163)}"
    assert (row.split, row.landmark_source) == ("val", "celeba five points, mean face")
    matrix = np.array(row.matrix).reshape(2, 3)
    points = (stores["val"].landmarks([3]) - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    assert five_of(points)[0] == pytest.approx(five_points(163), abs=0.05)
    said: list[str] = []
    run_check(replace(folder, check=True), said.append)
    assert said[-1] == f"{tmp_path / 'a'}: no identity or picture is in more than one of train, val, test"


def test_the_fixed_square_and_the_attributes(tmp_path: Path) -> None:
    base = config(celeba_files(tmp_path / "files", 80), tmp_path / "out")
    source = CelebaSource(
        "celeba", str(tmp_path / "files"), drop=("Blurry", "Eyeglasses", "Wearing_Hat"), splits=("train",)
    )
    run_preparation(replace(base, source=source, crop=CelebaAlignedCrop("celeba_aligned")), print)
    store = FaceStore(tmp_path / "out" / "train")
    assert {row.crop_box for row in store.manifest} == {(0, 20, 178, 198)}
    assert 10 < len(store) < 64
    assert store.card.settings["source.drop"] == "Blurry,Eyeglasses,Wearing_Hat"
    assert store.card.crop["name"] == "celeba_aligned"


@pytest.mark.skipif(not (SHARED / "weights").is_dir(), reason="the ONNX networks are not at ../shared/weights")
def test_a_network_from_folder_and_from_zip(tmp_path: Path) -> None:
    for name, zipped in (("folder", False), ("zip", True)):
        one = config(celeba_files(tmp_path / name, 40, zipped=zipped), tmp_path / f"out {name}")
        run_preparation(replace(one, landmarks=OnnxConfig("onnx", str(SHARED / "weights"))), print)
    assert contents(tmp_path / "out folder") == contents(tmp_path / "out zip")
    store = FaceStore(tmp_path / "out zip" / "train")
    assert {row.landmark_source for row in store.manifest} != {"celeba five points, mean face"}
    assert len(store) + store.card.rejected == 32
