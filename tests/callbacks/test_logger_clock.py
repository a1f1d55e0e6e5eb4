import csv
from pathlib import Path

import torch
from lightning import Callback, Trainer

from src.callbacks.logger_clock import LoggerClock
from src.data.module import FaceData
from src.logger.metrics_csv import MetricsCsv
from src.training.module import FaceSR
from tests.helpers.tiny_run import tiny_run


class SaveAt(Callback):
    """Saves after a batch in mid-epoch, as a saver by iterations does."""

    def __init__(self, iterations: int, path: Path) -> None:
        self.iterations, self.path = iterations, path

    def on_train_batch_end(self, trainer: Trainer, *rest: object) -> None:
        if trainer.fit_loop.total_batch_idx + 1 == self.iterations:
            trainer.save_checkpoint(self.path)


def test_losses_stay_on_the_clock_over_a_resume_in_mid_epoch(tmp_path: Path) -> None:
    config = tiny_run(tmp_path, "trainer.max_epochs=3")  # 3 batches an epoch
    saved = tmp_path / "saved.ckpt"

    def run(epochs: int, resume: Path | None, *callbacks: Callback) -> Trainer:
        torch.manual_seed(1)
        trainer = Trainer(max_epochs=epochs, accelerator="cpu", logger=MetricsCsv(str(tmp_path)), log_every_n_steps=2,
                          callbacks=[LoggerClock(), *callbacks], enable_checkpointing=False, enable_progress_bar=False,
                          enable_model_summary=False, use_distributed_sampler=False)  # fmt: skip
        trainer.fit(FaceSR(config), FaceData(config.data, 32, 1), ckpt_path=resume, weights_only=True)
        return trainer

    run(1, None, SaveAt(2, saved))
    trainer = run(3, saved)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = [(int(row["iterations"]), row["loss/total"] != "") for row in csv.DictReader(file)]
    assert trainer.fit_loop.total_batch_idx + 1 == 9
    assert rows == [(2, True), (3, False), (4, True), (6, True), (6, False), (8, True), (9, False)]


def test_a_validation_after_the_training_is_at_the_last_batch(tmp_path: Path) -> None:
    config = tiny_run(tmp_path)
    trainer = Trainer(max_epochs=1, accelerator="cpu", logger=MetricsCsv(str(tmp_path)), limit_val_batches=1,
                      callbacks=[LoggerClock()], enable_checkpointing=False, enable_progress_bar=False,
                      enable_model_summary=False, num_sanity_val_steps=0, check_val_every_n_epoch=5)  # fmt: skip
    module, data = FaceSR(config), FaceData(config.data, 32, 1)
    trainer.fit(module, data)
    trainer.validate(module, data, verbose=False)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        assert [int(row["iterations"]) for row in csv.DictReader(file) if row["val/psnr_rgb"]] == [3]
