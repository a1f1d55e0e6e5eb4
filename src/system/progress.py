"""Progress of a command: a bar in a terminal, plain lines if the output goes to a file."""

import sys
import time
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_A_LINE = 10.0

Say = Callable[[str], None]
"""Shows one line to the user."""


class FaceProgress:
    """A context manager that counts faces and rejects, and shows the rate and the time left on stderr.

    Args:
        title: what is being done.
        total: expected number of faces; may be an estimate.
    """

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.done, self.rejected = title, total, 0, 0
        self._start = self._last_line = time.monotonic()
        console = Console(file=sys.stderr)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._bar = Progress(*columns, TimeRemainingColumn(), console=console) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.add_task(self.title, total=self.total, note="")
            self._bar.start()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, faces: int, rejected: int = 0) -> None:
        """Add finished faces and rejects to the counts."""
        self.done += faces
        self.rejected += rejected
        now = time.monotonic()
        rate = self.done / max(now - self._start, 1e-9)
        note = f"{rate:,.0f} faces/s" + (f", {self.rejected} rejected" if self.rejected else "")
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=self.done + self.rejected, note=note)
        elif now - self._last_line >= SECONDS_A_LINE:
            self._last_line = now
            left = max(self.total - self.done - self.rejected, 0) / rate if rate else float("inf")
            sys.stderr.write(f"{self.title}: {self.done:,}/{self.total:,} faces, {left:,.0f} s left, {note}\n")
            sys.stderr.flush()
