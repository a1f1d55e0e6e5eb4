"""Reading and writing of a store's CSV files: the manifest, one row per face, and the list of rejects."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import TextIO, TypeVar

from src.store.card import StoreError, remake
from src.store.face import FaceRow
from src.system.errors import BadFace, in_one_line

SPREAD = {"crop_box": ("x0", "y0", "x1", "y1"), "matrix": ("m0", "m1", "m2", "m3", "m4", "m5")}
"""Fields of several numbers, and their columns."""
COLUMNS = tuple(column for field in fields(FaceRow) for column in SPREAD.get(field.name, (field.name,)))
COLUMNS_2 = COLUMNS[: COLUMNS.index("roll_deg")]
"""Of stores of layout 2, which have no surroundings."""
REASON_COLUMNS = ("file", "split", "reason")

Row = TypeVar("Row")


def write_header(file: TextIO) -> None:
    """Write the manifest's first line."""
    csv.writer(file, lineterminator="\n").writerow(COLUMNS)


def write_row(file: TextIO, row: FaceRow) -> None:
    """Append a face's row; floats read back exactly, and None is written as an empty field."""
    values: dict[str, object] = {field.name: getattr(row, field.name) for field in fields(FaceRow)}
    values |= dict(zip(SPREAD["crop_box"], row.crop_box, strict=True))
    values |= dict(zip(SPREAD["matrix"], row.matrix or (None,) * 6, strict=True))
    values["gray"] = None if row.gray is None else int(row.gray)
    # Python's own csv does not quote every line end that it would then stumble over.
    cells = {column: in_one_line(value) if isinstance(value, str) else value for column, value in values.items()}
    csv.writer(file, lineterminator="\n").writerow(cells[column] for column in COLUMNS)


def read_manifest(path: Path) -> list[FaceRow]:
    """The rows of a `manifest.csv`; ValueError if it has other columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return read_rows(file, str(path))


def read_rows(file: TextIO, name: str) -> list[FaceRow]:
    """The rows of an open manifest; ValueError with its `name` if it is damaged or has other columns."""
    return _table(file, name, _row, (COLUMNS, COLUMNS_2))


def _table(
    file: TextIO, name: str, row_of: Callable[[dict[str, str]], Row], columns: tuple[tuple[str, ...], ...]
) -> list[Row]:
    """What `row_of` makes of each row of an open table that has one of these sets of columns."""
    try:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) not in columns:
            raise ValueError(f"{name} has the columns {reader.fieldnames}, not {list(columns[0])}")
        rows = []
        for values in reader:
            if None in values or None in values.values():
                raise ValueError(f"{name}, line {reader.line_num}: {len(reader.fieldnames or ())} columns expected")
            try:
                rows.append(row_of(values))
            except ValueError as error:
                raise ValueError(f"{name}, line {reader.line_num}: {error}") from None
        return rows
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{name} is damaged: {error}") from None


def _row(values: dict[str, str]) -> FaceRow:
    x0, y0, x1, y1 = (float(values[column]) for column in SPREAD["crop_box"])
    m0, m1, m2, m3, m4, m5 = (_float(values.get(column)) for column in SPREAD["matrix"])
    matrix = None
    if m0 is not None and m1 is not None and m2 is not None and m3 is not None and m4 is not None and m5 is not None:
        matrix = (m0, m1, m2, m3, m4, m5)
    return FaceRow(
        file=values["file"],
        identity=values["identity"],
        crop_box=(x0, y0, x1, y1),
        landmark_source=values["landmark_source"],
        landmark_score=float(values["landmark_score"]),
        sha256=values["sha256"],
        split=values["split"],
        replicated_border=_float(values["replicated_border"]),
        gray=bool(int(values["gray"])) if values["gray"] else None,
        landmark_error=_float(values["landmark_error"]),
        roll_deg=_float(values.get("roll_deg")),
        matrix=matrix,
        inside=_float(values.get("inside")),
    )


def _float(text: str | None) -> float | None:
    return float(text) if text else None


def write_rejected(path: Path, rejected: Iterable[tuple[str, BadFace]]) -> None:
    """Write `rejected.csv`: one row of file, split and reason for every (split, BadFace)."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        write_reasons(file, rejected)


def write_reasons(file: TextIO, rejected: Iterable[tuple[str, BadFace]]) -> None:
    """Write the same rows into an open file."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(REASON_COLUMNS)
    writer.writerows((in_one_line(bad.file), split, in_one_line(bad.reason)) for split, bad in rejected)


def read_rejected(path: Path) -> list[tuple[str, BadFace]]:
    """The (split, BadFace) pairs of a `rejected.csv`, empty if there is no such file; StoreError if it is damaged."""
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return read_reasons(file, str(path))
    except ValueError as error:
        raise StoreError(f"{error}: is this its list of rejects? {remake(path.parent)}") from None


def read_reasons(file: TextIO, name: str) -> list[tuple[str, BadFace]]:
    """The (split, BadFace) pairs of an open `rejected.csv`; ValueError with its `name` if it is damaged."""
    return _table(file, name, lambda row: (row["split"], BadFace(row["file"], row["reason"])), (REASON_COLUMNS,))
