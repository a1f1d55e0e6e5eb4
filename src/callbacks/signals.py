"""What a run does when it is told to stop: the batch ends, a checkpoint is written, the process exits with 128 + n."""

import logging
import os
import signal
import subprocess
import threading
from types import FrameType
from typing import Any, Self

import torch
from lightning import Trainer

from src.system.processes import first_process

log = logging.getLogger(__name__)

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Ctrl-C; the end of a machine's or a job's time; what SLURM sends ahead of it (`sbatch --signal=USR1@90`)."""


class Stopped(SystemExit):
    """The run was told to stop. Its code is what a shell gives to a signal: 130 for Ctrl-C, 143 for SIGTERM.

    Args:
        number: of the signal.
        silent: exit with 0. So do all processes but the first: Lightning kills the whole run, the first one with it,
            when one that it has started ends with another code.
    """

    def __init__(self, number: int, silent: bool = False) -> None:
        super().__init__(0 if silent else 128 + number)
        self.number = number


class Signals:
    """Listens, while it is entered, for the signals that end a run.

    Outside of the training loop a signal ends the run at once; within it, it is kept in `received` for the loop to see
    between two batches, and only a second Ctrl-C ends the run at once. Lightning's own handlers, which would save
    nothing (SIGTERM) or in the middle of a batch (SLURM's), are set aside within the loop.

    Attributes:
        received: number of the signal, 0 for none.
        waits: within the loop.
    """

    def __init__(self) -> None:
        self.received = 0
        self.waits = False
        self._before: dict[signal.Signals, Any] = {}
        self._process = os.getpid()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # no other may set handlers
            self._before = {number: signal.getsignal(number) for number in STOPPING}
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait_for_the_batch(self, waits: bool) -> None:
        """Whether a signal is kept for the loop; to be called when the training starts and when it ends."""
        self.waits = waits
        self._listen()

    def _listen(self) -> None:
        for number in self._before:
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            return  # a loader's worker before it has set its own: the run's end is its end
        if not self.waits:
            raise Stopped(number, not first_process())
        if self.received and number == signal.SIGINT:
            os._exit(128 + number)
        self.received = self.received or number
        if first_process():  # not by the logger: this may have come in the middle of a line
            again = "; Ctrl-C again ends at once" if number == signal.SIGINT else ""
            os.write(
                2, f"\n{signal.Signals(number).name}: the batch ends, then a checkpoint is written{again}\n".encode()
            )


def largest(trainer: Trainer, *values: int) -> list[int]:
    """Each value's largest over the processes of a run, so that all of them stop and save at the same batch.

    With one process nothing happens. With several it is one message of a few bytes a batch, some tens of microseconds,
    and waits for the GPU no more than Lightning, which does the same before every batch for SIGTERM alone.
    """
    if trainer.world_size == 1:
        return list(values)
    all_of_them = torch.tensor(values, device=trainer.strategy.root_device)
    torch.distributed.all_reduce(all_of_them, torch.distributed.ReduceOp.MAX)
    return [int(value) for value in all_of_them.tolist()]


def requeue() -> None:
    """Ask SLURM to start this job again, where this is one."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", "") or error
        log.warning("the job was not requeued (%s): scontrol requeue %s", str(why).strip(), job)
    else:
        log.info("SLURM starts job %s again", job)
