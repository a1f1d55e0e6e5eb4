"""CelebA's lists: text files with one row per image, in the official format or as Kaggle's CSV."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO

import numpy as np
from numpy.typing import NDArray

from src.image.suffixes import SUFFIXES
from src.system.errors import UserError

PARTITION, IDENTITY, ATTRIBUTES = "list_eval_partition", "identity_CelebA", "list_attr_celeba"
BOXES, FIVE, FIVE_ALIGNED = "list_bbox_celeba", "list_landmarks_celeba", "list_landmarks_align_celeba"
_PARTS = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
# The columns after the image's name. The attribute file itself names its columns.
COLUMNS: dict[str, tuple[str, ...] | None] = {
    PARTITION: ("partition",),
    IDENTITY: ("identity",),
    ATTRIBUTES: None,
    BOXES: ("x_1", "y_1", "width", "height"),
    FIVE: tuple(f"{part}_{axis}" for part in _PARTS for axis in "xy"),
    FIVE_ALIGNED: tuple(f"{part}_{axis}" for part in _PARTS for axis in "xy"),
}
FOLDERS = tuple(Path(above, below) for above in ("", "celeba", "CelebA") for below in ("", "Anno", "Eval", "Img"))
NAME_BYTES = 64


@dataclass(frozen=True, eq=False)
class CelebaList:
    """A list file with its rows in file order.

    Attributes:
        path: the file.
        names: (N,) bytes, the images' names; unique, except in the partition list.
        values: (N, C) float32, whole numbers except for coordinates; always finite.
        columns: the C columns' names.
    """

    path: Path
    names: NDArray[np.bytes_]
    values: NDArray[np.float32]
    columns: tuple[str, ...]

    def rows_of(self, names: NDArray[np.bytes_]) -> NDArray[np.intp]:
        """The row of each name, (M,), -1 where the list has none."""
        if np.array_equal(names, self.names):
            return np.arange(len(names))
        order = np.argsort(self.names, kind="stable")
        at = np.minimum(np.searchsorted(self.names[order], names), len(order) - 1)
        return np.where(self.names[order][at] == names, order[at], -1)

    def values_of(self, names: NDArray[np.bytes_]) -> NDArray[np.float32]:
        """The values of each name, (M, C), NaN where the list has no row for it."""
        rows = self.rows_of(names)
        return np.where(rows[:, None] >= 0, self.values[rows], np.float32(np.nan))

    def line(self, row: int) -> int:
        """The line number of a row in the file, counted from 1."""
        with _opened(self.path) as file:
            return list(_rows(file, self.path))[row][0]


def find_list(root: Path, name: str) -> Path | None:
    """The list called `name` in `root`, or in the sub-folders of the official download or of torchvision; or None."""
    paths = (root / folder / f"{name}{suffix}" for suffix in (".txt", ".csv") for folder in FOLDERS)
    return next((path for path in paths if path.is_file()), None)


def required_list(root: Path, name: str, why: str, without: str = "") -> Path:
    """As `find_list`; a missing list raises a UserError that says what it is for and where to put it.

    Args:
        root: the folder with the lists.
        name: the list.
        why: what it is for.
        without: how to do without it, if one can.
    """
    path = find_list(root, name)
    if path is None:
        raise UserError(
            f"source.root={root} has no {name}.txt ({why}): put it there or into its Anno/ or Eval/; it comes with "
            f"CelebA, see python -m src.source.celeba.download {root}{without and f'; or do without: {without}'}"
        )
    return path


def read_list(path: Path) -> CelebaList:
    """A list file, read and checked; its name decides which list it is.

    Raises:
        UserError: it cannot be read or is broken; the message names the line.
    """
    name = path.stem
    with _opened(path) as file:
        count, header, comma = _head(file, path)
        columns = _columns(path, header, comma)
        kind = np.dtype([("name", f"S{NAME_BYTES}"), ("values", "f4", (len(columns),))])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about a file without rows, which has its own error below
                table = np.loadtxt(file, kind, comments=None, delimiter="," if comma else None, ndmin=1)
        except (ValueError, OSError) as error:
            _explain(path, len(columns), error)
    names, values = table["name"], table["values"]
    if not len(names):
        raise UserError(f"{path} has no rows: download it again")
    if count is not None and count != len(names):
        raise UserError(
            f"{path}, line 1: it announces {count:,} rows, but there are {len(names):,}; "
            f"download the file again, or correct line 1 if you shortened it"
        )
    result = CelebaList(path, names, values, columns)
    _check_values(result)
    if name != PARTITION:
        _check_repeats(result)
    return result


def name_of(name: bytes) -> str:
    """An image's name as text, even if a broken list holds strange bytes."""
    return name.decode("latin-1")


