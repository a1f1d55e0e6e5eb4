"""Writing files so that each is whole at every moment: the old one or the new one, whenever the process is killed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(*paths: Path, own_name: bool = False) -> Iterator[tuple[Path, ...]]:
    """Hidden names beside `paths` to write to; the files take their places when the block ends, none if it raises.

    A kill leaves at most `.NAME.partial` behind, which the next write takes up.

    Args:
        paths: where the files go; their folders exist.
        own_name: add the process's number to the hidden names, for processes that write the same file at once.

    Raises:
        OSError: from the block, or from the renaming; what was there before is still there.
    """
    ending = f"{os.getpid()}.partial" if own_name else "partial"
    hidden = tuple(path.with_name(f".{path.name}.{ending}") for path in paths)
    try:
        yield hidden
        for written, path in zip(hidden, paths, strict=True):
            os.replace(written, path)  # noqa: PTH105 - the atomic rename is the point
    finally:
        for written in hidden:
            written.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file, text in UTF-8, in place of what is there; OSError leaves that as it is."""
    with replacing(path) as (hidden,):
        hidden.write_bytes(content.encode() if isinstance(content, str) else content)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put_in_place(written: Path, path: Path) -> None:
    """Give a written file its name in one step, in place of what has it, and wait until the disk knows."""
    os.replace(written, path)  # noqa: PTH105 - the atomic rename is the point
    sync(path.parent)
