"""Shards over Hydra's launchers, by the command that a person types."""

import subprocess
import sys
from pathlib import Path

import pytest

from src.preparation.config import PrepareConfig
from src.preparation.finished_parts import PART
from src.preparation.run import run_preparation
from src.source.config import FolderSource
from tests.helpers.drawn_faces import face_folder

ROOT = Path(__file__).parents[2]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("launcher", ["basic", "joblib", "submitit_local"])
def test_shards_over_a_launcher_make_the_same_store(tmp_path: Path, launcher: str) -> None:
    root = face_folder(tmp_path / "faces", [f"{number:03}.png" for number in range(2 * PART + 9)])
    run_preparation(PrepareConfig(FolderSource("folder", str(root)), str(tmp_path / "straight")), print)
    words = ["-m", "shard=range(0,3)", "shards=3", "source=folder", f"source.root={root}", f"out={tmp_path / 'out'}"]
    words += [f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    if launcher != "basic":
        words += [f"hydra/launcher={launcher}"]
    if launcher == "joblib":
        words += ["hydra.launcher.n_jobs=2"]
    command = [sys.executable, "-m", "src.prepare", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "out") == contents(tmp_path / "straight")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces", "out", "straight", "sweep"]
