"""The callback that logs faces per second, step time, the share of waiting for data and peak memory."""

import resource
import sys
import time
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

GIB = 2**30


class Performance(Callback):
    """Logs `perf/*` every `log_every_n_steps` batches, over the batches since the last log.

    - `perf/faces_per_second`: of all processes together;
    - `perf/step_ms`: ms from a batch's arrival to its end: pairs, heatmaps and both updates;
    - `perf/data_wait`: share of the time spent waiting for the loader between two batches, 0-1;
    - `perf/memory_gib`: peak so far in GiB: of tensors on the GPU, or of the process on a CPU.

    Validations and saves do not count, nor do the first batch and the batch after each of them, whose wait would
    include them. The clock does not wait for the GPU, which runs behind the loop and catches up when the guard checks
    the losses of the same step.
    """

    def __init__(self) -> None:
        self._started = 0.0
        self._ended: float | None = None
        self._counts = False
        self._clear()

    def _clear(self) -> None:
        self._stepping = self._waiting = 0.0
        self._batches = self._faces = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start over."""
        if pl_module.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(pl_module.device)  # they may be those of a sweep's last job
        self._ended = None
        self._clear()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Do not count the validation."""
        self._ended = None

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Do not count a save between two batches as waiting for data."""
        self._ended = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Note when the batch arrived, which was before its pairs were made."""
        arrived = getattr(trainer.datamodule, "arrived", None)  # type: ignore[attr-defined]
        self._started = time.perf_counter() if arrived is None else arrived
        self._counts = self._ended is not None
        if self._ended is not None:
            self._waiting += self._started - self._ended

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the batch; log every `log_every_n_steps` batches."""
        self._ended = time.perf_counter()
        if self._counts:
            self._stepping += self._ended - self._started
            self._batches += 1
            self._faces += len(batch.lr)
        step = trainer.fit_loop.total_batch_idx
        if (step + 1) % trainer.log_every_n_steps or not self._batches:  # type: ignore[attr-defined]
            return
        total = self._stepping + self._waiting
        values = {
            "perf/faces_per_second": self._faces * trainer.world_size / total,
            "perf/step_ms": 1000 * self._stepping / self._batches,
            "perf/data_wait": self._waiting / total,
            "perf/memory_gib": peak_memory(pl_module.device) / GIB,
        }
        self._clear()
        # Not pl_module.log: it would move the values to the GPU and wait for them to come back.
        for logger in trainer.loggers:
            logger.log_metrics(values, step)


def peak_memory(device: torch.device) -> int:
    """Peak memory in bytes so far: of tensors on a GPU, of this process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # ru_maxrss is in kilobytes, on macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
