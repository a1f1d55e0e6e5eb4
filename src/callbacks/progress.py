"""The callbacks that show progress: a bar at a terminal, plain lines elsewhere."""

import sys
import time
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar

from src.callbacks.config import CallbacksConfig


def duration(seconds: float) -> str:
    """A number of seconds as H:MM:SS."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


class ProgressLines(Callback):
    """One line every few seconds: epoch, batch, faces per second, the main losses; one more after each validation.

    Args:
        seconds: least time between two lines.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.started = self.printed = time.monotonic()
        self.faces = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self.started = self.printed = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count the faces; print a line if one is due."""
        self.faces += len(batch.lr) * trainer.world_size
        now = time.monotonic()
        if now - self.printed < self.seconds or not trainer.is_global_zero:
            return
        losses = " ".join(
            f"{name.removeprefix('loss/')} {float(value):.4g}"
            for name, value in trainer.callback_metrics.items()
            if name.startswith("loss/")
        )
        speed = self.faces / (now - self.printed)
        _say(
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            f" batch {batch_idx + 1}/{trainer.num_training_batches} | {speed:.0f} faces/s |"
            f" {duration(now - self.started)} | {losses}"
        )
        self.faces, self.printed = 0, now

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the validation's metrics."""
        if not trainer.is_global_zero:
            return
        validated = [name for name in trainer.callback_metrics if name.startswith("val")]
        validated.sort(key=lambda name: name.startswith("val_ema/"))
        metrics = {name: float(trainer.callback_metrics[name]) for name in validated}
        _say(f"epoch {trainer.current_epoch + 1} " + " ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
        # Do not count the validation as training time.
        self.faces, self.printed = 0, time.monotonic()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def build_progress(config: CallbacksConfig) -> list[Callback]:
    """The progress callback that the configuration and the terminal ask for."""
    style = config.progress
    if style == "auto":
        style = "bar" if sys.stderr.isatty() else "lines"
    if style == "bar":
        return [RichProgressBar(console_kwargs={"stderr": True})]
    return [ProgressLines(config.progress_seconds)] if style == "lines" else []
