"""Runs in processes of their own, which are sent real signals."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.helpers.tiny_files import write_store
from tests.helpers.tiny_run import NETWORKS, WHOLE

ROOT = Path(__file__).parents[2]
TINY = ["experiment=demo", "trainer=cpu", "callbacks.progress=none", *NETWORKS, *WHOLE, "data.batch_size=2",
        "data.workers=1"]  # fmt: skip


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("stores")
    paths = write_store(folder / "train", 20, seed=1), write_store(folder / "val", 2, seed=2)
    return [f"data.{path.name}=[{path}]" for path in paths]


class Run:
    """An endless run in a process group of its own, as a terminal or a job's step would start it."""

    def __init__(self, folder: Path, stores: list[str], *overrides: str, **environment: str) -> None:
        self.folder = folder
        self.words = [sys.executable, "-m", "src.train", *TINY, *stores, "trainer.max_epochs=100000",
                      "trainer.val_every_n_epochs=100000", "logger=none", "callbacks.save_every_seconds=null",
                      "callbacks.save_every_n_steps=10", f"run_dir={folder}", *overrides]  # fmt: skip
        self.process = subprocess.Popen(
            self.words,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )
        deadline = time.monotonic() + 240
        while not self.last.exists():  # it trains by now
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)

    @property
    def last(self) -> Path:
        return self.folder / "checkpoints/last.ckpt"

    def ends(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=240)
        return self.process.returncode, said

    def iterations(self) -> int:
        return int(torch.load(self.last, weights_only=True)["iterations"])


@pytest.fixture
def started(tmp_path: Path, stores: list[str]) -> Iterator[list[Run]]:
    runs: list[Run] = []
    yield runs
    for run in runs:
        if run.process.poll() is None:
            os.killpg(run.process.pid, signal.SIGKILL)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_whole_group_saves_and_ends_with_its_code(
    number: signal.Signals, code: int, tmp_path: Path, stores: list[str], started: list[Run]
) -> None:
    run = Run(tmp_path / "run", stores)
    started.append(run)
    os.killpg(run.process.pid, number)  # the loader's worker gets it too
    ended, said = run.ends()
    assert ended == code, said
    assert "Traceback" not in said
    lines = said.strip().splitlines()
    assert lines[-2] == f"{number.name}: saved {run.last}: the same command with run_dir={run.folder} resumes the run"
    assert lines[-1] == f"run folder: {run.folder}"
    if number == signal.SIGTERM:
        return  # once is enough
    saved = run.iterations()
    again = Run(tmp_path / "run", stores)
    started.append(again)
    while again.iterations() < saved + 10:
        assert again.process.poll() is None
        time.sleep(0.05)
    os.killpg(again.process.pid, signal.SIGKILL)
    assert f"resuming from {run.last}: {saved} batches done" in (tmp_path / "run/train.log").read_text()


def test_a_signal_in_a_validation_loses_no_batch_before_it(
    tmp_path: Path, stores: list[str], started: list[Run]
) -> None:
    # An epoch is ten batches, of which the seventh is saved; the validation takes minutes.
    faces = write_store(tmp_path / "faces", 3000, seed=3)
    words = [
        "callbacks.save_every_n_steps=7",
        "trainer.val_every_n_epochs=1",
        "trainer.log_every_n_steps=1",
        "logger=csv",
    ]
    run = Run(tmp_path / "run", [stores[0], f"data.val=[{faces}]"], *words)
    started.append(run)
    while "\n10," not in (run.folder / "metrics.csv").read_text():
        assert run.process.poll() is None
        time.sleep(0.05)
    time.sleep(1)
    os.killpg(run.process.pid, signal.SIGTERM)
    code, said = run.ends()
    assert code == 143, said
    assert run.iterations() == 10


def test_slurms_signal_requeues_the_job(tmp_path: Path, stores: list[str], started: list[Run]) -> None:
    command = tmp_path / "bin" / "scontrol"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    run = Run(tmp_path / "run", stores, SLURM_JOB_ID="42", PATH=f"{command.parent}:{os.environ['PATH']}")
    started.append(run)
    os.killpg(run.process.pid, signal.SIGUSR1)
    code, said = run.ends()
    assert code == 138, said
    assert (tmp_path / "asked").read_text().split() == ["requeue", "42"]
    assert "SIGUSR1: saved" in said


def test_a_second_ctrl_c_ends_a_batch_that_hangs(tmp_path: Path, stores: list[str], started: list[Run]) -> None:
    # The worker stands still, so no batch ends any more.
    run = Run(tmp_path / "run", stores)
    started.append(run)
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split()
    workers = [int(child) for child in children]
    assert workers
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    time.sleep(1.0)  # what the worker had ready is used up
    os.kill(run.process.pid, signal.SIGINT)
    time.sleep(0.5)
    assert run.process.poll() is None, "the first one waits for the batch"
    os.kill(run.process.pid, signal.SIGINT)
    assert run.process.wait(timeout=20) == 130
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    assert run.iterations() % 10 == 0, "what was saved before is whole"


LET_THROUGH = """
import os, signal, time
from src.data.module import start_worker
parent, child = os.getpid(), os.fork()
if child == 0:
    start_worker(0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])  # as if a library's thread let it through
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.2)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_loaders_worker_outlives_a_signal_that_is_not_its_parents() -> None:
    done = subprocess.run([sys.executable, "-c", LET_THROUGH], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "7"
