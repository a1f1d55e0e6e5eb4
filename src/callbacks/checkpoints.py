"""The callback that saves `last.ckpt`, `previous.ckpt` and `best.ckpt`, so that none is ever incomplete."""

import logging
import math
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from src.callbacks.signals import Signals, Stopped, largest
from src.callbacks.state import KEY, begin_epoch_anew, random_states, set_random_state, settle_counters
from src.callbacks.to_disk import ToDisk
from src.system.errors import UserError
from src.system.files import put_in_place, replacing

log = logging.getLogger(__name__)

MOST = 0.05
"""Our choice: saving by time takes at most this share of the run, so a slow disk is written to less often."""


class Checkpoints(Callback):
    """Writes `checkpoints/last.ckpt`, keeps the one before it as `previous.ckpt` and the best one as `best.ckpt`.

    It saves only between two updates: by number of batches, by time, after each validation, before a validation if a
    save is due, when a signal stops the run, and at the end. By then all logs of earlier batches are on the disk. It
    must be the first callback: a resumed run repeats the batch-start hooks, so none may run before the save.

    Lightning's ModelCheckpoint counts optimiser steps and never saves by time under manual optimisation.

    Args:
        run_dir: the run folder.
        monitor: the metric that selects `best.ckpt`; higher is better.
        every_steps: batches between two saves; None: never save by number.
        every_seconds: seconds between two saves; None: never save by time.
        accumulate: batches per update; no save falls inside an update.
        signals: the signals that stop the run.

    Attributes:
        best: the best score so far.
        validated: batches done at the last validation, None before the first.
    """

    def __init__(
        self,
        run_dir: str,
        monitor: str,
        every_steps: int | None = None,
        every_seconds: float | None = None,
        accumulate: int = 1,
        signals: Signals | None = None,
    ) -> None:
        self.folder, self.monitor = Path(run_dir) / "checkpoints", monitor
        self.every_steps, self.every_seconds, self.accumulate = every_steps, every_seconds, accumulate
        self.signals = signals or Signals()
        self.best: float | None = None
        self.validated: int | None = None
        self._improved = self._news = False  # since the last save: a better score, a validation
        self._saved_at, self._cost = time.monotonic(), 0.0
        self._saved_batches = 0
        self._before_validation = False
        self._random: dict[str, Any] | None = None

    @property
    def last_path(self) -> Path:
        """Path of the newest checkpoint."""
        return self.folder / "last.ckpt"

    @property
    def previous_path(self) -> Path:
        """Path of the checkpoint before the newest."""
        return self.folder / "previous.ckpt"

    @property
    def best_path(self) -> Path:
        """Path of the best checkpoint."""
        return self.folder / "best.ckpt"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let `ToDisk` write the checkpoints."""
        trainer.strategy.checkpoint_io = ToDisk()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the random states of the checkpoint, even if nothing is left to train."""
        if self._random is not None:
            set_random_state(self._random)
        elif trainer.global_rank:
            # All processes have built the same networks by now; their dropout masks must differ.
            torch.manual_seed(torch.initial_seed() + trainer.global_rank)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the random states again, in case the set-up drew numbers; from now on signals wait for the batch."""
        if self._random is not None:
            set_random_state(self._random)
            self._random = None
        self._saved_at, self._saved_batches = time.monotonic(), batches_done(trainer)
        self.signals.wait_for_the_batch(True)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Between two batches: save if a save is due, stop if a signal has come."""
        if batch_idx % self.accumulate:
            return
        self._save_or_stop(trainer, self.save)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Before a validation, which may take long: save if a save is due, stop if a signal has come."""
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking:
            return
        self._save_or_stop(trainer, self._save_before_validation)

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Stop if a signal has come: save what was trained; the resumed run repeats the validation."""
        # Several processes may have different numbers of validation batches, so they cannot agree here.
        if self.signals.received and trainer.world_size == 1:
            if trainer.state.fn == TrainerFn.FITTING and batches_done(trainer) != self._saved_batches:
                self._save_before_validation(trainer)
            raise self._stopped(trainer, self.signals.received)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the score; the save follows before the next batch, when everything of this validation is done."""
        if trainer.sanity_checking:
            return
        self._news, self.validated = True, batches_done(trainer)
        value = trainer.callback_metrics.get(self.monitor)
        score = None if value is None else float(value)
        # A NaN must not become the best: no later score would beat it.
        if score is not None and not math.isnan(score) and (self.best is None or score > self.best):
            self.best, self._improved = score, True
        if trainer.state.fn != TrainerFn.FITTING:
            self.save(trainer)  # the validation after the training

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save, then stop if a signal has come."""
        self.save(trainer)
        self.signals.wait_for_the_batch(False)
        signal, *_ = largest(trainer, self.signals.received)
        if signal:
            raise self._stopped(trainer, signal)

    def save(self, trainer: Trainer) -> None:
        """Write `last.ckpt`, and `best.ckpt` if a validation since the last save was the best; call in all processes.

        Raises:
            UserError: a weight is not finite, or the disk is full; the checkpoints from before stay.
        """
        started = time.monotonic()
        self._check_weights(trainer)
        temporary = self.folder / "checkpoint.tmp"
        problem = ""
        try:
            trainer.save_checkpoint(temporary)
        except OSError as error:
            problem = str(error)
            trainer.strategy.barrier("Trainer.save_checkpoint")  # the other processes wait at it
        if trainer.is_global_zero and not problem:
            try:
                self._put_in_place(temporary)
            except OSError as error:
                problem = str(error)
        if trainer.world_size > 1:
            problem = trainer.strategy.broadcast(problem)
        if problem:
            if trainer.is_global_zero:
                temporary.unlink(missing_ok=True)
            raise UserError(
                f"{self.last_path} cannot be written ({problem}); the checkpoint before it is kept. "
                "Free some space: the same command resumes the run"
            )
        self._improved = self._news = False
        self._saved_at, self._saved_batches = time.monotonic(), batches_done(trainer)
        self._cost = self._saved_at - started

    def state_dict(self) -> dict[str, Any]:
        """The state that a resumed run needs."""
        return {"best": self.best, "monitor": self.monitor, "validated": self.validated}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of `state_dict`; without a `best.ckpt` here, or with another metric, the best score is reset."""
        before = state_dict.get("monitor", self.monitor)
        if before != self.monitor:
            log.info("best.ckpt is now chosen by %s, no longer by %s", self.monitor, before)
        known = self.best_path.is_file() and before == self.monitor
        self.best = state_dict["best"] if known else None
        self.validated = state_dict.get("validated")

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the exact position of the run, the number of processes and the random states."""
        settle_counters(checkpoint["loops"], trainer.num_training_batches, self._before_validation)
        checkpoint["processes"] = trainer.world_size
        checkpoint[KEY] = random_states(trainer)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep the random states for the start of the training; another number of processes restarts the epoch."""
        states = checkpoint.get(KEY)
        self._random = None if states is None else states[min(trainer.global_rank, len(states) - 1)]
        if checkpoint.get("processes", trainer.world_size) != trainer.world_size:
            begin_epoch_anew(checkpoint["loops"])  # another number of processes makes other batches; see FaceData

    def _save_or_stop(self, trainer: Trainer, save: Callable[[Trainer], None]) -> None:
        signal, due = largest(trainer, self.signals.received, self._is_due(batches_done(trainer)))
        if signal or due:
            save(trainer)
        if signal:
            raise self._stopped(trainer, signal)

    def _save_before_validation(self, trainer: Trainer) -> None:
        self._before_validation = True
        try:
            self.save(trainer)
        finally:
            self._before_validation = False

    def _is_due(self, batches: int) -> bool:
        # A group of batches may step over the exact multiple.
        by_number = (
            self.every_steps is not None and batches // self.every_steps > self._saved_batches // self.every_steps
        )
        waited = time.monotonic() - self._saved_at
        by_time = self.every_seconds is not None and waited >= max(self.every_seconds, self._cost / MOST)
        return self._news or by_number or by_time

    def _check_weights(self, trainer: Trainer) -> None:
        tensors = {name: x for name, x in trainer.lightning_module.state_dict().items() if x.is_floating_point()}
        sums = torch.stack([tensor.sum(dtype=torch.float64) for tensor in tensors.values()])  # one wait for the GPU
        broken = [name for name, fine in zip(tensors, sums.isfinite().tolist(), strict=True) if not fine]
        if broken:
            raise UserError(
                f"training has diverged: {broken[0]} is not finite. The checkpoints in {self.folder} are from before "
                f"that: train with resume={self.folder.parent} run_dir=NEW_FOLDER and a lower optimizer.lr"
            )

    def _put_in_place(self, written: Path) -> None:
        if self._improved:
            # First: if the run is killed before `last.ckpt` follows, it repeats the validation and finds this score.
            _name_also(written, self.best_path)
        if self.last_path.exists():
            _name_also(self.last_path, self.previous_path)
        put_in_place(written, self.last_path)

    def _stopped(self, trainer: Trainer, signal: int) -> Stopped:
        return Stopped(signal, not trainer.is_global_zero)


def batches_done(trainer: Trainer) -> int:
    """Batches done since the start of the run; valid at any moment."""
    over: Any = trainer.fit_loop.epoch_loop.batch_progress.total
    return int(over.processed)


def _name_also(file: Path, name: Path) -> None:
    """Hard-link a file to a second name and replace that name in one step; copy it where the disk has no hard links."""
    with replacing(name) as (hidden,):
        hidden.unlink(missing_ok=True)
        try:
            os.link(file, hidden)
        except OSError:
            shutil.copyfile(file, hidden)
