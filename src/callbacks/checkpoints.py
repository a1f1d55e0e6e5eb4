"""Checkpoints: `last.ckpt`, the one before it and `best.ckpt`, each whole at every moment."""

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
"""Our choice: saving by time takes at most this share of the run; a large model on a slow disk is saved less often."""


class Checkpoints(Callback):
    """Writes `checkpoints/last.ckpt`, keeps the one before as `previous.ckpt` and the one of the best as `best.ckpt`.

    Saved is between two batches: every so many batches or seconds, after each validation, before one that is long in
    coming, when a signal asks for the end of the run, and at the end. Everything logged of the batches before is on the
    disk by then. The callback has to be the first one: what the others do before a batch is done again when the run
    goes on there.

    Lightning's ModelCheckpoint counts optimiser steps and never saves by time under manual optimisation.

    Args:
        run_dir: the run folder.
        monitor: the metric to keep the best of; higher is better.
        every_steps: save every so many batches; None: not by number.
        every_seconds: save when so many seconds have passed since the last time; None: not by time.
        accumulate: batches of one update, which is never cut.
        signals: that end the run.

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
        """Where the newest checkpoint lies."""
        return self.folder / "last.ckpt"

    @property
    def previous_path(self) -> Path:
        """Where the one before lies."""
        return self.folder / "previous.ckpt"

    @property
    def best_path(self) -> Path:
        """Where the best checkpoint lies."""
        return self.folder / "best.ckpt"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write in our own way."""
        trainer.strategy.checkpoint_io = ToDisk()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on with the random numbers of the checkpoint, for a run that has nothing left to train too."""
        if self._random is not None:
            set_random_state(self._random)
        elif trainer.global_rank:
            # The networks are there, alike in all processes; the dropout masks of their faces must not be.
            torch.manual_seed(torch.initial_seed() + trainer.global_rank)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Once more, after all that was set up since; from now on signals wait for the end of a batch."""
        if self._random is not None:
            set_random_state(self._random)
            self._random = None
        self._saved_at, self._saved_batches = time.monotonic(), batches_done(trainer)
        self.signals.wait_for_the_batch(True)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Between two batches: save if it is time, stop if that is asked for."""
        if batch_idx % self.accumulate:
            return
        self._save_or_stop(trainer, self.save)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Before a validation, which may take long, save if it is time."""
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking:
            return
        self._save_or_stop(trainer, self._save_before_validation)

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Stop if that is asked for: what was trained is saved, the validation will be done again."""
        # Several processes may have different numbers of batches here, and cannot agree.
        if self.signals.received and trainer.world_size == 1:
            if trainer.state.fn == TrainerFn.FITTING and batches_done(trainer) != self._saved_batches:
                self._save_before_validation(trainer)
            raise self._stopped(trainer, self.signals.received)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the score; saved is before the next batch, when all that belongs to this validation is done."""
        if trainer.sanity_checking:
            return
        self._news, self.validated = True, batches_done(trainer)
        value = trainer.callback_metrics.get(self.monitor)
        score = None if value is None else float(value)
        # NaN is never better, and nothing would be better than a NaN.
        if score is not None and not math.isnan(score) and (self.best is None or score > self.best):
            self.best, self._improved = score, True
        if trainer.state.fn != TrainerFn.FITTING:
            self.save(trainer)  # the training is over

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the end."""
        self.save(trainer)
        self.signals.wait_for_the_batch(False)
        signal, *_ = largest(trainer, self.signals.received)
        if signal:
            raise self._stopped(trainer, signal)

    def save(self, trainer: Trainer) -> None:
        """Write `last.ckpt`, and `best.ckpt` if a validation since the last time was the best; in all processes.

        Raises:
            UserError: weights that are not finite, which overwrite nothing; a full disk, which leaves what is there.
        """
        started = time.monotonic()
        self._check_weights(trainer)
        temporary = self.folder / "checkpoint.tmp"
        problem = ""
        try:
            trainer.save_checkpoint(temporary)
        except OSError as error:
            problem = str(error)
            trainer.strategy.barrier("Trainer.save_checkpoint")  # the other processes wait there
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
                f"{self.last_path} cannot be written ({problem}); the checkpoint before is still there. "
                "Free some space: the same command goes on"
            )
        self._improved = self._news = False
        self._saved_at, self._saved_batches = time.monotonic(), batches_done(trainer)
        self._cost = self._saved_at - started

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know."""
        return {"best": self.best, "monitor": self.monitor, "validated": self.validated}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of `state_dict`; the best begins anew without a `best.ckpt` here or with another metric."""
        before = state_dict.get("monitor", self.monitor)
        if before != self.monitor:
            log.info("best.ckpt is by %s from here on, not by %s", self.monitor, before)
        known = self.best_path.is_file() and before == self.monitor
        self.best = state_dict["best"] if known else None
        self.validated = state_dict.get("validated")

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Say exactly where the run is."""
        settle_counters(checkpoint["loops"], trainer.num_training_batches, self._before_validation)
        checkpoint["processes"] = trainer.world_size
        checkpoint[KEY] = random_states(trainer)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep the random numbers for the start of the training."""
        states = checkpoint.get(KEY)
        self._random = None if states is None else states[min(trainer.global_rank, len(states) - 1)]
        if checkpoint.get("processes", trainer.world_size) != trainer.world_size:
            begin_epoch_anew(checkpoint["loops"])  # other processes deal out other batches; see FaceData

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
        # Groups of batches may step over the very number.
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
                f"training has diverged: {broken[0]} is not finite. The checkpoints in {self.folder} are from before: "
                f"resume={self.folder.parent} run_dir=NEW_FOLDER and a lower optimizer.lr"
            )

    def _put_in_place(self, written: Path) -> None:
        if self._improved:
            # First: a kill before `last.ckpt` follows makes the run validate, and find this score, again.
            _name_also(written, self.best_path)
        if self.last_path.exists():
            _name_also(self.last_path, self.previous_path)
        put_in_place(written, self.last_path)

    def _stopped(self, trainer: Trainer, signal: int) -> Stopped:
        return Stopped(signal, not trainer.is_global_zero)


def batches_done(trainer: Trainer) -> int:
    """Batches over since the beginning of the run, at any moment."""
    over: Any = trainer.fit_loop.epoch_loop.batch_progress.total
    return int(over.processed)


def _name_also(file: Path, name: Path) -> None:
    """Give a file a second name, in place of what had it, in one step; a copy where the disk knows no second names."""
    with replacing(name) as (hidden,):
        hidden.unlink(missing_ok=True)
        try:
            os.link(file, hidden)
        except OSError:
            shutil.copyfile(file, hidden)
