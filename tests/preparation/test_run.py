import csv
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.preparation import run as preparation
from src.preparation.config import PrepareConfig
from src.preparation.run import run_preparation
from src.source import synthetic
from src.source.config import FolderSource, SyntheticSource
from src.store.read import FaceStore
from src.system.errors import UserError
from tests.helpers.drawn_faces import AS_IT_IS, PlainJob, face_folder, noise_picture

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path: Path) -> PrepareConfig:
    """Five pictures, of which one is empty and one is cut short."""
    root = face_folder(tmp_path / "faces", [f"{number}.png" for number in range(5)])
    (root / "images" / "1.png").write_bytes(b"")
    (root / "images" / "3.png").write_bytes((root / "images" / "3.png").read_bytes()[:3000])
    return PrepareConfig(FolderSource("folder", str(root)), str(tmp_path / "out"), crop=AS_IT_IS)


def run(config: PrepareConfig) -> str:
    lines: list[str] = []
    run_preparation(config, lines.append)
    return "\n".join(lines)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def reasons(path: Path) -> dict[str, str]:
    with path.open(newline="") as file:
        return {row["file"]: row["reason"] for row in csv.DictReader(file)}


def test_bad_faces_are_listed_and_the_others_stored(config: PrepareConfig) -> None:
    out = Path(config.out)
    said = run(config)
    store = FaceStore(out)
    assert [row.file for row in store.manifest] == ["images/0.png", "images/2.png", "images/4.png"]
    assert np.array_equal(store.images([1])[0], noise_picture(128, 128, 2))
    assert store.card.rejected == 2
    assert list(reasons(out / "rejected.csv")) == ["images/1.png", "images/3.png"]
    assert reasons(out / "rejected.csv")["images/1.png"] == "empty file (0 bytes)"
    assert f"{out}: 3 faces, 2 rejected" in said
    assert f"rejected: 2, listed in {out / 'rejected.csv'}" in said
    assert "1 x empty file (0 bytes) (first: images/1.png)" in said
    with Image.open(out / "contact.png") as sheet:
        assert sheet.size == (3 * 512, 256)


def test_a_second_run_has_nothing_to_do(config: PrepareConfig) -> None:
    run(config)
    before = contents(Path(config.out))
    stamp = (Path(config.out) / "images.npy").stat().st_mtime_ns
    assert "nothing to do" in run(config)
    assert contents(Path(config.out)) == before
    assert (Path(config.out) / "images.npy").stat().st_mtime_ns == stamp


def test_workers_change_no_byte(config: PrepareConfig, tmp_path: Path) -> None:
    run(config)
    run(replace(config, out=str(tmp_path / "parallel"), workers=2))
    assert contents(tmp_path / "parallel") == contents(Path(config.out))


def test_other_settings_name_the_key_and_the_remedy(config: PrepareConfig) -> None:
    run(config)
    assert isinstance(config.source, FolderSource)
    shutil.copy(Path(config.source.root) / "images" / "0.png", Path(config.source.root) / "images" / "5.png")
    with pytest.raises(UserError, match=r"prepared with source\.root=5 files.*overwrite=true"):
        run(config)
    assert "3 faces, 3 rejected" in run(replace(config, overwrite=True))
    assert "nothing to do" in run(config)


def test_a_damaged_store_is_told_and_replaced(config: PrepareConfig) -> None:
    run(config)
    os.truncate(Path(config.out) / "images.npy", 1000)
    with pytest.raises(UserError, match="cut short"):
        run(config)
    run(replace(config, overwrite=True))
    assert len(FaceStore(config.out)) == 3


def test_strict_makes_no_store_but_the_list(config: PrepareConfig) -> None:
    out = Path(config.out)
    with pytest.raises(UserError, match=r"strict=true, and 2 of 5 were rejected .*rejected\.csv"):
        run(replace(config, strict=True))
    assert [path.name for path in out.iterdir()] == ["rejected.csv"]
    assert list(reasons(out / "rejected.csv")) == ["images/1.png", "images/3.png"]
    run(config)
    assert len(FaceStore(out)) == 3
    with pytest.raises(UserError, match="strict=true, and 2 were rejected"):
        run(replace(config, strict=True))
    with pytest.raises(UserError, match=r"out\.rejected\.csv"):
        run(replace(config, strict=True, overwrite=True, visibility="annotated"))
    assert len(FaceStore(out)) == 3


def test_nothing_usable(config: PrepareConfig, tmp_path: Path) -> None:
    for path in (tmp_path / "faces" / "images").iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"no usable face: all 5 were rejected \(first images/0\.png: empty file"):
        run(config)
    assert len(reasons(Path(config.out) / "rejected.csv")) == 5


def test_a_folder_with_other_files_is_left_alone(config: PrepareConfig) -> None:
    out = Path(config.out)
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(UserError, match=r"holds other files \(thesis\.txt\)"):
            run(replace(config, overwrite=overwrite))
    assert contents(out) == {"thesis.txt": b"years of work"}


FULL = """
import resource, sys
sys.path.insert(0, {root!r})
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
from src.preparation.run import run_preparation
from src.preparation.config import PrepareConfig
from src.preparation.crop_rules import LandmarksCrop
from src.source.config import FolderSource
from src.system.errors import UserError
try:
    crop = LandmarksCrop("landmarks", upright=False, margin=0)
    config = PrepareConfig(
        FolderSource("folder", {source!r}), {out!r}, overwrite={overwrite}, visibility="annotated", crop=crop
    )
    run_preparation(config, print)
except UserError as error:
    print(error)
    sys.exit(2)
"""


