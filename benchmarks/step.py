"""The step time of a run's loop, with all callbacks and logging at every step, against a bare loop; the data wait."""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer

from benchmarks.report import Figure, at_most
from benchmarks.store import write_store
from src.callbacks.signals import Signals
from src.config.compose import compose
from src.data.batch import Pairs
from src.data.module import FaceData
from src.system.memory import freed_memory
from src.system.plain import to_plain
from src.trainer import machine_of
from src.training.config import TrainConfig
from src.training.module import FaceSR
from src.training.resume import save_config
from src.training.run import quieten, trainer_of
from src.training.steps import discriminator_half, generator_half, laid_out

STEPS, ROUNDS = 14, 8
BATCH = 16
SETTINGS = [
    "experiment=celeba16x_light",
    "loss.feature.weight=0",
    "trainer=cpu",
    "trainer.log_every_n_steps=1",
    "trainer.profiler=simple",
    "callbacks.progress=none",
]


class StepClock(Callback):
    """Notes the seconds from the end of one batch to the end of the next, from the third batch on."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.ended = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        if batch_idx >= 2:
            self.seconds.append(now - self.ended)
        self.ended = now


def bare_step(module: FaceSR, optimizers: list[torch.optim.Optimizer], pairs: Pairs) -> None:
    """The same two updates without Lightning: the same networks, losses and optimisers."""
    discriminator = module.discriminator
    assert discriminator is not None
    pairs = laid_out(pairs, torch.channels_last)
    output = module.generator(pairs.lr)
    loss, _ = discriminator_half(discriminator, pairs, output.image.detach())
    optimizers[1].zero_grad()
    loss.backward()
    optimizers[1].step()
    discriminator.requires_grad_(False)
    total, _ = generator_half(module.objective, discriminator, output, pairs, epoch=0)
    optimizers[0].zero_grad()
    total.backward()
    optimizers[0].step()
    discriminator.requires_grad_(True)


@freed_memory("kept")  # as a training does
def run() -> list[Figure]:
    """Median step times, their ratio, and the data wait; the loops take turns, as single rounds differ by a tenth."""
    quieten()
    with tempfile.TemporaryDirectory() as folder:
        write_store(Path(folder) / "train", BATCH * STEPS)
        stores = [f"data.{split}=[{folder}/train]" for split in ("train", "val")]
        framework, bare, waits = [], [], []
        for number in range(ROUNDS):
            words = [f"run_dir={folder}/{number}", "trainer.max_epochs=1", "trainer.val_every_n_epochs=2"]
            config = compose("train", TrainConfig, [*SETTINGS, *stores, *words])
            torch.manual_seed(0)
            module, clock = FaceSR(config), StepClock()
            data = FaceData(config.data, config.model.generator.heatmap_side, config.seed)
            save_config(Path(config.run_dir), to_plain(config))
            trainer, _ = trainer_of(config, machine_of(config.trainer), Signals(), clock)
            trainer.fit(module, data)
            # The first two batches wait for the workers to start.
            fetched = trainer.profiler.recorded_durations["[_TrainingEpochLoop].train_dataloader_next"][2:STEPS]  # type: ignore[attr-defined]
            framework += (np.array(clock.seconds) - fetched).tolist()
            waits.append(float(np.sum(fetched) / np.sum(clock.seconds)))

            module.train()
            optimizers = module.configure_optimizers()
            seconds = []
            for batch in data.train_dataloader():  # its workers use the CPU here too
                start = time.perf_counter()
                bare_step(module, optimizers, data.on_after_batch_transfer(batch, 0))
                seconds.append(time.perf_counter() - start)
            bare += seconds[2:]
    return [
        Figure("light step, a run's loop, batch of 16", float(np.median(framework)) * 1e3, "ms", "", None),
        Figure("light step, bare loop, batch of 16", float(np.median(bare)) * 1e3, "ms", "", None),
        at_most("light step, run over bare loop", float(np.median(framework) / np.median(bare)), "x", 1.05),
        at_most("wait for data, 2 workers, share of the time", 100 * float(np.median(waits)), "%", 3),
    ]
