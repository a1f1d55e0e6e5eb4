"""Files in the page's folder: each under the name that it is downloaded with, and deleted when it is old."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
    """Delete the files of a folder, at any depth, that were written longer ago than so many seconds."""
    oldest = time.time() - seconds
    for path in [*folder.rglob("*")]:
        try:
            if path.is_file() and path.stat().st_mtime < oldest:
                path.unlink()
        except OSError:  # Gradio has deleted it, or writes it again
            continue
