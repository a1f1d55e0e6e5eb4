"""How far a preparation is: a bar where a person watches, plain lines where output goes to a file."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_A_LINE = 10.0


class FaceProgress:
    """Counts faces and rejects, and shows the rate and the time left on stderr; a context manager.

    Args:
        title: what is being made.
        total: faces to expect; an estimate.
    """

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.done, self.rejected = title, total, 0, 0
        self._start = self._last_line = time.monotonic()
        console = Console(file=sys.stderr)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._bar = Progress(*columns, TimeRemainingColumn(), console=console) if console.is_terminal else None
        self._task = self._bar.add_task(title, total=total, note="") if self._bar else None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, faces: int, rejected: int) -> None:
        """Count what one job gave."""
        self.done += faces
        self.rejected += rejected
        now = time.monotonic()
        rate = self.done / max(now - self._start, 1e-9)
        if self._bar and self._task is not None:
            note = f"{rate:,.0f} faces/s, {self.rejected} rejected"
            self._bar.update(self._task, completed=self.done + self.rejected, note=note)
        elif now - self._last_line >= SECONDS_A_LINE:
            self._last_line = now
            left = max(self.total - self.done - self.rejected, 0) / rate if rate else float("inf")
            line = f"{self.title}: {self.done:,}/{self.total:,} faces, {rate:,.0f} faces/s, {left:,.0f} s left"
            sys.stderr.write(f"{line}, {self.rejected} rejected\n")
            sys.stderr.flush()
