"""Checkpoints: `last.ckpt` and `best.ckpt` at every validation and at the end, whole or not at all."""

import math
import os
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer

from src.errors import UserError


class Checkpoints(Callback):
    """Writes `checkpoints/last.ckpt` and, when the monitored metric rose, `checkpoints/best.ckpt`.

    Lightning's ModelCheckpoint counts optimiser steps and never saves by time under manual optimisation. A run that
    `max_time` cut in mid-epoch is validated and saved by `train` when the fit is over.

    Args:
        run_dir: the run folder.
        monitor: the metric to keep the best of; higher is better.
    """

    def __init__(self, run_dir: str, monitor: str) -> None:
        self.folder, self.monitor = Path(run_dir) / "checkpoints", monitor
        self.best: float | None = None
        self.saved_at = -1

    @property
    def last_path(self) -> Path:
        """Where the newest checkpoint lies."""
        return self.folder / "last.ckpt"

    @property
    def best_path(self) -> Path:
        """Where the best checkpoint lies."""
        return self.folder / "best.ckpt"

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save."""
        broken = [name for name, tensor in pl_module.state_dict().items() if not tensor.isfinite().all()]
        if broken:
            raise UserError(
                f"training has diverged: {broken[0]} is not finite; lower optimizer.lr. "
                f"The checkpoints in {self.folder} are from before"
            )
        value = trainer.callback_metrics.get(self.monitor)
        score = None if value is None else float(value)
        # NaN is never better, and nothing would be better than a NaN.
        if score is not None and not math.isnan(score) and (self.best is None or score > self.best):
            self.best = score
            self.save(trainer, self.best_path)
        self.save(trainer, self.last_path)

    def save(self, trainer: Trainer, path: Path) -> None:
        """Write to a temporary name, then rename: a kill leaves the old file or the new one."""
        temporary = path.with_suffix(".tmp")
        try:
            trainer.save_checkpoint(temporary)
            if trainer.is_global_zero:
                os.replace(temporary, path)  # noqa: PTH105 - the atomic rename is the point
        except (OSError, RuntimeError) as error:  # torch's writer says a full disk in a RuntimeError
            temporary.unlink(missing_ok=True)
            why = str(error).splitlines()[0]
            raise UserError(f"{path} cannot be written ({why}); free some space: the same command goes on") from error
        self.saved_at = trainer.fit_loop.total_batch_idx

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.best = state_dict["best"]
