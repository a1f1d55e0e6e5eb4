"""Files in the page's folder: each under the name that it is downloaded with, and deleted when it is old."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.image.encode import png_bytes

SECONDS: Final = 3600.0
"""How long uploads and results are kept."""
EVERY: Final = 60.0
"""Seconds between looks at the folder."""
SALT: Final = os.urandom(16)
"""Makes the paths unknown to those who know a picture."""


def keep(folder: Path, name: str, content: bytes) -> str:
    """The path of a file of this name and content, in a folder of its own that only this user may read.

    The same name and content have the same path. A browser may be reading the file at that moment, so it is replaced in
    one step. Gradio would overwrite the pictures that it is given as arrays, so the page gives it paths.
    """
    inner = folder / f"made_{hashlib.sha256(SALT + os.fsencode(name) + b'/' + content).hexdigest()}"
    inner.mkdir(mode=0o700, exist_ok=True)
    os.utime(inner)  # `sweep` would take an empty one of an earlier time
    with NamedTemporaryFile(dir=inner, delete=False) as written:
        try:
            written.write(content)
            written.flush()
            os.replace(written.name, inner / name)  # noqa: PTH105 - the atomic rename is the point
        except BaseException:
            Path(written.name).unlink(missing_ok=True)
            raise
    return str(inner / name)


def keep_picture(folder: Path, pixels: NDArray[np.uint8]) -> str:
    """The path of (H, W, 3) uint8 pixels as a PNG, kept as `keep` says."""
    return keep(folder, "image.png", png_bytes(Image.fromarray(pixels)))


def keep_photograph(folder: Path, pixels: NDArray[np.uint8]) -> str:
    """The same as a lossy WebP, which is much smaller: for what is shown and not saved."""
    webp = BytesIO()
    Image.fromarray(pixels).save(webp, "WEBP")
    return keep(folder, "image.webp", webp.getvalue())


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
