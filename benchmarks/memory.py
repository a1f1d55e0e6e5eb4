"""Peak memory of training `celeba16x`: by default, freed memory left to the C library, activations recomputed."""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import Figure, at_least
from benchmarks.store import write_store

BATCH = 8
RUN = """
import sys
from src.config.compose import compose
from src.training.config import TrainConfig
from src.training.run import train
train(compose("train", TrainConfig, sys.argv[1:]))
# Not getrusage: its peak includes that of the process that started this one.
print(next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
SETTINGS = [
    "experiment=celeba16x",
    "logger=csv",
    "loss.feature.weights=random",
    "trainer=cpu",
    f"data.batch_size={BATCH}",
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=12",  # memory grows a little over the first ones
    "trainer.limit_val_batches=1",
    "callbacks.panel=0",
]


def peak(*overrides: str) -> float:
    """Peak resident memory in MB of the process of a short run, without its loader workers."""
    with tempfile.TemporaryDirectory() as folder:
        write_store(Path(folder) / "faces", 12 * BATCH)
        words = [*SETTINGS, *(f"data.{split}=[{folder}/faces]" for split in ("train", "val")), *overrides]
        command = [sys.executable, "-c", RUN, *words, f"run_dir={folder}/run"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def run() -> list[Figure]:
    """Peak memory of the three, and the share of it that recomputed activations save."""
    plain, usual = peak(), peak("trainer.keep_freed_memory=false")
    less = peak("trainer.checkpoint_activations=true")
    name = f"celeba16x, batch of {BATCH}, peak memory"
    return [
        Figure(name, plain, "MB", "", None),
        Figure(f"{name}, keep_freed_memory=false", usual, "MB", "", None),
        Figure(f"{name}, checkpoint_activations", less, "MB", "", None),
        at_least("memory that checkpoint_activations saves", 100 * (1 - less / plain), "%", 30),
    ]
