"""Peak memory of `celeba16x`'s full training step: as it is, with freed memory given back, activations recomputed."""

import subprocess
import sys

from benchmarks.report import Figure, at_least

BATCH = 8
STEPS = """
import sys, torch
from benchmarks.throughput import CPU, LAST, STORES
from src.config.compose import compose
from src.config.train import TrainConfig
from src.memory import freed_memory
from src.trainer import keeps_freed_memory
from src.tuning import FullStep
config = compose("train", TrainConfig, ["experiment=celeba16x", *STORES, *sys.argv[2:]])
with freed_memory(kept=keeps_freed_memory(config.trainer)):
    step = FullStep(config, LAST, CPU, int(sys.argv[1]))
    for _ in range(12):  # it grows a little over the first ones
        step()
# Not getrusage: its peak begins with that of the process that started this one.
print(next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak(*overrides: str) -> float:
    """Peak resident memory in MB of a process of its own that does twelve steps."""
    words = [sys.executable, "-c", STEPS, str(BATCH), *overrides]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def run() -> list[Figure]:
    """All three, and what recomputation saves of the second: neither of those two keeps freed memory."""
    kept, plain = peak(), peak("trainer.keep_freed_memory=false")
    less = peak("trainer.checkpoint_activations=true")
    name = f"celeba16x step, batch of {BATCH}, peak memory"
    return [
        Figure(name, kept, "MB", "", None),
        Figure(f"{name}, keep_freed_memory=false", plain, "MB", "", None),
        Figure(f"{name}, checkpoint_activations", less, "MB", "", None),
        at_least("memory that checkpoint_activations saves", 100 * (1 - less / plain), "%", 30),
    ]
