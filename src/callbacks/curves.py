"""The callback that redraws `curves.png` in the run folder from `metrics.csv`."""

import logging
from pathlib import Path

from lightning import Callback, LightningModule, Trainer

from src.report.curves import draw_curves
from src.system.errors import UserError
from src.system.extras import extras_named

log = logging.getLogger(__name__)


class Curves(Callback):
    """Draws the curves at each validation and at the end of the training; warns once if Matplotlib is not installed.

    Args:
        run_dir: the run folder.
    """

    def __init__(self, run_dir: str) -> None:
        self.run_dir = Path(run_dir)
        self._drawn = -1
        self._can_draw = True

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the curves, this validation's metrics included."""
        self.draw(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw again if batches came after the last validation."""
        if self._drawn != trainer.fit_loop.total_batch_idx:
            self.draw(trainer)

    def draw(self, trainer: Trainer) -> None:
        """Write `curves.png`; if it cannot be drawn or written, warn and let the training continue."""
        if not (self._can_draw and trainer.is_global_zero):
            return
        self._drawn = trainer.fit_loop.total_batch_idx
        for logger in trainer.loggers:
            logger.save()
        try:
            with extras_named():
                draw_curves(self.run_dir / "metrics.csv", self.run_dir / "curves.png")
        except UserError as missing:
            self._can_draw = False
            log.warning("curves.png is not drawn: %s", missing)
        except OSError as error:
            log.warning("curves.png cannot be written (%s)", error)
