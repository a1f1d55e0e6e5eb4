"""Files in the page's folder: each under the name that it is downloaded with, and deleted when it is old."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

SECONDS: Final = 3600.0
"""How long uploads and results are kept."""
EVERY: Final = 60.0
"""Seconds between looks at the folder."""


def keep(folder: Path, name: str, content: bytes) -> str:
    """The path of a new file of this name, in a folder of its own that only this user may read."""
    path = Path(mkdtemp(prefix="made_", dir=folder)) / name
    path.write_bytes(content)
    return str(path)


@contextmanager
def swept(folder: Path, seconds: float = SECONDS, every: float = EVERY) -> Iterator[None]:
    """Have old files of a folder deleted by a thread until the block ends, whether anybody uses the page or not."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(every):
            sweep(folder, seconds)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def sweep(folder: Path, seconds: float) -> None:
    """Delete what a folder has at any depth: files written longer ago than so many seconds, folders empty for so long.

    A folder that was just made, for a file that is about to be written, stays.
    """
    oldest = time.time() - seconds
    for name, _, files in os.walk(folder, topdown=False):  # passes over a folder that vanishes
        inner = Path(name)
        for path in (*(inner / file for file in files), inner):
            try:
                if path.stat().st_mtime >= oldest or path == folder:
                    continue
                if path == inner:
                    path.rmdir()
                else:
                    path.unlink()
            except OSError:  # Gradio has deleted it, writes it again, or it is no empty folder
                continue


def size_of(folder: Path) -> int:
    """Bytes of a folder's files at any depth, while others write and delete there."""
    size = 0
    for name, _, files in os.walk(folder):
        for file in files:
            with suppress(OSError):  # deleted since it was listed
                size += (Path(name) / file).stat().st_size
    return size
