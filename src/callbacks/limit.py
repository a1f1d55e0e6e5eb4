"""The callback that turns `trainer.limit_*_batches` from a share into a number of batches, at least one."""

from lightning import Callback, LightningModule, Trainer


class LimitByShare(Callback):
    """Turns shares of the batches into numbers of them; Lightning refuses 1 % of fewer than a hundred batches.

    Args:
        train: share of the training batches of an epoch, above 0 and at most 1; None: no change.
        val: the same for the batches of a validation.
    """

    def __init__(self, train: float | None, val: float | None) -> None:
        self.train, self.val = train, val

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set the numbers: the data is set up by now, and the loops have not read it yet."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if self.train is not None:
            trainer.limit_train_batches = max(1, round(self.train * len(data.train_dataloader())))
        if self.val is not None:
            trainer.limit_val_batches = max(1, round(self.val * len(data.val_dataloader())))
