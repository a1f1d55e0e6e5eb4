"""`check=true`: verifies that stores match their cards and their source, and that no two splits share a person."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.image.sides import SIDE
from src.preparation.config import PrepareConfig
from src.preparation.run import run_preparation
from src.source.list_splits import list_splits
from src.source.photograph import PhotoJob
from src.source.split import Split
from src.store.card import CARD, CONTACT, REJECTED, StoreError, fingerprint
from src.store.face import FaceRow
from src.store.manifest import read_rejected
from src.store.read import SPLITS, FaceStore
from src.system.errors import UserError
from src.system.progress import Say

FARTHEST = float(SIDE)  # pixels outside the crop; an annotated jaw may be outside, a landmark farther out is broken
BLOCK = 4096  # faces checked at a time


def run_check(config: PrepareConfig, say: Say) -> None:
    """Verify the stores in `out`; if there are none and a source is named, make them first.

    This checks counts, the hash of every file, ranges of landmarks and boxes, the reject lists, and that no identity
    and no picture is in two splits. If a source is named, it also checks that every split of the source has a store,
    and that pictures and landmarks have not changed since.

    Args:
        config: the command's configuration.
        say: shows a line to the person, one for each fault.

    Raises:
        UserError: `out` holds no store, or there are faults.
    """
    out, named = Path(config.out), config.source.name != "synthetic"
    if named and not _folders(out):
        run_preparation(config, say)
    folders = _folders(out)
    if not folders:
        raise UserError(f"out={out} holds no store to check; make one: python -m src.prepare source=... out={out}")
    stores, off = list[FaceStore](), 0
    for folder in folders:
        faults = list(_faults(out, folder))
        for fault in faults:
            say(f"{folder}: {fault}")
        off += len(faults)
        if not faults:
            stores.append(FaceStore(folder))
            say(f"{folder}: {len(stores[-1]):,} faces, every file matches its card")
    faults = list(_shared(stores))
    if named:
        try:
            splits = list_splits(config.source, config.landmarks.name)
            faults += _against_source(out, splits, stores)
        except UserError as error:
            faults.append(f"the source cannot be compared: {error}")
    for fault in faults:
        say(fault)
    off += len(faults)
    if off:
        raise UserError(f"out={out}: {off:,} {'fault' if off == 1 else 'faults'}, listed above")
    if len(stores) > 1:
        say(f"{out}: no identity or picture is in more than one of {', '.join(store.path.name for store in stores)}")


def _folders(out: Path) -> list[Path]:
    """`out` if it is a store, else the folders of the splits, including those without a card."""
    if (out / CARD).is_file():
        return [out]
    return [out / split for split in SPLITS if (out / split).is_dir() and any((out / split).iterdir())]


def _faults(out: Path, folder: Path) -> Iterator[str]:
    try:
        store = FaceStore(folder)
    except StoreError as error:
        yield str(error)
        return
    wrong = store.wrong_hashes()
    yield from wrong
    card = store.card
    if card.split != ("" if folder == out else folder.name):
        yield f"its card says split '{card.split}', but the folder has another name"
    if card.fingerprint != fingerprint(card.settings):
        yield "the settings in its card are not those it was made with"
    yield from (f"{name} is not in its card" for name in (REJECTED, CONTACT) if name not in card.files)
    if not wrong:  # these checks read the files
        yield from _wrong_arrays(store)
        yield from _wrong_tables(store)


def _wrong_arrays(store: FaceStore) -> Iterator[str]:
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


def _wrong_tables(store: FaceStore) -> Iterator[str]:
    try:
        rejected = len(read_rejected(store.path / REJECTED))
        if rejected != store.card.rejected:
            yield f"{REJECTED} lists {rejected:,}, the card says {store.card.rejected:,}"
    except StoreError as error:
        yield str(error)
    try:
        rows = store.manifest
    except StoreError as error:
        yield str(error)
        return
    yield from _wrong_rows(store, rows)


def _wrong_rows(store: FaceStore, rows: Sequence[FaceRow]) -> Iterator[str]:
    seen: dict[tuple[object, ...], int] = {}
    for number, row in enumerate(rows):
        x0, y0, x1, y1 = row.crop_box
        if not (np.isfinite(row.crop_box).all() and x1 > x0 and abs((x1 - x0) - (y1 - y0)) < 1e-3):
            yield f"face {number} ({row.file}) has the crop box {row.crop_box}, which is not square"
        if row.replicated_border is not None and not 0 <= row.replicated_border <= 1:
            yield f"face {number} ({row.file}) has replicated_border {row.replicated_border}, not in 0..1"
        if row.split != store.card.split:
            yield f"face {number} ({row.file}) belongs to split '{row.split}', but the store is '{store.card.split}'"
        key = (row.file, row.sha256, row.crop_box)
        if key in seen:
            yield f"faces {seen[key]} and {number} ({row.file}) are the same crop of the same picture"
        seen[key] = number


def _shared(stores: Sequence[FaceStore]) -> Iterator[str]:
    """Report identities, and pictures under any name, that are in several splits."""
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


def _against_source(out: Path, splits: Sequence[Split], stores: Sequence[FaceStore]) -> Iterator[str]:
    """Report splits without a store, and pictures or landmarks that have changed since the store was made."""
    made = {store.card.split: store for store in stores}
    for split in splits:
        store = made.get(split.name)
        if store is None:
            if not (out / split.name / CARD).is_file():
                yield f"{out / split.name} is missing, though the source has that split"
            continue
        for key, value in split.settings.items():
            before = store.card.settings.get(key)
            if before != value:
                yield f"{store.path} was made with {key}={before}, now it would be {value}"
        jobs = {job.file: job for job in split.jobs if isinstance(job, PhotoJob)}
        for file, digest in {row.file: row.sha256 for row in store.manifest}.items():
            job = jobs.get(file)
            try:
                changed = job is None or hashlib.sha256(job.picture.read()).hexdigest() != digest
                why = "is no longer in the source" if job is None else "has changed since the store was made"
            except (OSError, UserError) as error:
                changed, why = True, f"cannot be read: {error}"
            if changed:
                yield f"{store.path}: {file} {why}"
