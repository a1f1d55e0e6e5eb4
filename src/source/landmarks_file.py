"""Landmarks from `landmarks68.npz` and `meta.csv`, matched to pictures by name."""

import csv
import os
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.face.points import POINTS
from src.source.listing import identity_of, picture_job
from src.source.names import Names, match
from src.source.photograph import Annotation, PhotoJob, PictureFile
from src.system.errors import UserError
from src.system.files import listable
from src.system.npz import read_arrays

NAME, META = "landmarks68.npz", "meta.csv"


class LandmarksFile:
    """A table of landmarks: `names` (N,), `landmarks` (N, 68, 2), pixel centres at integers, NaN where not known.

    Names are file names relative to the table's folder or to its `images/`; a bare name also matches the only picture
    of that name in any sub-folder. Unicode forms, slashes and case may differ where only one picture fits. A name that
    occurs twice is a picture with two faces.

    Raises:
        UserError: the table cannot be read or has other arrays, or the `meta.csv` is invalid.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names, self.points = read_table(path)
        self.meta = _read_meta(path.with_name(META))
        self._meta_names = Names((name, name) for name in self.meta)

    def jobs(self, pictures: list[Path], root: Path) -> list[PhotoJob]:
        """A job for every picture, and a rejected job for every name without a picture.

        Args:
            pictures: the files in the table's folder and below.
            root: the source's root; file names are relative to it.

        Raises:
            UserError: no name matches a picture.
        """
        found, problems = self._match(pictures)
        if not found:
            raise UserError(
                f"{self.path}: none of its {len(self.names)} names matches one of the {len(pictures)} pictures below "
                f"{self.path.parent} (names: {_first(self.names)}; files: {_first(p.name for p in pictures)}); "
                f"write names relative to that folder or to its images/"
            )
        jobs = []
        for path in pictures:
            file = self._file(path, root)
            rows = found.get(path, [])
            problem = "" if rows else f"no landmarks: its name is not in {NAME}"
            annotations = tuple(self._annotation(path, file, rows, number) for number in range(len(rows)))
            jobs.append(picture_job(path, root, annotations, problem))
        for row, problem in problems.items():
            name = self.names[row] if listable(self.names[row]) else ascii(self.names[row])
            jobs.append(PhotoJob(PictureFile(self.path.parent / self.names[row]), name, problem=problem))
        return jobs

    def _match(self, pictures: list[Path]) -> tuple[dict[Path, list[int]], dict[int, str]]:
        """The table's rows of each picture, and the reject reasons of rows that no single picture fits."""
        inside = [(path.relative_to(self.path.parent).as_posix(), path) for path in pictures]
        listed = {name for name, _ in inside}
        shorter = [(name.removeprefix("images/"), path) for name, path in inside if name.startswith("images/")]
        full = Names(inside + [(name, path) for name, path in shorter if name not in listed])
        bare = Names((path.name, path) for path in pictures)
        found: dict[Path, list[int]] = defaultdict(list)
        problems = {}
        for row, same in enumerate(match([((name, full), (name, bare)) for name in self.names])):
            if len(same) == 1:
                found[same[0]].append(row)
            elif same:
                problems[row] = f"the name fits {len(same)} pictures: write the sub-folder into {NAME}"
            else:
                name = self.names[row]
                alike = full.find(name) or bare.find(name)
                closer = (
                    f"only {alike[0].name} is like it, and another name in {NAME} fits that one too" if alike else ""
                )
                problems[row] = closer or f"no such file, though {NAME} names it"
        return found, problems

    def _annotation(self, path: Path, file: str, rows: list[int], number: int) -> Annotation:
        row = rows[number]
        known = self._meta_names.find(self.names[row]) or self._meta_names.find(path.name)
        meta = self.meta[known[0]] if len(known) == 1 else {}
        identity = identity_of(file)
        if len(rows) > 1:
            identity += f"_{number + 1}"
        border, gray = meta.get("replicated_border"), meta.get("gray")
        return Annotation(
            name=file,
            identity=meta.get("identity") or identity,
            points=self.points[row],
            replicated_border=float(border) if border else None,
            gray=bool(int(gray)) if gray else None,
        )

    @staticmethod
    def _file(path: Path, root: Path) -> str:
        return path.relative_to(root).as_posix()


def _first(names: object) -> str:
    listed = [str(name) for name in names][:3]  # type: ignore[attr-defined]
    return ", ".join(listed)


def read_table(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    """The names (N,) and landmarks (N, 68, 2) of an .npz; UserError if it cannot be read or has other arrays."""
    wanted = f"an .npz with 'names' (N,) and 'landmarks' (N, {POINTS}, 2) expected"
    try:
        names, points = read_arrays(path, ("names", "landmarks")).values()
    except KeyError as error:
        raise UserError(f"{path} has no array {error}; {wanted}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); {wanted}") from None
    if names.ndim != 1 or points.shape != (len(names), POINTS, 2) or points.dtype.kind not in "fiu":
        raise UserError(f"{path} holds names {names.shape} and landmarks {points.shape} {points.dtype}; {wanted}")
    if names.dtype.kind == "U" and names.nbytes and names.view(f"{names.dtype.byteorder}u4").max() > sys.maxunicode:
        raise UserError(f"{path} is damaged: its names are no text; {wanted}")
    texts = [os.fsdecode(name) if isinstance(name, bytes) else str(name) for name in names]
    return texts, points.astype(np.float32)


def _read_meta(path: Path) -> dict[str, dict[str, str]]:
    """The rows of `meta.csv` by file name: identity, gray (0 or 1), replicated_border (0..1), each optional."""
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [{key: value or "" for key, value in row.items() if key} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({error}); repair it or remove it, it is optional") from None
    for number, row in enumerate(rows, start=2):
        try:
            row["file"]
            border = float(row.get("replicated_border") or 0)
            fits = 0 <= border <= 1 and (row.get("gray") or "0") in ("0", "1")
        except (KeyError, ValueError):
            fits = False
        if not fits:
            raise UserError(
                f"{path}, line {number}: 'file' is needed; gray, if given, must be 0 or 1, and replicated_border 0..1; "
                f"the line has {row}"
            )
    return {row["file"]: row for row in rows}
