"""The faces of a photograph that its source knows, with their landmarks read, checked and in the upright picture."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from src.face.plausible import check_landmarks, tilt_of
from src.face.turn import MIRRORED, turned_points
from src.image.orientation import UPRIGHT
from src.source.photograph import Annotation, Photo
from src.source.pts import read_faces
from src.system.errors import BadFace

# Our choice, in degrees: a face that leans less is taken as it is without asking for the picture's orientation.
LEANING: Final = 60.0
# Our choice: a face that leans more is turned with its picture if it then leans less than this. Between the two, it may
# be a person who lies down.
LEVEL: Final = 20.0


@dataclass(frozen=True, eq=False)
class KnownFace:
    """A face that a source knows.

    Attributes:
        annotation: what the source knows of it, with a name and an identity of its own.
        points: (68, 2) in pixels of the upright picture, NaN where not known; None if the source has none.
        unread: why there are none although the source has them.
        fault: why the points cannot be landmarks of a face in this picture.
    """

    annotation: Annotation
    points: NDArray[np.float32] | None = None
    unread: BadFace | None = None
    fault: BadFace | None = None


def known_faces(photo: Photo, any_roll: bool) -> list[KnownFace]:
    """The faces of a photograph that its source knows, in its order.

    Landmarks are taken in the upright picture. If its EXIF turns it and they fit only the stored pixels, they are
    turned with it; if both may be meant, that is a fault.

    Args:
        photo: the picture.
        any_roll: whether a face may lean at any angle.
    """
    return [
        KnownFace(face, unread=points) if isinstance(points, BadFace) else _checked(photo, face, points, any_roll)
        for annotation in photo.job.annotations
        for face, points in _read(annotation)
    ]


def _read(annotation: Annotation) -> Iterator[tuple[Annotation, NDArray[np.float32] | BadFace | None]]:
    """An annotation with its points; one for each face of a `.pts` file."""
    if not isinstance(annotation.points, Path):
        yield annotation, annotation.points
        return
    try:
        faces = read_faces(annotation.points, annotation.name)
    except BadFace as bad:
        yield annotation, bad
        return
    for number, points in enumerate(faces, 1):
        if len(faces) == 1:
            yield annotation, points
        else:
            name = f"{annotation.name} (face {number} of {len(faces)})"
            yield replace(annotation, name=name, identity=f"{annotation.identity}_{number}"), points


def _checked(photo: Photo, face: Annotation, points: NDArray[np.float32] | None, any_roll: bool) -> KnownFace:
    if points is None:
        return KnownFace(face)
    fault = _fault(points, photo, face.name, any_roll)
    if fault is None and abs(tilt_of(points)) <= LEANING:
        return KnownFace(face, points)
    orientation = photo.orientation()
    if orientation == UPRIGHT:
        return KnownFace(face, points, fault=fault)
    height, width = photo.image.shape[:2]
    readings = [turned_points(points, orientation, width, height, swap) for swap in (True, False)]
    turned = min(readings[: 1 + (orientation in MIRRORED)], key=lambda reading: _lean(reading, photo))
    as_given, as_stored = _lean(points, photo), _lean(turned, photo)
    if as_stored <= LEVEL or (math.isinf(as_given) and math.isfinite(as_stored)):
        # A box of the source's would have to be turned as well: the points say where the face is.
        return KnownFace(replace(face, box=None), turned, fault=_fault(turned, photo, face.name, any_roll))
    if as_given <= as_stored and math.isfinite(as_given):
        return KnownFace(face, points, fault=fault)
    said = fault.reason if fault else f"the face is tilted by {tilt_of(points):.0f} degrees"
    either = "may be those of the stored" if math.isfinite(as_stored) else "fit neither the upright nor the stored"
    reason = (
        f"its EXIF orientation is {orientation}, and its landmarks {either} pixels: give them in the upright picture"
    )
    return KnownFace(face, points, fault=BadFace(face.name, f"{reason} ({said})"))


def _fault(points: NDArray[np.float32], photo: Photo, name: str, any_roll: bool) -> BadFace | None:
    height, width = photo.image.shape[:2]
    try:
        check_landmarks(points, width, height, name, any_roll)
    except BadFace as bad:
        return bad
    return None


def _lean(points: NDArray[np.float32], photo: Photo) -> float:
    """By how many degrees a face leans, either way; infinity if it can be no face in this picture."""
    return math.inf if _fault(points, photo, "", any_roll=True) else abs(tilt_of(points))
