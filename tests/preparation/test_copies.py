import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.landmarks.config import AnnotationsConfig
from src.preparation.check_stores import run_check
from src.preparation.config import PrepareConfig
from src.preparation.finished_parts import PART
from src.preparation.run import run_preparation
from src.source.config import CelebaSource, FolderSource
from src.store.manifest import read_rejected
from src.store.read import FaceStore
from src.system.errors import UserError
from tests.helpers.celeba_files import celeba_files, change_line, name
from tests.helpers.drawn_faces import AS_IT_IS, face_folder, noise_picture, pts_text, schematic_face
from tests.preparation.test_shards import contents


def folder(root: Path, **changes: object) -> PrepareConfig:
    plain = PrepareConfig(FolderSource("folder", str(root)), f"{root}.store", visibility="annotated")
    return replace(plain, **changes)  # type: ignore[arg-type]


def made(config: PrepareConfig, split: str = "") -> tuple[list[str], dict[str, str]]:
    """The faces' identities and the reasons by file of a store that passes its own check."""
    run_preparation(config, print)
    run_check(config, print)
    store = FaceStore(Path(config.out) / split)
    rejected = {bad.file: bad.reason for _, bad in read_rejected(store.path / "rejected.csv")}
    assert store.card.rejected == len(rejected)
    return [row.identity for row in store.manifest], rejected


def pair(base: Path, *faces: np.ndarray, number: int = 0) -> None:
    base.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise_picture(320, 260, number)).save(f"{base}.png")
    for count, points in enumerate(faces, 1):
        Path(f"{base}_{count}.pts" if len(faces) > 1 else f"{base}.pts").write_text(pts_text(points))


FACE, OTHER = schematic_face((100, 120)), schematic_face((220, 120))


def test_a_copy_is_a_reject_that_names_the_first(tmp_path: Path) -> None:
    for base in ("x", "x (1)", "a/x", "x - Copy"):
        pair(tmp_path / "in" / base, FACE)
    pair(tmp_path / "in" / "y", FACE, number=1)
    identities, rejected = made(folder(tmp_path / "in"))
    assert identities == ["x", "y"]
    assert rejected == dict.fromkeys(("x (1).png", "a/x.png", "x - Copy.png"), "the same file as x.png")


def test_two_annotated_faces_of_one_picture_are_no_copies(tmp_path: Path) -> None:
    pair(tmp_path / "in" / "x", FACE, OTHER)
    pair(tmp_path / "in" / "z", FACE + np.float32(0.01), number=1)
    pair(tmp_path / "in" / "z copy", OTHER, number=1)
    assert made(folder(tmp_path / "in")) == (["x_1", "x_2", "z copy", "z"], {})


def test_one_face_annotated_twice_is_a_reject(tmp_path: Path) -> None:
    pair(tmp_path / "in" / "x", FACE, FACE)
    assert made(folder(tmp_path / "in")) == (["x_1"], {"x.png": "the same face as x_1 in this picture"})


def test_equal_files_with_unrelated_names_both_stay(tmp_path: Path) -> None:
    for base in ("x", "José", "xy", "y/1"):
        pair(tmp_path / "in" / base, FACE)
    assert sorted(made(folder(tmp_path / "in"))[0]) == ["José", "x", "xy", "y/1"]


def test_a_copy_with_last_digits_that_differ_is_still_one(tmp_path: Path) -> None:
    pair(tmp_path / "in" / "x", FACE)
    pair(tmp_path / "in" / "x_2nd", FACE + np.float32(0.01))
    assert made(folder(tmp_path / "in")) == (["x"], {"x_2nd.png": "the same file as x.png"})


def test_copies_in_other_shards_change_no_byte(tmp_path: Path) -> None:
    root = face_folder(tmp_path / "in", [f"{number:03}.png" for number in range(PART + 9)])
    for copy in ("000.png", "001.png", f"{PART + 3}.png"):  # two copies are in the last part, one is in the first
        source = root / "images" / copy
        shutil.copy(source, source.with_name(f"copy of {copy}" if copy == "001.png" else f"z_{copy}"))
    names = [path.name for path in sorted((root / "images").iterdir())]
    points = [schematic_face(size=80 + int(file.removesuffix(".png")[-3:]) % 3) for file in names]
    np.savez(root / "landmarks68.npz", names=np.array(names), landmarks=np.stack(points))
    straight = folder(root, crop=AS_IT_IS)
    identities, rejected = made(straight)
    assert len(identities) == PART + 9
    assert rejected == {
        "images/copy of 001.png": "the same file as images/001.png",
        "images/z_000.png": "the same file as images/000.png",
        f"images/z_{PART + 3}.png": f"the same file as images/{PART + 3}.png",
    }
    shards = replace(straight, out=str(tmp_path / "shards"), shards=2)
    for shard in (1, 0):
        run_preparation(replace(shards, shard=shard), print)
    assert contents(tmp_path / "shards") == contents(Path(straight.out))


def test_strict_counts_a_copy(tmp_path: Path) -> None:
    for base in ("x", "x (1)"):
        pair(tmp_path / "in" / base, FACE)
    strict = folder(tmp_path / "in", strict=True)
    with pytest.raises(UserError, match=r"1 of 2 were rejected \(first x \(1\)\.png: the same file as x\.png\)"):
        run_preparation(strict, print)
    assert not (tmp_path / "in.store" / "card.json").exists()
    assert made(replace(strict, strict=False))[0] == ["x"]


def test_a_picture_that_is_in_an_earlier_split_as_well(tmp_path: Path) -> None:
    root = celeba_files(tmp_path / "in", 40)
    shutil.copy(root / "img_align_celeba" / name(0), root / "img_align_celeba" / name(33))  # in val
    change_line(root / "list_landmarks_align_celeba.txt", 36, f"{name(33)} 69 111 107 111 88 135 72 152 105 153")
    reason = f"the same file as img_align_celeba/{name(0)}, which is in train"
    config = PrepareConfig(CelebaSource("celeba", str(root)), str(tmp_path / "all"), AnnotationsConfig("annotations"))
    identities, rejected = made(config, "val")
    assert len(identities) == 3
    assert rejected == {f"img_align_celeba/{name(33)}": reason}
    # One split at a time, the first one's store is already there: the same bytes.
    apart = replace(config, out=str(tmp_path / "apart"))
    for split in ("train", "val", "test"):
        run_preparation(replace(apart, source=CelebaSource("celeba", str(root), splits=(split,))), print)
    assert contents(tmp_path / "apart") == contents(tmp_path / "all")
