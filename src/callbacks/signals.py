"""How signal n stops a run: the batch ends, a checkpoint is saved, the process exits with 128 + n."""

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
"""Ctrl-C; the end of a machine's or job's time; SLURM's warning before that end (`sbatch --signal=USR1@90`)."""


class Stopped(SystemExit):
    """A signal stopped the run. The exit code is the shell's for that signal: 130 for Ctrl-C, 143 for SIGTERM.

    Args:
        number: number of the signal.
        silent: exit with 0, as all processes but the first do: if a process that Lightning started ends with another
            code, Lightning kills the whole run, the first process included.
    """

    def __init__(self, number: int, silent: bool = False) -> None:
        super().__init__(0 if silent else 128 + number)
        self.number = number


class Signals:
    """A context manager that receives the signals that stop a run.

    Outside the training loop a signal stops the run at once. Inside it, `received` keeps the signal until the loop
    reads it between two batches; only a second Ctrl-C stops the run at once. It then also replaces Lightning's own
    handlers, which would save nothing (SIGTERM) or save in the middle of a batch (SLURM's).

    Attributes:
        received: number of the signal, 0 for none.
        waits: whether a signal waits for the loop.
    """

    def __init__(self) -> None:
        self.received = 0
        self.waits = False
        self._before: dict[signal.Signals, Any] = {}
        self._process = os.getpid()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # no other thread may set handlers
            self._before = {number: signal.getsignal(number) for number in STOPPING}
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait_for_the_batch(self, waits: bool) -> None:
        """Set whether a signal waits for the loop; call it when the training starts and when it ends."""
        self.waits = waits
        self._listen()

    def _listen(self) -> None:
        for number in self._before:
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            return  # a loader's worker that has not set its own handlers yet: it ends with the run
        if not self.waits:
            raise Stopped(number, not first_process())
        if self.received and number == signal.SIGINT:
            os._exit(128 + number)
        self.received = self.received or number
        if first_process():  # not by the logger: the signal may have interrupted it in the middle of a line
            again = "; press Ctrl-C again to stop at once" if number == signal.SIGINT else ""
            os.write(
                2, f"\n{signal.Signals(number).name}: stopping after this batch and a checkpoint{again}\n".encode()
            )


def largest(trainer: Trainer, *values: int) -> list[int]:
    """The maximum of each value over the processes of a run, so that all of them stop and save at the same batch.

    One process sends nothing. Several exchange a few bytes before each batch, in some tens of microseconds. This waits
    for the GPU no more than Lightning, which does the same before every batch for SIGTERM.
    """
    if trainer.world_size == 1:
        return list(values)
    all_of_them = torch.tensor(values, device=trainer.strategy.root_device)
    torch.distributed.all_reduce(all_of_them, torch.distributed.ReduceOp.MAX)
    return [int(value) for value in all_of_them.tolist()]


def requeue() -> None:
    """Ask SLURM to start this job again; outside of SLURM, do nothing."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", "") or error
        log.warning("the job was not requeued (%s); to requeue it: scontrol requeue %s", str(why).strip(), job)
    else:
        log.info("SLURM will start job %s again", job)
