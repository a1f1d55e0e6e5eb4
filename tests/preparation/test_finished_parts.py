import csv
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from src.preparation.config import PrepareConfig
from src.preparation.finished_parts import PART, DamagedPart, Parts
from src.preparation.run import run_preparation
from src.source import synthetic
from src.source.config import FolderSource, SyntheticSource
from src.store.card import StoreError
from src.store.face import Face
from src.system.errors import BadFace, UserError
from tests.helpers.drawn_faces import PlainJob, face_folder

ROOT = Path(__file__).parents[2]
SETTINGS = {"source": "x", "seed": 1}


def outcomes(count: int) -> list[Face | BadFace]:
    return [one for index in range(count) for one in PlainJob(0, index).load()]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(config: PrepareConfig) -> str:
    said: list[str] = []
    run_preparation(config, said.append)
    return "\n".join(said)


def test_a_part_reads_back_as_it_was(tmp_path: Path) -> None:
    with Parts(tmp_path / "out", SETTINGS, 3 * PART) as parts:
        given = [*outcomes(3), BadFace("a, b.png", 'not "a" picture')]
        parts.land(1, given)
        faces, bad = parts.read(1)
    assert parts.missing() == [0, 2]
    for found, face in zip(faces, given, strict=False):
        assert isinstance(face, Face)
        assert found.row == face.row
        assert np.array_equal(found.image, face.image)
        assert np.array_equal(found.landmarks, face.landmarks)
        assert np.array_equal(found.visible, face.visible)
    assert [(one.file, one.reason) for one in bad] == [("a, b.png", 'not "a" picture')]


def test_a_part_without_faces(tmp_path: Path) -> None:
    with Parts(tmp_path / "out", SETTINGS, 1) as parts:
        parts.land(0, [BadFace("a.png", "empty")])
        assert parts.read(0)[0] == []


@pytest.mark.parametrize("at", [200, 5000, -300])
def test_a_damaged_part_is_told_and_removed(tmp_path: Path, at: int) -> None:
    with Parts(tmp_path / "out", SETTINGS, PART) as parts:
        parts.land(0, outcomes(1))
        path = parts.folder / "000000.npz"
        data = bytearray(path.read_bytes())
        data[at] ^= 0x10
        path.write_bytes(data)
        with pytest.raises(DamagedPart):
            parts.read(0)
        assert parts.missing() == [0]


def test_shards_share_the_parts_and_cover_them(tmp_path: Path) -> None:
    jobs = 7 * PART - 3
    mine = []
    for number in range(3):
        with Parts(tmp_path / "out", SETTINGS, jobs, (number, 3)) as parts:
            mine.append(parts.missing())
    assert sorted(number for shard in mine for number in shard) == list(range(7))
    assert [index for part in range(7) for chunk in parts.chunks(part) for index in chunk] == list(range(jobs))


def test_two_runs_refuse_politely(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Parts(out, SETTINGS, 1), pytest.raises(StoreError, match="out is being written by another process; wait"):
        Parts(out, SETTINGS, 1).__enter__()
    with Parts(out, SETTINGS, 1, (0, 8)):
        with pytest.raises(StoreError, match="is being written by another process"):
            Parts(out, SETTINGS, 1).__enter__()
        with pytest.raises(StoreError, match=r"out \(shard 0 of 8\) is being written"):
            Parts(out, SETTINGS, 1, (0, 8)).__enter__()
        with Parts(out, SETTINGS, 1, (1, 8)):
            pass


def test_work_of_other_settings_is_not_used(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Parts(out, SETTINGS, 1) as parts:
        parts.land(0, outcomes(1))
    other = SETTINGS | {"seed": 2}
    with pytest.raises(UserError, match=r"begun with seed=1, not 2: .*overwrite=true"):
        Parts(out, other, 1).__enter__()
    with Parts(out, SETTINGS, 1) as parts:
        assert parts.missing() == []
    with Parts(out, other, 1, overwrite=True) as parts:
        assert parts.missing() == [0]


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PrepareConfig:
    monkeypatch.setattr(synthetic, "SyntheticJob", PlainJob)
    return PrepareConfig(SyntheticSource("synthetic", train=2 * PART + 5, val=3), str(tmp_path / "straight"))


def test_shards_make_the_same_store_whoever_is_last(plain: PrepareConfig, tmp_path: Path) -> None:
    run(plain)
    sharded = replace(plain, out=str(tmp_path / "sharded"), shards=3)
    assert "shard 2 of 3 is done; 0 of 1 parts" in run(replace(sharded, shard=2))
    assert "2 of 3 parts are there" in run(replace(sharded, shard=0))
    assert not (tmp_path / "sharded" / "val").exists()
    assert "train: 261 faces" in run(replace(sharded, shard=1))
    assert contents(tmp_path / "sharded") == contents(tmp_path / "straight")
    assert run(replace(sharded, shard=0)).count("nothing to do") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sharded", "straight"]


def test_a_damaged_part_is_done_again(plain: PrepareConfig, tmp_path: Path) -> None:
    run(plain)
    again = replace(plain, out=str(tmp_path / "again"))
    run(replace(again, shard=0, shards=2))
    path = tmp_path / "again" / ".train.parts" / "000000.npz"
    path.write_bytes(path.read_bytes()[:-1000])
    assert "it is done again" in run(again)
    assert contents(tmp_path / "again") == contents(tmp_path / "straight")


def test_a_run_of_other_settings_does_not_take_unfinished_work(plain: PrepareConfig, tmp_path: Path) -> None:
    run(replace(plain, source=SyntheticSource("synthetic", train=2 * PART + 5), shard=0))
    other = replace(plain, source=SyntheticSource("synthetic", train=2 * PART + 5, seed=4))
    with pytest.raises(UserError, match=r"begun with source\.seed=0, not 4"):
        run(other)
    run(replace(other, overwrite=True))
    with (tmp_path / "straight" / "train" / "manifest.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 2 * PART + 5


KILLED = """
import sys
sys.path.insert(0, {root!r})
from src.preparation.run import run_preparation
from src.preparation.config import PrepareConfig
from src.source.config import FolderSource
if __name__ == "__main__":
    config = PrepareConfig(FolderSource("folder", {source!r}), {out!r}, workers={workers})
    print("ready", flush=True)
    run_preparation(config, print)
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_kill_9_at_random_moments_changes_no_byte(tmp_path: Path, workers: int) -> None:
    """Five kills for each number of workers; what is left behind is gone on from, and leaves no trace."""
    root = face_folder(tmp_path / "faces", [f"{number:03}.png" for number in range(4 * PART + 7)])
    (root / "images" / "050.png").write_bytes(b"no picture")
    straight, killed = tmp_path / "a" / "out", tmp_path / "b" / "out"
    start = time.monotonic()
    run(PrepareConfig(FolderSource("folder", str(root)), str(straight)))
    took = time.monotonic() - start + 0.5 * bool(workers)
    script = tmp_path / "run.py"
    script.write_text(KILLED.format(root=str(ROOT), source=str(root), out=str(killed), workers=workers))
    moments = random.Random(workers)
    for _ in range(5):
        process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0, took))
        process.kill()
        process.wait()
        process.stdout.close()
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert contents(killed.parent) == contents(straight.parent)
