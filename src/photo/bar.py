"""The progress of the files, and of the frames of a video, as bars in a terminal."""

import sys
from collections.abc import Callable
from typing import Any, Self


class Bar:
    """A context manager that shows bars on stderr while that is a terminal; else it shows nothing.

    Args:
        files: how many there are; a bar of one file is shown for a video alone.
    """

    def __init__(self, files: int) -> None:
        self._files, self._bar = files, None if not sys.stderr.isatty() else _progress()
        self._part: Any = None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
            self._all = self._bar.add_task("", total=self._files, visible=self._files > 1)
        return self

    def __exit__(self, *raised: object) -> None:
        if self._bar:
            self._bar.stop()

    def file(self) -> None:
        """Count a file as done."""
        if self._bar:
            self._bar.advance(self._all)
            self.part("", 0)

    def part(self, what: str, total: int) -> Callable[[], None]:
        """Begin another part of the work on a file, in place of the part before; "" for none.

        Args:
            what: it is, in a word or two.
            total: frames; 0: unknown.

        Returns:
            What counts a frame as done.
        """
        if not self._bar:
            return lambda: None
        if self._part is not None:
            self._bar.remove_task(self._part)
            self._part = None
        if not what:
            return lambda: None
        self._part = part = self._bar.add_task(what, total=total or None)
        bar = self._bar
        return lambda: bar.advance(part)


def _progress() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(file=sys.stderr), transient=True)
