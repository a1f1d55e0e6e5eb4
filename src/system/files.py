"""Atomic file writes: at any moment a file is complete, old or new, even if the process is killed."""

import os
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

NOWHERE: Final = "link that leads nowhere: mount its disk, or remove it"
"""Why a file cannot be read that is a link without a target."""


def listable(name: str) -> bool:
    """Whether a file's name can stand in a list: no control character, line end, or byte that is not UTF-8 is in it.

    Blanks of other scripts count as letters do: macOS writes one into the names of screenshots.
    """
    return not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name)


def printable(path: Path | str) -> str:
    r"""A path as text that can be printed and written as UTF-8: bytes of it that are no text become \udcXX."""
    return utf8(str(path)).decode()


@contextmanager
def replacing(*paths: Path, own_name: bool = False) -> Iterator[tuple[Path, ...]]:
    """Hidden paths beside `paths` to write to, renamed to `paths` when the block ends, deleted if it raises.

    A killed process leaves at most hidden files behind; `.NAME.partial` is replaced by the next write. With several
    paths, a rename that fails leaves those before it renamed.

    Args:
        paths: the final paths; their folders must exist.
        own_name: add the process id to the hidden names, for processes that write the same file at the same time.

    Raises:
        OSError: from the block, which leaves the old files in place, or from a rename.
    """
    ending = f"{os.getpid()}.partial" if own_name else "partial"
    hidden = tuple(path.with_name(f".{path.name}.{ending}") for path in paths)
    try:
        yield hidden
        for written, path in zip(hidden, paths, strict=True):
            os.replace(written, path)  # noqa: PTH105 - the atomic rename is the point
    except BaseException:
        for written in hidden:
            with suppress(OSError):  # the error above is the one to tell
                written.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes | str) -> None:
    """Write or replace a file in one step, text as `utf8`; an OSError leaves the old file unchanged."""
    with replacing(path) as (hidden,):
        hidden.write_bytes(utf8(content) if isinstance(content, str) else content)


def utf8(text: str) -> bytes:
    r"""Text as UTF-8; a character that it cannot hold (of a name whose bytes are no UTF-8) as an escape, `\udce9`."""
    return text.encode("utf-8", errors="backslashreplace")


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put_in_place(written: Path, path: Path) -> None:
    """Rename a written file to `path` in one step, replacing any old file, and wait until the rename is on the disk."""
    os.replace(written, path)  # noqa: PTH105 - the atomic rename is the point
    sync(path.parent)


def from_home(path: str) -> str:
    """A path with `~` or `~/` at its beginning replaced by the home folder; a shell does not do so after `key=`."""
    return os.path.expanduser(path) if path == "~" or path.startswith("~/") else path  # noqa: PTH111 - keeps the rest
