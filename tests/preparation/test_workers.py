import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from src.landmarks.landmarker import Landmarks, Query
from src.preparation import run as preparation
from src.preparation.config import PrepareConfig
from src.preparation.crop_rules import LandmarksCrop
from src.preparation.faces import Recipe
from src.preparation.finished_parts import PART
from src.preparation.run import run_preparation
from src.preparation.workers import CHUNK, resolved
from src.source.config import SyntheticSource
from src.source.photograph import Photo, PhotoJob, PictureFile
from src.source.split import Split
from src.store.card import Settings
from src.store.face import Face
from src.store.read import FaceStore
from src.system.errors import BadFace, UserError
from tests.helpers.drawn_faces import AS_IT_IS, PlainJob, noise_picture, schematic_face

PLAIN = Recipe(LandmarksCrop("landmarks"))


@dataclass(frozen=True)
class DeadlyJob:
    """Kills the process that does it."""

    faces: int = 1

    def load(self) -> list[Face | BadFace]:
        os.kill(os.getpid(), signal.SIGKILL)
        return []


def test_a_killed_worker_is_an_error_and_finished_parts_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [PlainJob(0, index) for index in range(PART + 1)]
    jobs = [*whole[:-1], DeadlyJob()]
    monkeypatch.setattr(preparation, "list_splits", lambda *_: [Split("", jobs, {}, {})])
    config = PrepareConfig(SyntheticSource("synthetic", count=2), str(tmp_path / "out"), crop=AS_IT_IS, workers=1)
    with pytest.raises(UserError, match="a worker process died"):
        run_preparation(config, print)
    assert [path.name for path in (tmp_path / ".out.parts").glob("*.npz")] == ["000000.npz"]
    monkeypatch.setattr(preparation, "list_splits", lambda *_: [Split("", whole, {}, {})])
    said: list[str] = []
    run_preparation(config, said.append)
    assert "1 of 2 parts are there already" in said[0]
    assert len(FaceStore(tmp_path / "out")) == PART + 1
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_workers_keep_the_order() -> None:
    jobs = [PlainJob(0, index) for index in range(70)]
    chunks = [range(at, min(at + CHUNK, 70)) for at in range(0, 70, CHUNK)]
    faces = [one for chunk in resolved(jobs, chunks, PLAIN, 2) for outcomes in chunk for one in outcomes]
    assert [face.row.file for face in faces if isinstance(face, Face)] == [str(index) for index in range(70)]


@dataclass
class OneFace:
    """A backend that finds one face and counts what it is asked at a time."""

    in_workers: bool
    name: str = "one"
    settings: Settings = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)

    def find(self, queries: Sequence[Query]) -> list[list[Landmarks]]:
        self.asked.append(len(queries))
        return [[Landmarks(schematic_face(), 0.5)] for _ in queries]


@dataclass(frozen=True)
class NoisePhotoJob:
    index: int
    faces: int = 1

    def load(self) -> Photo:
        job = PhotoJob(PictureFile(Path("x")), f"{self.index}.png", str(self.index))
        return Photo(job, noise_picture(128, 128, self.index), "00")


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_network_of_the_main_process_is_asked_the_same_whatever_the_workers(workers: int) -> None:
    jobs = [NoisePhotoJob(index) for index in range(70)]
    chunks = [range(at, min(at + CHUNK, 70)) for at in range(0, 70, CHUNK)]
    network = OneFace(in_workers=False)
    recipe = Recipe(LandmarksCrop("landmarks"), "annotated", network)
    faces = [one for chunk in resolved(jobs, chunks, recipe, workers) for outcomes in chunk for one in outcomes]
    assert network.asked == [CHUNK, CHUNK, 70 - 2 * CHUNK]
    assert [face.row.file for face in faces if isinstance(face, Face)] == [f"{index}.png" for index in range(70)]


def test_a_light_network_runs_in_the_workers() -> None:
    network = OneFace(in_workers=True)
    recipe = Recipe(LandmarksCrop("landmarks"), "annotated", network)
    (chunk,) = resolved([NoisePhotoJob(3)], [range(1)], recipe, 1)
    assert isinstance(chunk[0][0], Face)
    assert network.asked == []


def test_few_large_photographs_are_decoded_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.preparation.faces.GROUP_PIXELS", 3 * 128 * 128)
    network = OneFace(in_workers=True)
    jobs = [NoisePhotoJob(index) for index in range(7)]
    list(resolved(jobs, [range(7)], Recipe(LandmarksCrop("landmarks"), "annotated", network), 0))
    assert network.asked == [3, 3, 1]


ORPHANS = """
import sys, time
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
from tests.preparation.test_workers import PLAIN, SleepyJob
from src.preparation.workers import resolved
if __name__ == "__main__":
    list(resolved([SleepyJob(Path({flag!r}))], [range(1)], PLAIN, 1))
"""


@dataclass(frozen=True)
class SleepyJob:
    """Says who does it, and takes long."""

    flag: Path
    faces: int = 1

    def load(self) -> list[Face | BadFace]:
        self.flag.write_text(str(os.getpid()))
        time.sleep(60)
        return []


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    flag, script = tmp_path / "pid", tmp_path / "run.py"
    root, tests = Path(__file__).parents[2], Path(__file__).parent
    script.write_text(ORPHANS.format(root=str(root), tests=str(tests), flag=str(flag)))
    parent = subprocess.Popen([sys.executable, str(script)], cwd=root)
    while not (flag.exists() and flag.read_text()):
        assert parent.poll() is None
        time.sleep(0.05)
    worker = psutil.Process(int(flag.read_text()))
    parent.kill()
    parent.wait()
    worker.wait(timeout=20)
