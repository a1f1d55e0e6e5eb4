"""Peak memory of the full training step of `celeba16x`, with and without activation checkpointing."""

import subprocess
import sys

from benchmarks.report import Figure, at_least

BATCH = 8
STEPS = """
import sys, torch
from benchmarks.throughput import CPU, LAST, STORES
from src.config.compose import compose
from src.config.train import TrainConfig
from src.trainer import keeps_freed_memory
from src.training.memory import keep_freed_memory
from src.tuning import FullStep
words = ["experiment=celeba16x", f"trainer.checkpoint_activations={sys.argv[1]}", *STORES]
config = compose("train", TrainConfig, words)
if keeps_freed_memory(config.trainer):  # as a training does
    keep_freed_memory()
step = FullStep(config, LAST, CPU, int(sys.argv[2]))
for _ in range(12):  # it grows a little over the first ones
    step()
# Not getrusage: its peak begins with that of the process that started this one.
print(next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak(checkpointed: bool) -> float:
    """Peak resident memory in MB of a process of its own that does twelve steps."""
    words = [sys.executable, "-c", STEPS, str(checkpointed).lower(), str(BATCH)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def run() -> list[Figure]:
    """Both, and what is saved."""
    plain, less = peak(False), peak(True)
    name = f"celeba16x step, batch of {BATCH}, peak memory"
    return [
        Figure(name, plain, "MB", "", None),
        Figure(f"{name}, checkpoint_activations", less, "MB", "", None),
        at_least("memory that checkpoint_activations saves", 100 * (1 - less / plain), "%", 30),
    ]
