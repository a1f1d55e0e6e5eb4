import csv
import time
from pathlib import Path

import pytest
import torch
from lightning import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from src.callbacks.logger_clock import LoggerClock
from src.callbacks.performance import Performance, peak_memory
from src.data.batch import Pairs
from src.logger.metrics_csv import MetricsCsv
from src.training.run import train
from tests.helpers.tiny_run import tiny_run

STEP, WAIT, VALIDATION = 0.03, 0.01, 0.5


class SlowFaces(Dataset[Pairs]):
    """Each batch of 4 takes WAIT seconds to read."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> Pairs:
        time.sleep(WAIT)
        return Pairs(*(torch.zeros(4, 1) for _ in Pairs._fields))


class SlowModule(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch: Pairs, index: int) -> Tensor:
        time.sleep(STEP)
        return self.layer(batch.lr).sum()

    def validation_step(self, batch: Pairs, index: int) -> None:
        time.sleep(VALIDATION / 12)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row.get("perf/step_ms")]


def test_steps_and_waits_are_told_apart_and_validation_is_neither(tmp_path: Path) -> None:
    loaders = [DataLoader(SlowFaces(), batch_size=None) for _ in range(2)]
    trainer = Trainer(max_epochs=2, accelerator="cpu", logger=MetricsCsv(str(tmp_path)), log_every_n_steps=6,
                      callbacks=[LoggerClock(), Performance()], enable_checkpointing=False, val_check_interval=4,
                      num_sanity_val_steps=0, enable_progress_bar=False, enable_model_summary=False)  # fmt: skip
    trainer.fit(SlowModule(), *loaders)
    found = rows(tmp_path)
    assert [int(row["iterations"]) for row in found] == [6, 12, 18, 24]
    for row in found:
        # No upper bounds of times: a busy machine sleeps longer. A validation in a window would double these.
        assert float(row["perf/step_ms"]) >= 1000 * STEP
        assert 0.05 < float(row["perf/data_wait"]) < 0.6
        seconds = 4 / float(row["perf/faces_per_second"])  # a batch
        step = float(row["perf/step_ms"]) / 1000
        assert step + WAIT <= seconds
        assert seconds == pytest.approx(step / (1 - float(row["perf/data_wait"])), rel=1e-6)


def test_a_real_run_logs_it_beside_the_losses(tmp_path: Path) -> None:
    train(tiny_run(tmp_path, "trainer.max_epochs=2"))
    found = rows(tmp_path / "out")
    assert [int(row["iterations"]) for row in found] == [2, 4, 6]
    assert all(row["loss/total"] for row in found)
    # This process with torch in it: between 100 MiB and 100 GiB, so the unit is right.
    assert all(0.1 < float(row["perf/memory_gib"]) < 100 for row in found)


def test_peak_memory_of_the_process_is_at_least_what_it_holds() -> None:
    before = peak_memory(torch.device("cpu"))
    block = torch.ones(2**26)  # 256 MiB
    assert peak_memory(torch.device("cpu")) >= min(before + 2**20, 2**28)
    assert block.numel() == 2**26
