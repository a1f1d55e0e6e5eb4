"""CelebA's lists and pictures joined into one table of arrays, with one row per image."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.source.celeba.images import PNG, CelebaImages, CelebaPlace
from src.source.celeba.lists import (
    BOXES,
    FIVE,
    FIVE_ALIGNED,
    CelebaList,
    find_list,
    name_of,
    read_list,
    repeated_row,
    required_list,
)
from src.system.errors import UserError

SPLITS = ("train", "val", "test")  # by their number in list_eval_partition.txt
FOLDER = {"aligned": "img_align_celeba", "in_the_wild": "img_celeba"}
# Our choice: CelebA's boxes include hair and neck. In its first images they are 1.2 to 1.4 times as large as a
# detector's box, which is what our boxes stand for.
BOX_SHARE = 0.8
MIN_SPREAD = 4.0  # pixels: five points closer together, or a smaller box, say nothing about a face


@dataclass(frozen=True, eq=False)
class CelebaTable:
    """Every row of the partition list with the data from the other lists.

    Attributes:
        place: where the pictures are.
        names: (N,) bytes.
        sizes: (N,) bytes of the pictures.
        identities: (N,), 0 where not known; all 0 without the list of identities.
        five: (N, 5, 2) float32 the eyes, the nose and the corners of the mouth, image-left before image-right, in
            pixels of the picture, NaN where not known. Their pixel centres are at integers *from 0*, unlike those of
            .pts files: CelebA's own alignment (MATLAB's cp2tform to eyes at (70.745, 112) and (108.237, 112) and a
            mouth at (89.432, 153.514), counted from 1) maps the rows of list_landmarks_celeba.txt to those of
            list_landmarks_align_celeba.txt plus (1, 1).
        boxes: (N, 4) float32 x0, y0, x1, y1 from list_bbox_celeba.txt, NaN where not known or nonsense.
        problems: why a row is a reject, by row number.
        files: the picture's file, by row number, where it is not the name in the list.
        annotated: the jobs carry landmarks.
        block_boxes: a cache of the boxes made from `five` and `boxes`, by block.
    """

    place: CelebaPlace
    names: NDArray[np.bytes_]
    sizes: NDArray[np.int64]
    identities: NDArray[np.int64]
    five: NDArray[np.float32]
    boxes: NDArray[np.float32]
    problems: dict[int, str]
    files: dict[int, str]
    annotated: bool
    block_boxes: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    def file_of(self, row: int) -> str:
        """The picture's file in its folder."""
        return self.files.get(row) or name_of(self.names[row])

    def digest(self, rows: NDArray[np.intp], strays: dict[str, str]) -> str:
        """A hash of all that affects the faces of these rows; the same for a folder and for a zip archive of it."""
        digest = hashlib.sha256(b"\n".join(self.names[rows].tolist()))
        for facts in (self.sizes, self.identities, self.five, self.boxes):
            digest.update(np.ascontiguousarray(facts[rows]).tobytes())
        problems = [(at, self.problems[row]) for at, row in enumerate(rows.tolist()) if row in self.problems]
        digest.update(repr((problems, sorted(strays.items()), self.annotated)).encode())
        return f"{len(rows):,} images, {digest.hexdigest()[:16]}"


def celeba_table(
    root: Path, partition: CelebaList, identity: CelebaList | None, images: CelebaImages, annotated: bool
) -> CelebaTable:
    """The table of all rows of the partition list; with `annotated`, an image without five points is a reject.

    Without `identity`, nobody's identity is known.

    Raises:
        UserError: a list is broken or missing, or none of the images exists.
    """
    names = partition.names
    texts = [name_of(name) for name in names.tolist()]
    files, problems = images.files_of(texts)
    if not files and not any(text in images.sizes for text in texts):
        there = f"its first is {min(images.sizes)}" if images.sizes else "it holds no picture"
        raise UserError(
            f"{images.place.path}: none of the {len(names):,} images of {partition.path.name} is in there "
            f"(the list begins with {texts[0]}; {there}): put CelebA's own pictures there"
        )
    place = images.place.name.removesuffix(PNG)
    identities = np.zeros(len(names), np.float32) if identity is None else identity.values_of(names)[:, 0]
    five_list = FIVE_ALIGNED if place == FOLDER["aligned"] else FIVE
    if annotated:
        required_list(root, five_list, "landmarks=annotations needs it, landmarks=onnx does not")
    five = _places(find_list(root, five_list), names, 10).reshape(-1, 5, 2)
    five[np.ptp(five, axis=1).max(1) < MIN_SPREAD] = np.nan
    boxes = _places(find_list(root, BOXES) if place == FOLDER["in_the_wild"] else None, names, 4)
    boxes[(boxes[:, 2:] < MIN_SPREAD).any(1)] = np.nan  # some rows are zeros
    boxes[:, :2] += boxes[:, 2:] * (1 - BOX_SHARE) / 2
    boxes[:, 2:] = boxes[:, :2] + boxes[:, 2:] * BOX_SHARE
    problems = _in_two_partitions(partition) | problems
    if identity is not None:
        problems = _people_in_two(partition, identities) | problems
    texts = [files.get(row, text) for row, text in enumerate(texts)] if files else texts
    for row, text in enumerate(texts):
        if text in images.problems:
            problem = images.problems[text]
        elif text not in images.sizes:
            problem = f"no such picture: {partition.path.name} names it"
        elif identity is not None and np.isnan(identities[row]):
            problem = f"no row in {identity.path.name}: whose face it is is not known"
        elif annotated and np.isnan(five[row, 0, 0]):
            problem = "no five points of it: use a network (landmarks=onnx)"
        else:
            continue
        problems.setdefault(row, problem)
    sizes = np.array([images.sizes.get(text, 0) for text in texts], np.int64)
    numbers = np.nan_to_num(identities).astype(np.int64)
    return CelebaTable(images.place, names, sizes, numbers, five, boxes, problems, files, annotated)


def _places(path: Path | None, names: NDArray[np.bytes_], columns: int) -> NDArray[np.float32]:
    """The coordinates of each name in a list, NaN where it has no row or there is no list."""
    if path is None:
        return np.full((len(names), columns), np.nan, np.float32)
    return read_list(path).values_of(names)


def _in_two_partitions(partition: CelebaList) -> dict[int, str]:
    """The reject reasons of images in several partitions, by row; UserError for a row that is only repeated."""
    order = np.argsort(partition.names, kind="stable")
    names, numbers = partition.names[order], partition.values[order, 0].astype(int)
    problems = dict[int, str]()
    for at in np.flatnonzero(names[1:] == names[:-1]).tolist():
        first, second = int(order[at]), int(order[at + 1])
        if numbers[at] == numbers[at + 1]:
            raise repeated_row(partition, first, second)
        both = f"in two partitions: {SPLITS[numbers[at]]} and {SPLITS[numbers[at + 1]]}"
        problems[first] = problems.get(first, both)
        problems[second] = both
    return problems


def _people_in_two(partition: CelebaList, identities: NDArray[np.float32]) -> dict[int, str]:
    """The reject reasons, by row, of people in several partitions; the one with most of their images keeps them."""
    known = np.flatnonzero(np.isfinite(identities))
    people, who = np.unique(identities[known], return_inverse=True)
    places = partition.values[known, 0].astype(int)
    images = np.zeros((len(people), len(SPLITS)), np.int64)
    np.add.at(images, (who, places), 1)
    home = images.argmax(1)
    return {
        int(known[at]): f"person {people[who[at]]:.0f} is in {SPLITS[home[who[at]]]} already, with more images"
        for at in np.flatnonzero(places != home[who])
    }