def run_on_a_full_disk(config: PrepareConfig, limit: int) -> subprocess.CompletedProcess[str]:
    """A file may have `limit` bytes at most: EFBIG in the middle of writing, as ENOSPC on a full disk."""
    assert isinstance(config.source, FolderSource)
    script = FULL.format(
        root=str(ROOT), source=config.source.root, out=config.out, limit=limit, overwrite=config.overwrite
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("limit", [100_000, 147_500])
def test_full_disk_leaves_no_half_store_and_the_old_one_whole(config: PrepareConfig, limit: int) -> None:
    out = Path(config.out)
    done = run_on_a_full_disk(config, limit)
    assert done.returncode == 2, done.stderr
    assert "cannot be written (File too large)" in done.stdout
    assert "MiB free, about 0.5 MiB needed" in done.stdout
    assert sorted(path.name for path in out.parent.iterdir()) == [".out.parts", "faces"]
    assert list((out.parent / ".out.parts").glob("*.npz")) == []
    run(config)
    before = contents(out)
    assert run_on_a_full_disk(replace(config, overwrite=True), limit).returncode == 2
    assert contents(out) == before


def test_a_disk_known_to_be_too_small_is_told_before_the_work(
    config: PrepareConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**20, 2**20, 1000))
    monkeypatch.setattr(preparation, "resolved", pytest.fail)
    with pytest.raises(UserError, match=r"too small\): 0\.0 MiB free, about 0\.5 MiB needed"):
        run(config)


@pytest.fixture
def plain_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "SyntheticJob", PlainJob)


@pytest.mark.usefixtures("plain_jobs")
def test_splits_are_stores_of_disjoint_faces(tmp_path: Path) -> None:
    config = PrepareConfig(SyntheticSource("synthetic", train=4, val=3, test=2, seed=5), str(tmp_path / "out"))
    run(config)
    stores = {name: FaceStore(tmp_path / "out" / name) for name in ("train", "val", "test")}
    assert {name: len(store) for name, store in stores.items()} == {"train": 4, "val": 3, "test": 2}
    assert len({row.identity for store in stores.values() for row in store.manifest}) == 9
    assert {row.split for row in stores["val"].manifest} == {"val"}
    bigger = replace(config, source=SyntheticSource("synthetic", train=6, val=3, test=2, seed=5), overwrite=True)
    run(replace(bigger, out=str(tmp_path / "bigger")))
    assert contents(tmp_path / "bigger" / "val") == contents(tmp_path / "out" / "val")
    with pytest.raises(UserError, match=r"out/train was prepared with source\.train=4, not 6"):
        run(replace(bigger, overwrite=False))


@pytest.mark.usefixtures("plain_jobs")
def test_finished_splits_survive_and_only_the_missing_one_is_made(tmp_path: Path) -> None:
    config = PrepareConfig(SyntheticSource("synthetic", train=4, val=3), str(tmp_path / "out"))
    run(config)
    before = contents(tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "val")
    stamp = (tmp_path / "out" / "train" / "images.npy").stat().st_mtime_ns
    said = run(config)
    assert said.count("nothing to do") == 1
    assert contents(tmp_path / "out") == before
    assert (tmp_path / "out" / "train" / "images.npy").stat().st_mtime_ns == stamp


@pytest.mark.usefixtures("plain_jobs")
def test_a_store_and_splits_do_not_share_a_folder(tmp_path: Path) -> None:
    one = PrepareConfig(SyntheticSource("synthetic", count=2), str(tmp_path / "one"))
    split = PrepareConfig(SyntheticSource("synthetic", train=2), str(tmp_path / "split"))
    run(one)
    run(split)
    with pytest.raises(UserError, match="is itself a store"):
        run(replace(split, out=one.out))
    with pytest.raises(UserError, match=r"holds stores \(train\)"):
        run(replace(one, out=split.out))


def test_the_command(config: PrepareConfig) -> None:
    assert isinstance(config.source, FolderSource)
    arguments = ["source=folder", f"source.root={config.source.root}", f"out={config.out}"]
    commands = [sys.executable, "-m", "src.prepare", *arguments]
    first = subprocess.run(commands, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (first.returncode, first.stderr) == (0, "")
    assert "3 faces, 2 rejected" in first.stdout
    strict = subprocess.run([*commands, "strict=true"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert strict.returncode == 2
    assert strict.stderr.startswith("error: strict=true")
    assert len(strict.stderr.splitlines()) == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_an_ignored_profile_is_said_once(config: PrepareConfig, workers: int) -> None:
    for number in (0, 2, 4):
        path = Path(config.source.root) / "images" / f"{number}.png"  # type: ignore[union-attr]
        with Image.open(path) as picture:
            picture.load()
        picture.save(path, icc_profile=b"broken" * 40)
    said = [line for line in run(replace(config, workers=workers)).splitlines() if line.startswith("warning: ")]
    assert len(said) == 1
    assert said[0].startswith("warning: colour profile ignored in 3 pictures (first ")
    assert said[0].endswith(": damaged)")
