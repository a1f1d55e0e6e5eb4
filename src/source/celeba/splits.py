"""CelebA as a source, aligned or in the wild, in its own splits by person."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from src.face.points import POINTS
from src.source.celeba.filters import dropped_rows, identities_asked
from src.source.celeba.images import find_images
from src.source.celeba.lists import IDENTITY, PARTITION, read_list, required_list
from src.source.celeba.table import FOLDER, SPLITS, CelebaTable, celeba_table
from src.source.config import CelebaSource
from src.source.photograph import Annotation, PhotoJob
from src.source.split import Split
from src.store.card import Settings
from src.system.errors import UserError

IMAGES = 202_599
NO_IDENTITIES = "none"  # as `source.identities`: do without the list
_FOR_IDENTITY = (
    "it keeps each person in one split",
    "with source.identities=none the splits are still CelebA's own, but every image counts as a person of its own, so "
    "nobody can be chosen, and nothing checks that no person is in two splits",
)
BLOCK = 256  # faces whose landmarks and boxes are computed together


@dataclass(frozen=True, eq=False)
class CelebaJobs(Sequence[PhotoJob]):
    """The jobs of a split, created on access: 200,000 of them at once would fill the memory.

    Attributes:
        table: the data of all images.
        rows: the split's rows of the table, in the order of the list.
        strays: files without a row, each with its name for reports and its reject reason; they follow the rows.
        indices: which of these jobs this sequence holds.
    """

    table: CelebaTable
    rows: NDArray[np.intp]
    strays: tuple[tuple[str, str], ...]
    indices: range

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, item: int) -> PhotoJob: ...
    @overload
    def __getitem__(self, item: slice) -> "CelebaJobs": ...
    def __getitem__(self, item: int | slice) -> "PhotoJob | CelebaJobs":
        if isinstance(item, slice):
            return CelebaJobs(self.table, self.rows, self.strays, self.indices[item])
        at = self.indices[item]
        if at >= len(self.rows):
            file, problem = self.strays[at - len(self.rows)]
            return PhotoJob(self.table.place.picture("", 0), file, problem=problem)
        table, row = self.table, int(self.rows[at])
        name = table.file_of(row)
        picture, file = table.place.picture(name, int(table.sizes[row])), f"{table.place.name}/{name}"
        if row in table.problems:
            return PhotoJob(picture, file, problem=table.problems[row])
        # Without the list of identities, every image is a person of its own.
        identity = f"celeba-{table.identities[row] or 'image-' + name.rpartition('.')[0]}"
        number, inside = divmod(row, BLOCK)
        box = _boxes(table, number)[inside]
        annotation = Annotation(
            name=file,
            identity=identity,
            points=_mean_faces(table, number)[inside] if table.annotated else None,
            box=None if np.isnan(box[0]) else (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            landmark_source="celeba five points, mean face",
        )
        return PhotoJob(picture, file, identity, (annotation,))


@lru_cache(maxsize=4)
def _mean_faces(table: CelebaTable, number: int) -> NDArray[np.float32]:
    """Landmarks (B, 68, 2) of a block of rows, NaN where the five points are unknown."""
    from src.face.pose import mean_face_through_five

    five = table.five[number * BLOCK : (number + 1) * BLOCK]
    known = np.isfinite(five).all((1, 2))
    landmarks = np.full((len(five), POINTS, 2), np.nan, np.float32)
    landmarks[known] = mean_face_through_five(five[known])
    return landmarks


def _boxes(table: CelebaTable, number: int) -> NDArray[np.float32]:
    """The face boxes (B, 4) of a block of rows, NaN where unknown; cached, since jobs are accessed often."""
    from src.landmarks.boxes import face_box

    if number not in table.block_boxes:
        boxes = table.boxes[number * BLOCK : (number + 1) * BLOCK].copy()
        landmarks = _mean_faces(table, number)
        for at in np.flatnonzero(np.isfinite(landmarks[:, 0, 0])).tolist():
            boxes[at] = face_box(landmarks[at])
        table.block_boxes[number] = boxes
    return table.block_boxes[number]


def celeba_splits(source: CelebaSource, landmarks: str = "auto") -> list[Split]:
    """CelebA's splits, each in the order of list_eval_partition.txt.

    An image is a reject if it is in two partitions, or has no file, no identity (unless `source.identities` does
    without) or, with `landmarks=annotations`, no five points. Files without a row are rejects of the first split.

    Args:
        source: where CelebA is, and which part of it to use.
        landmarks: "annotations": a mean face through CelebA's five points, which is coarse; else a network places them
            in the box of that mean face, or of list_bbox_celeba.txt, or where its own detector finds a face.

    Raises:
        UserError: a list or the pictures are missing or broken, or a filter is misspelt or leaves nothing.
    """
    root = Path(source.root)
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise UserError(f"source.root={root} {what}: give the folder with CelebA's pictures and lists")
    partition = read_list(required_list(root, PARTITION, "it says which image is in which split"))
    identity = None if source.identities == NO_IDENTITIES else read_list(required_list(root, IDENTITY, *_FOR_IDENTITY))
    images = find_images(root, FOLDER[source.images])
    asked = identities_asked(source, identity)
    people = NO_IDENTITIES if identity is None else None if asked is None else _digest_of(asked)
    table = celeba_table(root, partition, identity, images, landmarks == "annotations")
    dropped, unjudged = dropped_rows(source, root, table, asked)
    for row, problem in unjudged.items():
        table.problems.setdefault(row, problem)
    names, used = set(table.names.tolist()), {table.file_of(row) for row in range(len(table.names))}
    strays = {
        f"{images.place.name}/{file}": f"no row in {partition.path.name}: its split is not known"
        for file in sorted({*images.sizes, *images.problems})
        if file not in used
    } | images.strays
    strays = {file if file.isprintable() else ascii(file): strays[file] for file in sorted(strays)}
    wanted = [name for name in SPLITS if name in source.splits]
    members = {name: partition.values[:, 0] == SPLITS.index(name) for name in wanted}
    empty = [name for name in wanted if dropped[members[name]].all()]
    if empty:
        rest = ",".join(name for name in wanted if name not in empty)
        raise UserError(
            f"source.root={root}: {'filters leave' if dropped.any() else 'there is'} no image in {' and '.join(empty)}"
            + (f": add source.splits='[{rest}]'" if rest else "; see source.drop, source.keep, source.identities")
        )
    splits = []
    for name in wanted:
        rows = np.flatnonzero(members[name] & ~dropped)
        good = [row for row in rows.tolist() if row not in table.problems]
        description: Settings = {
            "name": source.name,
            "kind": source.images,
            "images": len(good),
            "people": None if identity is None else len(np.unique(table.identities[good])),
            "dropped": int((members[name] & dropped).sum()),
        }
        if len(names) != IMAGES:
            description["rows"] = f"{len(names):,} of {IMAGES:,}"
        settings: Settings = {
            "source": source.name,
            "source.root": table.digest(rows, strays),
            "source.images": source.images,
            "source.drop": ",".join(sorted(source.drop)),
            "source.keep": ",".join(sorted(source.keep)),
            "source.identities": people,
        }
        jobs = CelebaJobs(table, rows, tuple(strays.items()), range(len(rows) + len(strays)))
        splits.append(Split(name, jobs, settings, description, annotated=table.annotated))
        strays = {}  # only the first split reports them
    return splits


def _digest_of(asked: NDArray[np.int64]) -> str:
    return f"{len(asked):,} people, {hashlib.sha256(asked.tobytes()).hexdigest()[:16]}"
