"""Writing of a store: into a hidden folder beside its final place, renamed when it is complete."""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from src.store.card import ARRAYS, MANIFEST, Card, Settings, StoredFile, StoreError, fingerprint, layout_of, write_card
from src.store.face import Face
from src.store.manifest import write_header, write_row
from src.system.errors import UserError
from src.system.files import sync

FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StoreWriter:
    """A context manager that writes a store; it leaves nothing behind unless `publish` was called.

    Faces go straight to disk, so memory use stays constant. The folder `.NAME.partial` beside the final one is locked
    during writing; what a killed run left in it is deleted.

    Args:
        final: the store's folder; it must not exist, or be empty, unless `overwrite`.
        overwrite: put the new store in the place of an old one, which stays until the new one is whole.
        margin: pixels of surroundings on each side of the 128x128 face.

    Raises:
        StoreError: another process is writing the same store.
    """

    def __init__(self, final: Path, overwrite: bool = False, margin: int = 0) -> None:
        self.final, self.overwrite, self.faces = final, overwrite, 0
        self.margin, self._layout = margin, layout_of(margin)
        self.folder = unfinished(final)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock: int | None = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._release()
            raise StoreError(f"{final} is being written by another process; wait for it or stop it") from None
        for left_over in self.folder.iterdir():
            left_over.unlink()
        self._files: dict[str, BinaryIO] = {name: (self.folder / name).open("wb") for name in ARRAYS}
        self._manifest = (self.folder / MANIFEST).open("w", encoding="utf-8", newline="")
        self._write_headers()
        write_header(self._manifest)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._open_files():
            with suppress(OSError):  # after a full disk; the folder is deleted below
                file.close()
        if self._lock is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._release()

    def add(self, face: Face, split: str = "") -> None:
        """Append a face; ValueError if an array's type or shape differs from the layout or a landmark is not finite."""
        arrays: dict[str, NDArray[Any]] = {
            "images.npy": face.image,
            "landmarks.npy": face.landmarks,
            "visible.npy": face.visible,
        }
        for name, (dtype, shape) in self._layout.items():
            if arrays[name].dtype != dtype or arrays[name].shape != shape:
                raise ValueError(f"{face.row.file}: {name} must be {dtype} {shape}")
        if not np.isfinite(face.landmarks).all():
            raise ValueError(f"{face.row.file}: landmarks must be finite")
        for name in ARRAYS:
            self._files[name].write(np.ascontiguousarray(arrays[name]).data)
        write_row(self._manifest, replace(face.row, split=split))
        self.faces += 1

    def close(self) -> None:
        """Finish the arrays and the manifest; no face can be added afterwards."""
        if self._manifest.closed:
            return
        self._write_headers()
        for file in self._open_files():
            file.flush()
            os.fsync(file.fileno())
            file.close()

    def seal(
        self, split: str, settings: Settings, source: Settings, rejected: int, crop: dict[str, str] | None = None
    ) -> Card:
        """Write the card with the hash of every file in `folder`; the store is then complete under its hidden name."""
        self.close()
        others = sorted(path.name for path in self.folder.iterdir() if path.name not in (*ARRAYS, MANIFEST))
        files = {name: stored_file(self.folder / name) for name in (*ARRAYS, MANIFEST, *others)}
        print_of_settings = fingerprint(settings)
        card = Card(
            self.faces, rejected, split, crop or {}, source, settings, print_of_settings, files, margin=self.margin
        )
        write_card(self.folder, card)
        return card

    def publish(self) -> None:
        """Rename the sealed store to its final name."""
        for path in self.folder.iterdir():
            sync(path)
        sync(self.folder)
        old = _set_aside(self.final)
        if self.overwrite and self.final.exists():
            shutil.rmtree(old, ignore_errors=True)
            self.final.rename(old)
        try:
            self.folder.rename(self.final)
        except OSError:
            recover(self.final)
            raise
        sync(self.final.parent)
        shutil.rmtree(old, ignore_errors=True)
        self._release()

    def _write_headers(self) -> None:
        """(Re)write the .npy headers; numpy pads them so that a growing first axis does not change their length."""
        for name, (dtype, shape) in self._layout.items():
            layout = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (self.faces, *shape)}
            self._files[name].seek(0)
            np.lib.format.write_array_header_1_0(self._files[name], layout)

    def _open_files(self) -> list[IO[Any]]:
        return [*self._files.values(), self._manifest]

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def recover(final: Path) -> None:
    """Restore the old store if a run was killed between the two renames of `publish`."""
    if _set_aside(final).exists() and not final.exists():
        _set_aside(final).rename(final)


def clear_leftovers(final: Path) -> None:
    """Delete what a killed run left beside a store: a replaced old store, an unfinished new one.

    Only the holder of the lock on the store's parts may call this.
    """
    recover(final)
    for folder in (_set_aside(final), unfinished(final)):
        shutil.rmtree(folder, ignore_errors=True)


def leftovers(final: Path) -> bool:
    """Whether a killed run left anything beside a store."""
    return _set_aside(final).exists() or unfinished(final).exists()


def unfinished(final: Path) -> Path:
    """The hidden folder of an unfinished store."""
    return final.parent / f".{final.name}.partial"


@contextmanager
def disk_errors(final: Path, needed: int) -> Iterator[None]:
    """Turn an OSError into a UserError, for a full disk with the free and the needed space.

    Args:
        final: the store that is written.
        needed: approximate bytes of the whole store.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise UserError(f"{final} cannot be written: {error.strerror or error}; choose another out=") from None
        raise UserError(full_disk(final, needed, error.strerror or "disk full")) from None


def full_disk(final: Path, needed: int, why: str) -> str:
    """The message for a disk that is too small."""
    place = next(folder for folder in (final, *final.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    return (
        f"{final} cannot be written ({why}): {free / 2**20:,.1f} MiB free, about {needed / 2**20:,.1f} MiB needed; "
        f"free some space, and the same command resumes; or choose another out="
    )


def _set_aside(final: Path) -> Path:
    return final.parent / f".{final.name}.replaced"


def stored_file(path: Path) -> StoredFile:
    """A file's size and hash, as the card records them."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return StoredFile(path.stat().st_size, digest)
