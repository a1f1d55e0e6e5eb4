"""A run that is killed ten times, at any moment, ends as one that was never killed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from tests.helpers.tiny_files import write_store
from tests.helpers.tiny_run import NETWORKS
from tests.training.test_resume import same_run

ROOT = Path(__file__).parents[2]

# Imports once, then forks a process a command line: importing takes longer than the run.
FORKS = """
import os, sys, traceback
import src.training.run
import src.training.assembly, src.callbacks.curves, src.callbacks.panel, src.logger.metrics_csv
import albumentations
from src.config.compose import compose
from src.training.config import TrainConfig
src.callbacks.curves.draw_curves = lambda *_: None  # takes longer than the training here
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            src.training.run.train(compose("train", TrainConfig, line.split()))
            code = 0
        except SystemExit as end:
            code = end.code
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Runs:
    """Starts runs that can be killed."""

    def __init__(self, log: Path) -> None:
        self.log = log.open("w")
        self.server = subprocess.Popen(
            [sys.executable, "-c", FORKS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert self.said() == "ready"

    def said(self) -> str:
        assert self.server.stdout is not None
        return self.server.stdout.readline().strip()

    def start(self, words: list[str]) -> int:
        assert self.server.stdin is not None
        print(*words, file=self.server.stdin, flush=True)
        return int(self.said())

    def code(self) -> int:
        return int(self.said())

    def close(self) -> None:
        assert self.server.stdin is not None
        self.server.stdin.close()
        self.server.wait()
        self.log.close()


def test_ten_kills_change_no_bit(tmp_path: Path) -> None:
    write_store(tmp_path / "train", 20, seed=1)
    write_store(tmp_path / "val", 2, seed=2)
    words = [
        "experiment=demo", "trainer=cpu", "callbacks.progress=none", "callbacks.performance=false", "callbacks.panel=0",
        *NETWORKS, "trainer.val_every_n_epochs=1", "data.batch_size=2", "data.workers=1", "trainer.max_epochs=3",
        "trainer.log_every_n_steps=3", "callbacks.save_every_n_steps=2",
        f"data.train=[{tmp_path}/train]", f"data.val=[{tmp_path}/val]",
    ]  # fmt: skip
    runs = Runs(tmp_path / "log")
    try:
        began = time.monotonic()
        runs.start([*words, f"run_dir={tmp_path}/straight"])
        assert runs.code() == 0, (tmp_path / "log").read_text()
        took = time.monotonic() - began

        # The n-th kill hits when so many batches have been saved and a while after, in training, validating or saving.
        last = tmp_path / "killed/checkpoints/last.ckpt"
        chance = random.Random(7)
        codes = []
        for wanted in sorted(chance.sample(range(1, 28), 10)):
            child = runs.start([*words, f"run_dir={tmp_path}/killed"])
            while alive(child):
                if iterations(last) >= wanted - 1:
                    time.sleep(chance.uniform(0, took / 20))
                    break
                time.sleep(0.005)
            if alive(child):
                os.kill(child, signal.SIGKILL)
            codes.append(runs.code())
        assert codes.count(-signal.SIGKILL) >= 8, "most of them were hit"
        runs.start([*words, f"run_dir={tmp_path}/killed"])
        assert runs.code() == 0, (tmp_path / "log").read_text()
    finally:
        runs.close()
    same_run(tmp_path / "straight", tmp_path / "killed")
    assert "resuming from" in (tmp_path / "killed/train.log").read_text()


def iterations(path: Path) -> int:
    try:
        return int(torch.load(path, weights_only=True, mmap=True)["iterations"])
    except FileNotFoundError:
        return -1


def alive(child: int) -> bool:
    """Whether a process runs; one that has ended and was not yet waited for does not."""
    try:
        return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
