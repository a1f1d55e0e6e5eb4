"""The clock of the loggers: the number of the batch."""

from typing import Any

from lightning import Callback, LightningModule, Trainer


class LoggerClock(Callback):
    """Keeps the step that Lightning gives to the loggers at the number of the batch, counted from 0.

    Lightning has a counter of its own for that, which falls behind by one with each resume from a checkpoint that was
    saved within an epoch, because it is raised after the hooks. The losses' steps would then no longer be the ones
    at which Lightning writes, and no loss be logged again.
    """

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Before the training step."""
        set_step(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A validation after the training has the last batch's number too."""
        set_step(trainer)


def set_step(trainer: Trainer) -> None:
    """Set Lightning's step for loggers by the run's clock."""
    trainer.fit_loop.epoch_loop._batches_that_stepped = max(trainer.fit_loop.total_batch_idx, 0)
