import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
from drawn_faces import PlainJob

from src.data import preparation
from src.data.face import BadFace, Face
from src.data.preparation import run_preparation
from src.data.prepare_config import PrepareConfig, SyntheticSource
from src.data.resolving import resolved
from src.data.sources import Split
from src.errors import UserError


@dataclass(frozen=True)
class DeadlyJob:
    """Kills the process that resolves it."""

    faces: int = 1

    def resolve(self) -> list[Face | BadFace]:
        os.kill(os.getpid(), signal.SIGKILL)
        return []


def test_a_killed_worker_is_an_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "list_splits", lambda _: [Split("", [PlainJob(0, 1), DeadlyJob()], {}, {})])
    config = PrepareConfig(SyntheticSource("synthetic", count=2), str(tmp_path / "out"), workers=1)
    with pytest.raises(UserError, match="a worker process died"):
        run_preparation(config, print)
    assert list(tmp_path.iterdir()) == []


def test_workers_keep_the_order() -> None:
    jobs = [PlainJob(0, index) for index in range(70)]
    faces = [outcome for outcomes in resolved(jobs, 2) for outcome in outcomes]
    assert [face.row.file for face in faces if isinstance(face, Face)] == [str(index) for index in range(70)]
