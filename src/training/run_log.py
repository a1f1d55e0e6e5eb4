"""Where a run's log lines go: the terminal, and `train.log` in its folder."""

import logging
import sys
from contextlib import suppress
from pathlib import Path

from src.system.errors import UserError
from src.system.processes import first_process

LOG = "train.log"
PROJECT_LOG = logging.getLogger("src")


def log_to_console() -> None:
    """Show the log on stderr: of the first process its information, of the others warnings alone."""
    PROJECT_LOG.setLevel(logging.INFO if first_process() else logging.WARNING)
    for handler in [handler for handler in PROJECT_LOG.handlers if type(handler) is logging.StreamHandler]:
        PROJECT_LOG.removeHandler(handler)  # stderr may be another one since the last run of this process
    PROJECT_LOG.addHandler(logging.StreamHandler(sys.stderr))


def log_to(path: Path | None) -> None:
    """Write the log to this file too, and to no other: the jobs of a sweep may run in one process."""
    for handler in [handler for handler in PROJECT_LOG.handlers if isinstance(handler, logging.FileHandler)]:
        PROJECT_LOG.removeHandler(handler)
        with suppress(OSError):  # a full disk was reported before
            handler.close()
    if path is not None:
        try:
            PROJECT_LOG.addHandler(logging.FileHandler(path, encoding="utf-8", errors="backslashreplace"))
        except OSError as error:
            raise UserError(f"{path} cannot be written ({error}); free some space, or name another run_dir") from error
