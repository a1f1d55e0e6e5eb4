"""`curves.png` in the run folder, kept up to date from `metrics.csv`."""

import logging
from pathlib import Path

from lightning import Callback, LightningModule, Trainer

from src.report.curves import draw_curves

log = logging.getLogger(__name__)


class Curves(Callback):
    """Draws the curves at each validation and at the end of the training.

    Args:
        run_dir: the run folder.
    """

    def __init__(self, run_dir: str) -> None:
        self.run_dir = Path(run_dir)
        self._drawn = -1

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, with the validation's metrics."""
        self.draw(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw what came after the last validation."""
        if self._drawn != trainer.fit_loop.total_batch_idx:
            self.draw(trainer)

    def draw(self, trainer: Trainer) -> None:
        """Write `curves.png`; a picture that cannot be drawn does not end a training."""
        if not trainer.is_global_zero:
            return
        self._drawn = trainer.fit_loop.total_batch_idx
        for logger in trainer.loggers:
            logger.save()
        try:
            draw_curves(self.run_dir / "metrics.csv", self.run_dir / "curves.png")
        except OSError as error:
            log.warning("curves.png cannot be written (%s)", error)
