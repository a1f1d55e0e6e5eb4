"""The finished parts of a store in the making: each is on disk whole or not at all, so a run can stop anywhere."""

import fcntl
import io
import json
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from src.preparation.workers import CHUNK
from src.store.card import ARRAYS, LAYOUT, Settings, StoreError, layout_of
from src.store.face import Face, FaceRow
from src.store.manifest import read_reasons, read_rows, write_header, write_reasons, write_row
from src.store.write import clear_leftovers, leftovers
from src.system.errors import BadFace, UserError
from src.system.files import replacing, sync
from src.system.npz import read_arrays

PART = 4 * CHUNK  # jobs; fixed, so that the number of workers and shards changes no byte
SETTINGS, LOCK = "settings.json", "lock"


class DamagedPart(Exception):  # noqa: N818 - it says what was found; the part is removed and done again
    """A part that cannot be read back."""


class Parts:
    """The finished parts of a store in the making, in `.NAME.parts` beside it; a context manager that locks them.

    A run without shards locks the whole folder; a run of one shard shares the folder with the other shards and locks
    its own shard.

    Args:
        final: the store's folder.
        settings: the store's; parts made with other settings are not used.
        jobs: number of jobs of the store.
        shard: (number, number of shards), or None for all.
        overwrite: remove parts that were made with other settings.
        margin: the store's, in pixels.

    Raises:
        UserError: on entering: another process does this work, or there are parts with other settings.
    """

    def __init__(
        self,
        final: Path,
        settings: Settings,
        jobs: int,
        shard: tuple[int, int] | None = None,
        overwrite: bool = False,
        margin: int = 0,
    ) -> None:
        # Parts of another size or layout would not fit.
        self.settings: Settings = {**settings, "layout": f"{LAYOUT}, parts of {PART}, chunks of {CHUNK}"}
        self.final, self.jobs, self.shard, self.overwrite = final, jobs, shard, overwrite
        self.folder = final.parent / f".{final.name}.parts"
        self.count = -(-jobs // PART)
        self._layout = layout_of(margin)
        self._locks: list[int] = []

    def __enter__(self) -> Self:
        try:
            if self.shard is None:
                self._lock(LOCK, fcntl.LOCK_EX)
            else:
                self._lock(LOCK, fcntl.LOCK_SH)
                self._lock(f"shard-{self.shard[0]}-of-{self.shard[1]}.lock", fcntl.LOCK_EX)
                self._lock("settings.lock", fcntl.LOCK_EX, wait=True)  # one shard writes the file, the others compare
            self._check_settings()
            if self.shard is not None:
                os.close(self._locks.pop())
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def missing(self) -> list[int]:
        """The numbers of the parts that this run still has to do, in order."""
        number, shards = self.shard or (0, 1)
        return [part for part in range(number, self.count, shards) if not self._path(part).is_file()]

    def landed(self) -> int:
        """How many parts of all shards are finished."""
        return sum(self._path(part).is_file() for part in range(self.count))

    def chunks(self, part: int) -> list[range]:
        """The jobs of a part, in chunks that are done at a time."""
        start, stop = part * PART, min((part + 1) * PART, self.jobs)
        return [range(at, min(at + CHUNK, stop)) for at in range(start, stop, CHUNK)]

    def land(self, part: int, outcomes: Sequence[Face | BadFace]) -> None:
        """Write a part under a hidden name, then rename it."""
        faces = [outcome for outcome in outcomes if isinstance(outcome, Face)]
        rows, reasons = io.StringIO(newline=""), io.StringIO(newline="")
        write_header(rows)
        for face in faces:
            write_row(rows, face.row)
        write_reasons(reasons, (("", outcome) for outcome in outcomes if isinstance(outcome, BadFace)))
        arrays = {
            name: np.stack([_array(face, name) for face in faces]) if faces else np.zeros((0, *shape), dtype)
            for name, (dtype, shape) in self._layout.items()
        }
        path = self._path(part)
        with replacing(path, own_name=True) as (hidden,):
            with hidden.open("wb") as file:
                np.savez(file, rows=_text(rows), reasons=_text(reasons), **arrays)  # type: ignore[arg-type]
            sync(hidden)

    def read(self, part: int) -> tuple[list[Face], list[BadFace]]:
        """A part's faces and rejects; if it is damaged, the part is removed and DamagedPart raised."""
        rows, rejected, arrays = self._stored(part, ARRAYS)
        images, landmarks, visible = (arrays[name] for name in ARRAYS)
        return [Face(images[i], landmarks[i], visible[i], row) for i, row in enumerate(rows)], rejected

    def tables(self, part: int) -> tuple[list[FaceRow], list[BadFace]]:
        """The rows of a part's faces and its rejects, without the pictures; DamagedPart as in `read`."""
        rows, rejected, _ = self._stored(part, ())
        return rows, rejected

    def forget(self, parts: Collection[int]) -> None:
        """Remove parts: the next run does them again, when the files may have been fixed."""
        for part in parts:
            self._path(part).unlink(missing_ok=True)

    def _stored(self, part: int, names: tuple[str, ...]) -> tuple[list[FaceRow], list[BadFace], dict[str, Any]]:
        path = self._path(part)
        try:
            arrays = read_arrays(path, ("rows", "reasons", *names))
            rows = read_rows(io.StringIO(bytes(arrays["rows"]).decode(), newline=""), str(path))
            reasons = read_reasons(io.StringIO(bytes(arrays["reasons"]).decode(), newline=""), str(path))
        except (OSError, KeyError, ValueError) as error:
            path.unlink(missing_ok=True)
            raise DamagedPart(f"{path} is damaged ({' '.join(str(error).split()) or type(error).__name__})") from None
        return rows, [bad for _, bad in reasons], arrays

    def assembling(self) -> bool:
        """Lock the assembly of the store; False if another shard's process is doing it."""
        try:
            self._lock("assembly.lock", fcntl.LOCK_EX)
        except (StoreError, FileNotFoundError):
            return False
        return True

    def remove(self) -> None:
        """Remove all parts; the store no longer needs them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, part: int) -> Path:
        return self.folder / f"{part:06}.npz"

    def _lock(self, name: str, kind: int, wait: bool = False) -> None:
        path = self.folder / name
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            except FileNotFoundError:
                continue  # another run just finished and removed it
            try:
                fcntl.flock(handle, kind | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                os.close(handle)
                what = f" (shard {self.shard[0]} of {self.shard[1]})" if self.shard and name != LOCK else ""
                raise StoreError(
                    f"{self.final}{what} is being written by another process; wait for it or stop it"
                ) from None
            # The process that held the lock may have removed the folder: then we have locked a deleted file.
            if _is_open_file(handle, path):
                self._locks.append(handle)
                return
            os.close(handle)

    def _check_settings(self) -> None:
        path = self.folder / SETTINGS
        begun: Settings | None = None
        if path.is_file():
            try:
                begun = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                begun = {}
        if begun is not None and begun != self.settings and any(self.folder.glob("*.npz")):
            key = next(key for key in sorted({*begun, *self.settings}) if begun.get(key) != self.settings.get(key))
            if not self.overwrite or self.shard is not None:
                throw = "overwrite=true" if self.shard is None else f"rm -r {self.folder}"
                raise UserError(
                    f"{self.final}: {self.folder} holds unfinished work, begun with {key}={begun.get(key)}, not "
                    f"{self.settings.get(key)}: resume with the old settings, or discard it: {throw}"
                )
            for stale in self.folder.glob("*.npz"):
                stale.unlink()
        if begun != self.settings:
            with replacing(path, own_name=True) as (hidden,):
                hidden.write_text(json.dumps(self.settings, indent=2, sort_keys=True), encoding="utf-8")

    def _release(self) -> None:
        for handle in self._locks:
            os.close(handle)
        self._locks.clear()


def _array(face: Face, name: str) -> Any:
    return {"images.npy": face.image, "landmarks.npy": face.landmarks, "visible.npy": face.visible}[name]


def _text(buffer: io.StringIO) -> Any:
    return np.frombuffer(buffer.getvalue().encode(), np.uint8)


def _is_open_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def tidy(final: Path, wait: bool) -> None:
    """Clean up beside a store whose run was killed while it moved the store into place.

    Args:
        final: the store's folder.
        wait: if another process works there, do nothing instead of raising.

    Raises:
        StoreError: another process works there, and `wait` is False.
    """
    if leftovers(final):
        with _alone(final, wait) as parts:
            if parts is not None:
                clear_leftovers(final)


def discard(final: Path) -> None:
    """Remove the parts of a finished store, unless another run is using them."""
    with _alone(final, wait=True) as parts:
        if parts is not None:
            parts.remove()


@contextmanager
def _alone(final: Path, wait: bool) -> Iterator[Parts | None]:
    """Lock a store's parts; yield None if a run holds the lock. A folder without parts is removed at the end."""
    parts = Parts(final, {}, 0)
    try:
        parts._lock(LOCK, fcntl.LOCK_EX)
    except StoreError:
        if not wait:
            raise
        yield None
        return
    try:
        yield parts
    finally:
        if not any(parts.folder.glob("*.npz")):
            parts.remove()
        parts._release()
