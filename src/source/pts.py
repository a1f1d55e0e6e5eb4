"""Reading of iBUG `.pts` files, which hold 68 or 39 landmarks of a face, or of several."""

import codecs
import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from src.face.points import POINTS
from src.source.menpo import PROFILE_POINTS, points_from_profile
from src.system.errors import BadFace

_EXPECTED: Final = "not a .pts file: 'n_points: 68' (or 39) and the points in braces { } expected"
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_BINARY: Final = re.compile(r"[\0-\x08\x0e-\x19\x1b-\x1f]")  # \x1a: DOS programs end a text with it
# The quantifiers with a second + never give back what they took, so that no line takes long.
_COMMENT: Final = r"\s*+[,;]?\s*+(?:(?:#|//|%|;(?!\s*+[-+.\d])).*)?"  # after a semicolon may come the second number
_FLOAT: Final = r"[-+]?(?:\d++\.?\d*+|\.\d++)(?:e[-+]?\d++)?|[-+]?(?:nan|inf|infinity)"
_POINT: Final = re.compile(rf"\s*+({_FLOAT})(?:\s*+[,;]\s*+|\s++)({_FLOAT}){_COMMENT}", re.IGNORECASE)
_COMMA: Final = r"[-+]?\d++(?:,\d++)?"
_COMMA_POINT: Final = re.compile(rf"\s*+({_COMMA})(?:\s*+;\s*+|,\s++|\s++)({_COMMA}){_COMMENT}")
_THOUSANDS: Final = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")
_NO_POINT: Final = re.compile(r"\s*+(?:(?:#|//|%|;).*)?")


def read_faces(path: Path, file: str = "") -> list[NDArray[np.float32]]:
    """The faces of an iBUG `.pts` file, one for each pair of braces, as `read_pts` gives each.

    Text may be UTF-8, Latin-1, or UTF-16 with its byte order mark, with the line ends of any system. The two numbers of
    a point may be separated by blanks, a comma or a semicolon; "1,5 2,5" has decimal commas. Comments after #, //, % or
    ; are left out. Neither 'version' nor 'n_points' is needed.

    Args:
        path: the file.
        file: its name for the error; "": the path.

    Raises:
        BadFace: as `read_pts`.
    """
    file = file or str(path)
    try:
        text = _text(path.read_bytes())
    except OSError as error:
        raise BadFace(file, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadFace(file, "not a .pts file: it is not text") from None
    if _BINARY.search(text):
        raise BadFace(file, "not a .pts file: it is not text")
    head, *blocks = text.split("{")
    if not blocks or any(block.count("}") != 1 for block in blocks):
        raise BadFace(file, _EXPECTED)
    bodies = [block.partition("}")[0] for block in blocks]
    announced = "n_points" in head.lower()
    return [
        _face(body, file if len(bodies) == 1 else f"{file}, face {n}", announced) for n, body in enumerate(bodies, 1)
    ]


def read_pts(path: Path, file: str = "") -> NDArray[np.float32]:
    """The points of an iBUG `.pts` file, (68, 2) float32, (x, y) in pixels, pixel centres at integers from 0.

    300-W counts pixels from 1; one is subtracted here. Menpo's 39 profile points are converted
    (`points_from_profile`); landmarks that they lack are NaN.

    Args:
        path: the file; `read_faces` says what it may look like.
        file: its name for the error; "": the path.

    Raises:
        BadFace: the file is unreadable or has no braces, a value is no finite number, a face has neither 68 nor 39
            points, or there are several faces.
    """
    faces = read_faces(path, file)
    if len(faces) > 1:
        raise BadFace(file or str(path), f"{len(faces)} faces, one expected")
    return faces[0]


def _text(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.removeprefix(mark).decode(encoding)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # a comment or a name in an older encoding: the numbers are ASCII


def _face(body: str, file: str, announced: bool) -> NDArray[np.float32]:
    lines = [line for line in body.splitlines() if not _NO_POINT.fullmatch(line)]
    rows = [match.groups() for line in lines if (match := _POINT.fullmatch(line))]
    if len(rows) < len(lines):
        rows = _with_decimal_commas(lines, file, announced)
    points = np.array([[float(number) for number in row] for row in rows], np.float64).reshape(-1, 2)
    if len(rows) not in (POINTS, PROFILE_POINTS):
        raise BadFace(file, f"{len(rows)} points, {POINTS} or (a profile) {PROFILE_POINTS} expected")
    if not np.isfinite(points).all():
        raise BadFace(file, f"point {int(np.flatnonzero(~np.isfinite(points).all(1))[0]) + 1} is not finite")
    points -= 1
    return (points if len(rows) == POINTS else points_from_profile(points)).astype(np.float32)


def _with_decimal_commas(lines: list[str], file: str, announced: bool) -> list[tuple[str, ...]]:
    """The points of lines such as "1,5 2,5"; BadFace if a line has other than two numbers, or may mean two things."""
    found = [_COMMA_POINT.fullmatch(line) for line in lines]
    rows = [match.groups() for match in found if match]
    if len(rows) < len(lines):
        raise BadFace(file, "a point is not two numbers" if announced else _EXPECTED)
    numbers = [number for row in rows for number in row]
    with_comma = [number for number in numbers if "," in number]
    if len(with_comma) < len(numbers) and all(_THOUSANDS.fullmatch(number) for number in with_comma):
        raise BadFace(file, f"{with_comma[0]} may be {with_comma[0].replace(',', '.')} or thousands: write a point")
    return [tuple(number.replace(",", ".") for number in row) for row in rows]
