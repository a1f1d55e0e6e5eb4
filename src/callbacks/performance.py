"""How fast a run is, and what holds it up: faces a second, the share of waiting for data, memory."""

import resource
import sys
import time
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

GIB = 2**30


class Performance(Callback):
    """Logs `perf/*` every `log_every_n_steps` batches, over the batches since the last time.

    - `perf/faces_per_second`: of all processes together;
    - `perf/step_ms`: from a batch's arrival to its end: pairs, heatmaps and both updates;
    - `perf/data_wait`: share of the time from one batch's end to the next one's arrival from the loader, 0-1;
    - `perf/memory_gib`: the most so far: of tensors on the GPU, or of the process on a CPU.

    Validating and saving are not in it, and neither is the batch after them or the first one, whose wait would be
    theirs. The GPU is not waited for: it works behind the loop, and catches up where the losses of the same step are
    checked.
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
        """Begin anew."""
        if pl_module.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(pl_module.device)  # of a sweep's run before
        self._ended = None
        self._clear()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """What follows is not training."""
        self._ended = None

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Saving between two batches is not waiting for data."""
        self._ended = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """The batch is there, since a moment in which its pairs were made."""
        arrived = getattr(trainer.datamodule, "arrived", None)  # type: ignore[attr-defined]
        self._started = time.perf_counter() if arrived is None else arrived
        self._counts = self._ended is not None
        if self._ended is not None:
            self._waiting += self._started - self._ended

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """The batch is done; log when it is time."""
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
        # Not by pl_module.log, which would send them to the GPU and wait for them to come back.
        for logger in trainer.loggers:
            logger.log_metrics(values, step)


def peak_memory(device: torch.device) -> int:
    """The most bytes that were in use so far: by tensors on a GPU, by this process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Kilobytes, on macOS bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