def _opened(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


def _is_number(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False


def _words(line: str) -> list[str]:
    return [word.strip() for word in line.split(",")] if "," in line else line.split()


def _head(file: TextIO, path: Path) -> tuple[int | None, list[str], bool]:
    """The announced count and the columns' names if the file has them, and whether commas separate its columns.

    Leaves the file at its first row.
    """
    count, header = None, list[str]()
    start = file.tell()
    line = file.readline()
    if line.lstrip().startswith("<"):
        raise UserError(f"{path} is a web page, not CelebA's list (such as a notice of a quota): download it again")
    if line.strip().isdecimal():
        count, start, line = int(line.strip()), file.tell(), file.readline()
    words = _words(line)
    if words and not _is_number(words[-1]) and Path(words[0]).suffix.lower() not in SUFFIXES:
        header, start = words, file.tell()
    file.seek(start)
    return count, header, "," in line


def _columns(path: Path, header: list[str], comma: bool) -> tuple[str, ...]:
    # Blanks separate the official header, which has no name for the first column except in the list of boxes.
    given = tuple(header[1:] if comma or header[:1] == ["image_id"] else header)
    wanted = COLUMNS[path.stem]
    if wanted is None:
        if not given:
            raise UserError(f"{path} has no line with the attributes' names above its rows: download it again")
        return given
    if given and given != wanted and len(wanted) > 1:
        raise UserError(f"{path}: its columns are '{' '.join(given)}', not '{' '.join(wanted)}': is it another list?")
    return wanted


def _rows(file: TextIO, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The line number and the words of each row below the head, without blank lines."""
    count, header, _ = _head(file, path)
    for number, line in enumerate(file, 1 + (count is not None) + bool(header)):
        if line.strip():
            yield number, _words(line)


def _explain(path: Path, columns: int, error: Exception) -> NoReturn:
    """Raise the error for the first broken row, found line by line."""
    with _opened(path) as file:
        for number, words in _rows(file, path):
            if len(words) != 1 + columns:
                raise UserError(
                    f"{path}, line {number}: {len(words)} columns, {1 + columns} expected ('{' '.join(words)[:60]}')"
                )
            wrong = [word for word in words[1:] if not _is_number(word)]
            if wrong:
                raise UserError(f"{path}, line {number}: '{wrong[0]}' is not a number")
            if not words[0].isascii():
                raise UserError(f"{path}, line {number}: '{words[0]}' is no CelebA name (ASCII characters)")
    raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from None


def _check_values(read: CelebaList) -> None:
    """Raise a UserError with the line of the first value out of range, or of the first name that is too long."""
    fits, wanted = np.isfinite(read.values), "a finite number"
    if read.path.stem == PARTITION:
        fits, wanted = np.isin(read.values, (0, 1, 2)), "0 (train), 1 (val) or 2 (test)"
    elif read.path.stem == ATTRIBUTES:
        fits, wanted = np.isin(read.values, (-1, 0, 1)), "1 or -1"
    elif read.path.stem == IDENTITY:
        # float32 holds whole numbers up to 2**24 exactly; CelebA has 10,177 people.
        whole = read.values == np.floor(read.values)
        fits, wanted = (read.values >= 1) & (read.values < 2**24) & whole, "a person's number, from 1"
    if not fits.all():
        row, column = np.argwhere(~fits)[0]
        what = f"{read.columns[column]} is {read.values[row, column]:g}, {wanted} expected"
        raise UserError(f"{read.path}, line {read.line(row)}: {what}")
    long = np.strings.str_len(read.names) >= NAME_BYTES
    if long.any():
        raise UserError(f"{read.path}, line {read.line(int(np.argmax(long)))}: a name of {NAME_BYTES} bytes or more")


def _check_repeats(read: CelebaList) -> None:
    order = np.argsort(read.names, kind="stable")
    again = np.flatnonzero(read.names[order][1:] == read.names[order][:-1])
    if len(again):
        raise repeated_row(read, int(order[again[0]]), int(order[again[0] + 1]))


def repeated_row(read: CelebaList, first: int, second: int) -> UserError:
    """The error for an image that has two rows."""
    name = name_of(read.names[first])
    return UserError(f"{read.path}, line {read.line(second)}: {name} has a row in line {read.line(first)} already")
