"""Two gloo processes on this machine."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from src.model.checkpoint import load_checkpoint
from tests.helpers.tiny_files import write_store
from tests.helpers.tiny_run import TINY
from tests.training.ddp_worker import leave

ROOT = Path(__file__).parents[2]
WORKER = Path(__file__).with_name("ddp_worker.py")
PROCESSES = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
STEPS = 5
SETTINGS = [
    *TINY,
    "optimizer=rmsprop",
    # Small steps, shallow hourglasses, a light structure term: with the demo's own values rounding grows tenfold and
    # more a step, through the STN and back, and one process with another memory layout is no closer to itself.
    "model.generator.heb.depth=1",
    "loss.structure.weight=0.003",
    "optimizer.lr=4e-5",
    "optimizer.discriminator_lr=3e-5",
    # RMSprop divides by the gradient's size, so a gradient that is 0 but for rounding (a bias in front of batch
    # normalisation) makes a full step in any direction. With a large eps a step is as large as its gradient.
    "optimizer.eps=1.0",
    "optimizer.schedule.cooldown=0",
    "model.discriminator.dropout=0",  # drawn by process
    "model.discriminator.spatial_dropout=0",
    "trainer.max_epochs=1",
    "trainer.log_every_n_steps=1",
]


def python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=ROOT, check=False, timeout=300)


def run(folder: Path, *overrides: str) -> list[dict[str, Any]]:
    """What both processes left, by rank."""
    folder.mkdir()
    done = python(str(WORKER), str(folder), *SETTINGS, *PROCESSES, *overrides)
    assert done.returncode == 0, done.stderr
    return [torch.load(path, weights_only=True) for path in sorted(folder.glob("*.pt"))]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("ddp")
    write_store(folder / "train", 4 * STEPS, seed=1)
    write_store(folder / "val", 3, seed=2)
    return [f"data.train=[{folder}/train]", f"data.val=[{folder}/val]"]


def test_two_processes_equal_one_with_twice_the_batch(tmp_path: Path, faces: list[str]) -> None:
    first, second = run(tmp_path / "two", *faces, "data.batch_size=2")
    leave(str(tmp_path), [*SETTINGS, *faces, "data.batch_size=4"])
    one = torch.load(tmp_path / "0.pt", weights_only=True)
    moved = 0.0
    for name, tensor in first["networks"].items():
        assert torch.equal(tensor, second["networks"][name]), f"{name} differs between the processes"
        assert torch.allclose(tensor.float(), one["networks"][name].float(), rtol=0, atol=1e-5), name
        if "running" not in name and "tracked" not in name:
            assert torch.allclose(tensor, one["networks"][name], rtol=0, atol=1e-6), name
            moved = max(moved, float((tensor - one["start"][name]).abs().max()))
    assert moved > 1e-4, "a hundred times what is allowed to differ"
    tracked = [tensor for name, tensor in first["networks"].items() if name.endswith("num_batches_tracked")]
    assert tracked
    assert all(tensor == STEPS for tensor in tracked)
    # Validation: 2 faces in one process, 1 in the other; means over all 3.
    for name, value in one["metrics"].items():
        if name.startswith("val/"):
            assert first["metrics"][name] == second["metrics"][name] == pytest.approx(value, abs=1e-3), name


TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.mark.parametrize("launcher", [TORCHRUN, []], ids=["torchrun", "by itself"])
def test_two_processes_draw_the_faces_once_and_make_one_run(
    launcher: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    srun = tmp_path / "bin" / "srun"  # where it is installed, Lightning advises to use it
    srun.parent.mkdir()
    srun.write_text("#!/bin/sh\n")
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", str(srun.parent), prepend=os.pathsep)
    out = tmp_path / "run"
    settings = [*TINY, f"data.synthetic.out={tmp_path}/faces", "data.synthetic.train=8", "data.synthetic.val=2"]
    done = python(*launcher, "-m", "src.train", *settings, *PROCESSES, "trainer.max_epochs=1", f"run_dir={out}")
    assert done.returncode == 0, done.stderr
    assert load_checkpoint(out / "checkpoints/last.ckpt").iterations == 2, "8 faces, 2 processes, batches of 2"
    assert not [*out.rglob("*.tmp"), *out.rglob("*.partial")]
    assert "site-packages" not in done.stderr, "a library's advice to whoever wrote the code"
    first, second = torch.load(out / "checkpoints/last.ckpt", weights_only=True)["random_states"]
    assert not torch.equal(first["torch"], second["torch"]), "each process draws dropout masks of its own"
    assert (out / "train.log").read_text().count("newest checkpoint") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "faces", "run"]


def test_an_error_of_both_is_said_once_and_ends_both(tmp_path: Path, faces: list[str]) -> None:
    diverges = ["optimizer.lr=1e30", "guard.max_consecutive=1", f"run_dir={tmp_path}/run"]
    done = python("-m", "src.train", *TINY, *PROCESSES, *faces, *diverges)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("error: ") == 1, done.stderr
    assert "error: training has diverged" in done.stderr
    assert "Traceback" not in done.stderr
