"""make's variables reach the commands as they were typed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = (
    "Fotos (2019)", "José", "it's", 'the "best"', "a$b $(x) $$", "$HOME", "a#b", "a,b=c", "R&D; [x] {y}", "`ls`",
    "a\\b", "a\\", "~/x", "50%", "照片",
)  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Makefile beside a `.venv` whose Python only writes down its words."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv" / "bin").mkdir(parents=True)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(f"#!{sys.executable} -ISs\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n", encoding="utf-8")
    python.chmod(0o755)
    for name in ("bin/uv", ".installed"):
        (folder / ".venv" / name).touch()
    return folder


def words(project: Path, *arguments: str, **environment: str) -> list[list[str]]:
    """The words of each command that make runs."""
    done = subprocess.run(["make", "-s", *arguments], cwd=project, env={**os.environ, **environment},
                          capture_output=True, text=True, check=True)  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_a_path_arrives_as_it_was_typed(project: Path, name: str) -> None:
    [folder] = words(project, "data-folder", f"ROOT={name}", f"OUT=x/{name}")
    assert {f"source.root={name}", f"out=x/{name}"} <= {*folder}


def test_so_it_does_in_every_target(project: Path) -> None:
    name = "it's José's $x (2019) #1"
    [[*_, root], celeba] = words(project, "data-celeba", f"ROOT={name}")
    assert root == name
    assert {f"source.root={name}", "out=data/celeba"} <= {*celeba}
    for target in ("train-celeba", "sweep", "ablations"):
        [train] = words(project, target, f"TRAIN={name},b", VAL=name)
        assert {f"data.train=[{name},b]", f"data.val=[{name}]"} <= {*train}
    [demo, *evaluations] = words(project, "demo", f"DEMO={name}")
    assert f"run_dir={name}" in demo
    assert all(f"checkpoint={name}/checkpoints/last.ckpt" in evaluation for evaluation in evaluations)


def test_without_variables_the_defaults_hold(project: Path) -> None:
    assert "out=data/synthetic" in words(project, "data-synthetic")[0]
    assert {"source.root=data/raw", "out=data/celeba"} <= {*words(project, "data-celeba")[1]}
    assert {"data.train=[data/celeba/train]", "data.val=[data/celeba/val]"} <= {*words(project, "sweep")[0]}
    done = subprocess.run(["make", "data-folder"], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: make data-folder ROOT=PICTURES OUT=data/NAME")
