"""The callback that sets the loggers' step to the number of the batch."""

from typing import Any

from lightning import Callback, LightningModule, Trainer


class LoggerClock(Callback):
    """Keeps the step that Lightning gives to the loggers equal to the number of the batch, counted from 0.

    Lightning raises its own counter after the hooks, so each resume from a checkpoint inside an epoch leaves the
    counter one behind. The losses' steps would then miss the steps at which Lightning writes, and no loss would be
    logged any more.
    """

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Set the step before the training step."""
        set_step(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set the step; a validation after the training gets the last batch's number too."""
        set_step(trainer)


def set_step(trainer: Trainer) -> None:
    """Set Lightning's step for loggers to the number of the current batch, at least 0."""
    trainer.fit_loop.epoch_loop._batches_that_stepped = max(trainer.fit_loop.total_batch_idx, 0)
