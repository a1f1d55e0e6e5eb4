"""How far an evaluation is: a bar where a person watches, plain lines where output goes to a file."""

import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_A_LINE = 10.0


class Counter:
    """Progress on stderr, a context manager that gives the function to call with the number of faces just done.

    Args:
        title: what is done.
        total: faces to expect.
    """

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.done = title, total, 0
        self._last_line = self._start = time.monotonic()
        console = Console(file=sys.stderr)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console) if console.is_terminal else None

    def __enter__(self) -> Callable[[int], None]:
        if self._bar:
            self._bar.add_task(self.title, total=self.total)
            self._bar.start()
        return self._advance

    def __exit__(self, *raised: object) -> None:
        if self._bar:
            self._bar.stop()

    def _advance(self, faces: int) -> None:
        self.done += faces
        now = time.monotonic()
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=self.done)
        elif now - self._last_line >= SECONDS_A_LINE:
            self._last_line = now
            rate = self.done / (now - self._start)
            left = (self.total - self.done) / rate
            sys.stderr.write(
                f"{self.title}: {self.done:,}/{self.total:,} faces, {rate:,.0f} faces/s, {left:,.0f} s left\n"
            )
            sys.stderr.flush()
