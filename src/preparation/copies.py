"""What all finished parts hold together: faces, rejects, and the copies of one picture, which become rejects."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from src.preparation.finished_parts import Parts
from src.preparation.plan import Plan
from src.store.card import CARD, StoreError
from src.store.face import FaceRow
from src.store.read import SPLITS, FaceStore
from src.system.errors import BadFace

SAME_CROP: Final = 0.005
"""Our choice: crops of two equal files are the same if their edges are this close, as a share of their side.

A landmark network's last digits may differ between two pictures of different batches.
"""


_NUMBER: Final = re.compile(r"\s*\(\d+\)$")  # of a second, third ... copy


@dataclass
class Survey:
    """What goes into one store.

    Attributes:
        faces: their number, without the copies.
        rejected: the rejects, copies included, in the order of the parts.
        copies: the numbers of the faces, over all parts, that are copies.
        faulty: the parts with rejects or copies.
    """

    faces: int = 0
    rejected: list[BadFace] = field(default_factory=list)
    copies: set[int] = field(default_factory=set)
    faulty: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Found:
    """A face whose file is there more than once; `order` says which of them stays."""

    order: tuple[int, int, str, int]
    split: str
    number: int
    row: FaceRow


def survey(out: Path, works: Sequence[tuple[Plan, Parts]]) -> dict[str, Survey]:
    """The survey of each store that is about to be put together, by its split.

    Of the faces that are cut out of equal files in the same way, one stays, and those that are named as its copies are
    rejects: it is the one in a store that exists already, else in the first split, else with the shortest name. In two
    splits, every face of the second file is a copy, whatever its crop and name.

    Args:
        out: the folder of the stores.
        works: the splits to put together, each with all of its parts.

    Raises:
        DamagedPart: a part cannot be read.
    """
    new = [plan.split.name for plan, _ in works]
    there = [name for name in SPLITS if name not in new and (out / name / CARD).is_file()] if "" not in new else []
    seen, again = set[str](), set[str]()
    for row in (row for name in there for row in _manifest(out / name)):
        (again if row.sha256 in seen else seen).add(row.sha256)
    read = dict[str, list[tuple[int, list[BadFace]]]]()  # faces and rejects of each part
    for plan, parts in works:
        of_parts = read.setdefault(plan.split.name, [])
        for part in range(parts.count):
            rows, rejected = parts.tables(part)
            of_parts.append((len(rows), rejected))
            for row in rows:
                (again if row.sha256 in seen else seen).add(row.sha256)
    # Few files have several faces or copies: only their rows are kept.
    found = [face for face in _faces(out, there, works) if face.row.sha256 in again] if again else []
    copies = _copies(found, there)
    return {name: _survey(of_parts, copies.get(name, {})) for name, of_parts in read.items()}


def _survey(of_parts: Sequence[tuple[int, list[BadFace]]], copies: dict[int, BadFace]) -> Survey:
    result, start = Survey(copies=set(copies)), 0
    for part, (count, rejected) in enumerate(of_parts):
        bad = [*rejected, *(copies[at] for at in range(start, start + count) if at in copies)]
        result.rejected += bad
        result.faulty |= {part} if bad else set()
        start += count
    result.faces = start - len(copies)
    return result


def _manifest(store: Path) -> Sequence[FaceRow]:
    """A store's rows; none if it is broken, which is the business of check=true."""
    with suppress(StoreError, ValueError, KeyError, TypeError, OSError, csv.Error):
        return FaceStore(store).manifest
    return ()


def _faces(out: Path, there: Sequence[str], works: Sequence[tuple[Plan, Parts]]) -> Iterator[_Found]:
    """Every face of the stores that are there and of those that are put together."""
    for order, name in enumerate(there):
        for number, row in enumerate(_manifest(out / name)):
            yield _Found((order, len(row.file), row.file, number), name, number, row)
    for order, (plan, parts) in enumerate(works, len(there)):
        rows = (row for part in range(parts.count) for row in parts.tables(part)[0])
        for number, row in enumerate(rows):
            yield _Found((order, len(row.file), row.file, number), plan.split.name, number, row)


def _copies(found: Sequence[_Found], there: Sequence[str]) -> dict[str, dict[int, BadFace]]:
    """The reject of each face that is a copy, by its split and its number; those that are there already stay."""
    copies: dict[str, dict[int, BadFace]] = defaultdict(dict)
    kept: dict[str, list[_Found]] = defaultdict(list)
    for face in sorted(found, key=lambda face: face.order):
        others = kept[face.row.sha256]
        reason = next((why for other in others if (why := _copy_of(face, other))), "")
        if reason and face.split not in there:
            copies[face.split][face.number] = BadFace(face.row.file, reason)
        else:
            others.append(face)
    return copies


def _copy_of(face: _Found, other: _Found) -> str:
    """Why a face is a copy of another face of an equal file; "" if it is not."""
    row, first = face.row, other.row
    if face.split != other.split:
        return f"the same file as {first.file}, which is in {other.split}"
    if row.file == first.file:
        return f"the same face as {first.identity} in this picture" if row.crop_box == first.crop_box else ""
    apart = np.abs(np.subtract(row.crop_box, first.crop_box)).max()
    same = apart <= SAME_CROP * (first.crop_box[2] - first.crop_box[0]) and _named_as_a_copy(row.file, first.file)
    return f"the same file as {first.file}" if same else ""


def _named_as_a_copy(file: str, first: str) -> bool:
    """Whether one file's name holds the other's as a whole, as in "x (1).png", "x - Copy.png" or "b/x.png" of "x.png".

    Our choice: two names that have nothing in common were given on purpose, so both faces stay.
    """
    one, other = (_NUMBER.sub("", PurePosixPath(name).stem.casefold()) for name in (file, first))
    short, long = sorted((one, other), key=len)
    return re.search(rf"(?<![^\W_]){re.escape(short)}(?![^\W_])", long) is not None
