"""The speed of the full training step on this CPU, by precision and memory layout, against that of convolutions."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.report import Figure, at_least
from src.config.compose import compose
from src.system.memory import freed_memory
from src.training.config import TrainConfig
from src.training.tuning import FullStep, Setting, fast_bfloat16, fastest_seconds

CPU = torch.device("cpu")
ROUNDS = 4
EXPERIMENTS = {"celeba16x": 8, "celeba16x_light": 16}  # faces a step
STORES = ["data.train=[none]", "data.val=[none]", "loss.feature.weights=random", "trainer=cpu"]
PLAIN = Setting("32-true", channels_last=False)
LAST = Setting("32-true", channels_last=True)
BF16 = Setting("bf16-mixed", channels_last=True)


CONVOLUTION = 2 * 16 * 64 * 64 * 64 * 64 * 9
"""Operations of a 3x3 convolution, 64 to 64 channels, 64x64 pixels, batch of 16."""
REPEATS = 200
"""This many convolutions take some seconds, as long as a step, so that other load on the machine slows both equally."""


def convolutions(layout: torch.memory_format) -> Callable[[], None]:
    """That convolution, repeated, in fp32."""
    images = torch.rand(16, 64, 64, 64).to(memory_format=layout)
    weights = torch.rand(64, 64, 3, 3).to(memory_format=layout)

    def run() -> None:
        with torch.no_grad():
            for _ in range(REPEATS):
                F.conv2d(images, weights, padding=1)

    return run


def step_flops(config: TrainConfig) -> float:
    """Floating-point operations of a training step per face; a multiplication with its addition counts as two."""
    with FlopCounterMode(display=False) as counter:
        FullStep(config, PLAIN, CPU, batch_size=2)()
    return float(counter.get_total_flops()) / 2


@freed_memory("kept")  # as a training does
def run() -> list[Figure]:
    """Faces per second of every setting, timed in turn; best over plain; share of the convolution's speed."""
    figures = []
    kinds = [PLAIN, LAST, *([BF16] if fast_bfloat16(gpu=False) else [])]
    for experiment, faces in EXPERIMENTS.items():
        config = compose("train", TrainConfig, [f"experiment={experiment}", *STORES])
        steps = [FullStep(config, kind, CPU, faces) for kind in kinds]
        layouts = (torch.contiguous_format, torch.channels_last) if experiment == "celeba16x" else ()
        taken = fastest_seconds([*steps, *map(convolutions, layouts)], ROUNDS, CPU)
        seconds = dict(zip(kinds, taken, strict=False))
        for kind, best in seconds.items():
            figures.append(Figure(f"{experiment} step, batch of {faces}, {kind}", faces / best, "faces/s", "", None))
        figures.append(
            at_least(f"{experiment} step, best over plain", seconds[PLAIN] / min(seconds.values()), "x", 1.15)
        )
        if experiment == "celeba16x":
            flops = step_flops(config) * faces
            peak = CONVOLUTION * REPEATS / min(taken[len(kinds) :])
            share = flops / min(seconds[PLAIN], seconds[LAST]) / peak
            figures += [
                Figure("convolution 3x3, 64 to 64, 64x64, batch of 16, fp32", peak / 1e9, "GFLOP/s", "", None),
                Figure("celeba16x step, operations a face", flops / faces / 1e9, "GFLOP", "", None),
                at_least("celeba16x step, fp32, share of that convolution's speed", 100 * share, "%", 50),
            ]
    return figures
