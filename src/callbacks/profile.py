"""The callback of `trainer.profiler`: it writes where a run's time goes to `profile.txt` in the run folder."""

import logging
from pathlib import Path
from typing import Any, Literal

import torch
from lightning import Callback, LightningModule, Trainer
from torch.profiler import ProfilerActivity, profile

log = logging.getLogger(__name__)

WARM_UP, BATCHES = 3, 5
"""Training batches before the profile of operations (they allocate and choose algorithms), and batches measured."""
ROWS = 40


class Profile(Callback):
    """Writes `profile.txt` when the training ends or fails.

    "simple" lists the time of every hook of the run. "operations" first lists the slowest operations of a few training
    batches, by their own time on the training device (without the operations that they call).

    Args:
        run_dir: the run folder.
        kind: simple or operations.
    """

    def __init__(self, run_dir: str, kind: Literal["simple", "operations"]) -> None:
        self.path, self.kind = Path(run_dir) / "profile.txt", kind
        self.operations: str | None = None
        self._profile: profile | None = None
        self._batches = 0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Start measuring after the warm-up."""
        if self.kind == "operations" and self._batches == WARM_UP and trainer.is_global_zero:
            activities = [ProfilerActivity.CPU]
            if pl_module.device.type == "cuda":
                activities.append(ProfilerActivity.CUDA)
            self._profile = profile(activities=activities)
            self._profile.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the batch; stop after the last measured one."""
        self._batches += 1
        if self._profile is not None and self._batches == WARM_UP + BATCHES:
            self._finish(pl_module.device.type)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write what was measured so far."""
        self._write(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the file."""
        self._write(trainer, pl_module)

    def _finish(self, device: str) -> None:
        if self._profile is not None:
            if device == "cuda":
                torch.cuda.synchronize()  # or the last batch's kernels would be missing
            self._profile.stop()
            measured = min(self._batches - WARM_UP, BATCHES)
            table = self._profile.key_averages().table(sort_by=f"self_{device}_time_total", row_limit=ROWS)
            self.operations = f"Operations of {measured} training batches, by their own time:\n\n{table}"
            self._profile = None

    def _write(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._finish(pl_module.device.type)
        if not trainer.is_global_zero:
            return
        parts = []
        if self.operations is not None:
            parts.append(self.operations)
        elif self.kind == "operations":
            parts.append(
                f"No operations: they are measured from training batch {WARM_UP + 1} on; train for more batches."
            )
        parts.append(f"Hooks of the whole run:\n\n{trainer.profiler.summary().strip()}")  # type: ignore[attr-defined]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("\n\n".join(parts) + "\n", encoding="utf-8", errors="backslashreplace")
        log.info("profile: %s", self.path)
