"""`check=true`: whether what lies in a store is what its card says, and whether its splits share nobody."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.card import CARD, StoreError
from src.data.face import SIDE, FaceRow
from src.data.manifest import read_rejected
from src.data.photo import PhotoJob
from src.data.preparation import REJECTED, run_preparation
from src.data.prepare_config import PrepareConfig
from src.data.sources import list_splits
from src.data.store import SPLITS, FaceStore
from src.errors import UserError

FARTHEST = float(SIDE)  # pixels beyond the crop: an annotated jaw may leave it, a broken landmark leaves it far
BLOCK = 4096  # faces looked at together

Say = Callable[[str], None]


def run_check(config: PrepareConfig, say: Say) -> None:
    """Verify the stores in `out`, having made them first where the source is named and they are not there.

    Counts, hashes of every file, ranges of landmarks and boxes, the reject lists; no identity and no picture in two
    splits; and, where the source is named, that its pictures are still those that the stores were made from.

    Args:
        config: of the command.
        say: shows a line: one for every thing that is off.

    Raises:
        UserError: no store there, or something is off.
    """
    out, named = Path(config.out), config.source.name != "synthetic"
    if named and not _folders(out):
        run_preparation(config, say)
    folders = _folders(out)
    if not folders:
        raise UserError(f"out={out} holds no store to check; make one: python -m src.prepare source=... out={out}")
    off = 0
    stores = []
    for folder in folders:
        store, faults = _check_store(folder)
        for fault in faults:
            say(f"{folder}: {fault}")
        off += len(faults)
        if store is not None:
            stores.append(store)
            if not faults:
                say(f"{folder}: {len(store):,} faces, every file as its card says")
    faults = [*_shared(stores), *(_changed(config, stores) if named else ())]
    for fault in faults:
        say(fault)
    off += len(faults)
    if off:
        raise UserError(f"out={out}: {off:,} {'thing is' if off == 1 else 'things are'} off, listed above")
    if len(stores) > 1:
        say(f"{out}: no identity and no picture is in two of {', '.join(store.path.name for store in stores)}")


def _folders(out: Path) -> list[Path]:
    return [folder for folder in (out, *(out / split for split in SPLITS)) if (folder / CARD).is_file()]


def _check_store(folder: Path) -> tuple[FaceStore | None, list[str]]:
    try:
        store = FaceStore(folder)
    except StoreError as error:
        return None, [str(error)]
    return store, [*_wrong_hashes(store), *_wrong_counts(store), *_wrong_landmarks(store), *_wrong_rows(store)]


def _wrong_hashes(store: FaceStore) -> Iterator[str]:
    for name, stored in store.card.files.items():
        with (store.path / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != stored.sha256:
            yield f"{name} is not the file that was written: sha256 {found[:12]}, the card says {stored.sha256[:12]}"


def _wrong_counts(store: FaceStore) -> Iterator[str]:
    try:
        rows = len(store.manifest)
    except (ValueError, KeyError, OSError) as error:
        yield f"manifest.csv cannot be read: {error}"
        return
    if rows != len(store):
        yield f"manifest.csv has {rows:,} rows for {len(store):,} faces"
    rejected = len(read_rejected(store.path / REJECTED))
    if rejected != store.card.rejected:
        yield f"{REJECTED} lists {rejected:,}, the card says {store.card.rejected:,}"


def _wrong_landmarks(store: FaceStore) -> Iterator[str]:
    for start in range(0, len(store), BLOCK):
        block = np.arange(start, min(start + BLOCK, len(store)))
        points, visible = store.landmarks(block), store.visible(block)
        finite: NDArray[np.bool_] = np.all(np.isfinite(points), axis=(1, 2))
        beyond = np.maximum(-points, points - (SIDE - 1)).max((1, 2))
        for face in np.flatnonzero(~finite | (beyond > FARTHEST) | ~visible.any(1)):
            what = (
                "a landmark that is not finite"
                if not finite[face]
                else f"a landmark {beyond[face]:.0f} pixels outside its crop"
                if beyond[face] > FARTHEST
                else "no visible landmark"
            )
            yield f"face {block[face]} has {what}"


def _wrong_rows(store: FaceStore) -> Iterator[str]:
    try:
        rows = store.manifest
    except (ValueError, KeyError, OSError):
        return  # said already
    seen: dict[tuple[object, ...], int] = {}
    for number, row in enumerate(rows):
        x0, y0, x1, y1 = row.crop_box
        if not (np.isfinite(row.crop_box).all() and x1 > x0 and abs((x1 - x0) - (y1 - y0)) < 1e-3):
            yield f"face {number} ({row.file}) has the crop box {row.crop_box}, which is no square"
        if row.replicated_border is not None and not 0 <= row.replicated_border <= 1:
            yield f"face {number} ({row.file}) has replicated_border {row.replicated_border}, not in 0..1"
        if row.split != store.card.split:
            yield f"face {number} ({row.file}) is of the split '{row.split}' in a store of '{store.card.split}'"
        key = (row.sha256, row.crop_box)
        if key in seen:
            yield f"faces {seen[key]} and {number} ({row.file}) are the same crop of the same picture"
        seen[key] = number


def _shared(stores: list[FaceStore]) -> Iterator[str]:
    """Identities, and pictures under whatever name, that two splits have."""
    for what, key in (("identity", _identity), ("picture", _picture)):
        holders: dict[str, dict[str, FaceRow]] = defaultdict(dict)
        for store in stores:
            for row in store.manifest:
                holders[key(row)].setdefault(store.path.name, row)
        for name, rows in holders.items():
            if len(rows) > 1:
                files = ", ".join(f"{split} ({row.file})" for split, row in rows.items())
                yield f"{what} {name[:40]} is in {len(rows)} splits: {files}"


def _identity(row: FaceRow) -> str:
    return row.identity


def _picture(row: FaceRow) -> str:
    return row.sha256


def _changed(config: PrepareConfig, stores: list[FaceStore]) -> Iterator[str]:
    """Pictures of the source that are gone, or not those that the stores were made from."""
    jobs = {
        job.file: job
        for split in list_splits(config.source, config.landmarks.name)
        for job in split.jobs
        if isinstance(job, PhotoJob)
    }
    for store in stores:
        known = {row.file: row.sha256 for row in store.manifest}
        for file, digest in known.items():
            job = jobs.get(file)
            try:
                changed = job is None or hashlib.sha256(job.picture.read()).hexdigest() != digest
                why = "is not in the source any more" if job is None else "has changed since the store was made"
            except (OSError, UserError) as error:
                changed, why = True, f"cannot be read: {error}"
            if changed:
                yield f"{store.path}: {file} {why}"
