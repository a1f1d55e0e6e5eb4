"""The compared methods that are networks, beside the light generator: training speed and the time for one face."""

import torch

from benchmarks.report import Figure
from src.config.compose import compose
from src.system.memory import freed_memory
from src.training.config import TrainConfig
from src.training.tuning import FullStep, Setting, fast_bfloat16, fastest_seconds

CPU = torch.device("cpu")
ROUNDS = 2
FACES = 8
EXPERIMENTS = (
    "celeba16x_light",
    "stn0",
    "baseline/plain_light",
    "baseline/srresnet",
    "baseline/srgan",
    "baseline/xu2017",
    "baseline/urdgn",
    "baseline/tdae",
)
WORDS = ["data.train=[none]", "data.val=[none]", "loss.feature.weights=random", "trainer=cpu"]


@freed_memory("kept")  # as a training does
def run() -> list[Figure]:
    """Faces a second of the whole step in the fastest common precision, and milliseconds for one face in float32."""
    setting = Setting("bf16-mixed" if fast_bfloat16(gpu=False) else "32-true", channels_last=True)
    figures = []
    for experiment in EXPERIMENTS:
        config = compose("train", TrainConfig, [f"experiment={experiment}", *WORDS])
        (seconds,) = fastest_seconds([FullStep(config, setting, CPU, FACES)], ROUNDS, CPU)
        network, lr = config.model.generator.build().eval(), torch.rand(1, 3, 16, 16) * 2 - 1
        with torch.inference_mode():
            (latency,) = fastest_seconds([lambda network=network, lr=lr: network(lr)], 5 * ROUNDS, CPU)  # type: ignore[misc]
        figures += [
            Figure(f"{experiment} step, batch of {FACES}, {setting}", FACES / seconds, "faces/s", "", None),
            Figure(f"{experiment}, one face, fp32", 1e3 * latency, "ms", "", None),
        ]
    return figures
