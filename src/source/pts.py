"""Reading of iBUG `.pts` files, which hold 68 or 39 landmarks of a face."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.face.points import POINTS
from src.source.menpo import PROFILE_POINTS, points_from_profile
from src.system.errors import BadFace


def read_pts(path: Path, file: str = "") -> NDArray[np.float32]:
    """The points of an iBUG `.pts` file, (68, 2) float32, (x, y) in pixels, pixel centres at integers from 0.

    300-W counts pixels from 1; one is subtracted here. Menpo's 39 profile points are converted
    (`points_from_profile`); landmarks that they lack are NaN.

    Args:
        path: the file.
        file: its name for the error; "": the path.

    Raises:
        BadFace: the file is unreadable or has no braces, a value is no finite number, or it has neither 68 nor 39
            points.
    """
    file = file or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadFace(file, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadFace(file, "not a .pts file: it is not text") from None
    head, opened, rest = text.partition("{")
    body, closed, _ = rest.partition("}")
    if not opened or not closed or "n_points" not in head:
        raise BadFace(file, "not a .pts file: 'n_points: 68' (or 39) and the points in braces { } expected")
    rows = [line.split() for line in body.splitlines() if line.strip()]
    try:
        points = np.array([[float(number) for number in row] for row in rows], np.float64)
    except ValueError:
        raise BadFace(file, "a point is not two numbers") from None
    if len(rows) not in (POINTS, PROFILE_POINTS):
        raise BadFace(file, f"{len(rows)} points, {POINTS} or (a profile) {PROFILE_POINTS} expected")
    if points.shape != (len(rows), 2):
        raise BadFace(file, "a point is not two numbers")
    if not np.isfinite(points).all():
        raise BadFace(file, f"point {int(np.flatnonzero(~np.isfinite(points).all(1))[0]) + 1} is not finite")
    points -= 1
    return (points if len(rows) == POINTS else points_from_profile(points)).astype(np.float32)
