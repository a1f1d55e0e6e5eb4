"""Turns decoded photographs into the faces of a store: landmarks, visibility, crop."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from src.face.plausible import check_landmarks
from src.face.points import POINTS
from src.face.visibility import estimate_visibility
from src.image.crop import Square, crop_square
from src.image.sides import SIDE
from src.landmarks.boxes import face_box
from src.landmarks.landmark_error import landmark_error, matched_errors
from src.landmarks.landmarker import Landmarker, Landmarks, Query
from src.preparation.crop_rules import CelebaAlignedCrop, LandmarksCrop, crop_fault
from src.preparation.known_faces import KnownFace, known_faces
from src.source.photograph import Annotation, Photo, Remark
from src.store.face import Face, FaceRow
from src.system.errors import BadFace

Outcome = Face | BadFace | Remark
MAX_PIXELS = 48_000_000  # decoded at a time (144 MB), so that large photographs do not fill the memory


@dataclass(frozen=True)
class Recipe:
    """How faces are made.

    Attributes:
        crop: the crop rule with its filters.
        visibility: "estimated" or "annotated", as in PrepareConfig.
        landmarker: places the landmarks; None: the source's are used.
    """

    crop: LandmarksCrop | CelebaAlignedCrop
    visibility: Literal["estimated", "annotated"] = "estimated"
    landmarker: Landmarker | None = None

    @property
    def network(self) -> str:
        """Who places the landmarks, for the manifest."""
        return "" if self.landmarker is None else self.landmarker.name


@dataclass(frozen=True, eq=False)
class _Placed:
    """A face whose landmarks are placed and plausible; `alone`: by the source itself, which knows no other face."""

    identity: str
    points: NDArray[np.float32]
    source: str
    score: float
    depth: NDArray[np.float32] | None = None
    annotation: Annotation | None = None
    error: float | None = None
    alone: bool = False


@dataclass(frozen=True, eq=False)
class _Whose:
    """Whose landmarks a network found: the face's label in errors, its identity, and what its source knows."""

    label: str
    identity: str
    annotation: Annotation | None = None
    error: float | None = None


def finish(loaded: Iterable[Photo | Sequence[Outcome]], recipe: Recipe) -> Iterator[Sequence[Outcome]]:
    """The faces, rejects and remarks of each photograph, in order; finished items pass through unchanged.

    Photographs go to the landmark network in groups of up to 48 megapixels.
    """
    group: list[Photo | Sequence[Outcome]] = []
    pixels = 0
    for item in loaded:
        size = item.image.shape[0] * item.image.shape[1] if isinstance(item, Photo) else 0
        if group and pixels + size > MAX_PIXELS:
            yield from _finish_group(group, recipe)
            group, pixels = [], 0
        group.append(item)
        pixels += size
    yield from _finish_group(group, recipe)


def _finish_group(group: Sequence[Photo | Sequence[Outcome]], recipe: Recipe) -> Iterator[Sequence[Outcome]]:
    photos = [item for item in group if isinstance(item, Photo)]
    network = recipe.landmarker
    placed = [_annotated(photo, recipe) for photo in photos] if network is None else _found(photos, network, recipe)
    faces = [face for outcomes in placed for face in outcomes if isinstance(face, _Placed)]
    visible = iter(_visible(faces, recipe.visibility))
    done = iter(
        [
            *(Remark(photo.job.file, text) for text in photo.remarks),
            *(
                face if isinstance(face, BadFace) else _crop(photo, face, next(visible), recipe.crop)
                for face in outcomes
            ),
        ]
        for photo, outcomes in zip(photos, placed, strict=True)
    )
    for item in group:
        yield next(done) if isinstance(item, Photo) else item


def _annotated(photo: Photo, recipe: Recipe) -> list[_Placed | BadFace]:
    """The faces with the source's own landmarks."""
    placed: list[_Placed | BadFace] = []
    known = known_faces(photo, recipe.crop.upright)
    for face in known:
        annotation, points, bad = face.annotation, face.points, face.unread or face.fault
        if bad is not None:
            placed.append(bad)
        elif points is None:
            reason = "the source has no landmarks for it: use a network (landmarks=onnx)"
            placed.append(BadFace(annotation.name, reason))
        else:
            source, alone = annotation.landmark_source, len(known) == 1
            placed.append(_Placed(annotation.identity, points, source, 1.0, annotation=annotation, alone=alone))
    return placed


def _found(photos: Sequence[Photo], landmarker: Landmarker, recipe: Recipe) -> list[list[_Placed | BadFace]]:
    """The faces with a network's landmarks: at the places that the source knows, else where a detector finds them."""
    known = [known_faces(photo, recipe.crop.upright) for photo in photos]
    queries = [_query(photo, faces) for photo, faces in zip(photos, known, strict=True)]
    placed = []
    for photo, faces, query, found in zip(photos, known, queries, landmarker.find(queries), strict=True):
        if query.boxes is None:
            placed.append(_detected(photo, faces, found, recipe))
        else:
            placed.append(_at_boxes(photo, faces, found, recipe))
    return placed


def _query(photo: Photo, known: Sequence[KnownFace]) -> Query:
    boxes = []
    for face in known:
        if face.annotation.box is not None:
            boxes.append(face.annotation.box)
        elif face.points is not None and np.isfinite(face.points).all(1).any():
            boxes.append(face_box(face.points[np.isfinite(face.points).all(1)]))
    # An annotated face without box or points has to be detected; an unreadable annotation is a reject, not a query.
    unknown = len(boxes) + sum(face.unread is not None for face in known) < len(known)
    if photo.job.detect or unknown or not known:
        return Query(photo.image)
    return Query(photo.image, tuple(boxes))


def _at_boxes(
    photo: Photo, known: Sequence[KnownFace], found: list[Landmarks], recipe: Recipe
) -> list[_Placed | BadFace]:
    """The faces at known boxes, in the order of the annotations."""
    answers = iter(found)
    placed: list[_Placed | BadFace] = []
    for one in known:
        if one.unread is not None:
            placed.append(one.unread)
            continue
        face, annotation = next(answers), one.annotation
        error = None if one.points is None else landmark_error(face.points, one.points)
        placed.append(_checked(photo, face, recipe, _Whose(annotation.name, annotation.identity, annotation, error)))
    return placed


def _detected(
    photo: Photo, known: Sequence[KnownFace], found: list[Landmarks], recipe: Recipe
) -> list[_Placed | BadFace]:
    """All detected faces; only the largest if the source names a face without its place."""
    job = photo.job
    if not found:
        return [BadFace(job.file, "no face was found")]
    if known and not job.detect:
        biggest = max(found, key=lambda face: float(np.ptp(face.points, axis=0).max()))
        annotation = known[0].annotation
        return [_checked(photo, biggest, recipe, _Whose(job.file, annotation.identity, annotation))]
    annotated = [face.points for face in known if face.points is not None]
    errors = matched_errors([face.points for face in found], annotated)
    placed = []
    for number, (face, error) in enumerate(zip(found, errors, strict=True), 1):
        suffix = f"_{number}" if len(found) > 1 else ""
        label = f"{job.file} (face {number} of {len(found)})" if suffix else job.file
        placed.append(_checked(photo, face, recipe, _Whose(label, job.identity + suffix, error=error)))
    return placed


def _checked(photo: Photo, face: Landmarks, recipe: Recipe, whose: _Whose) -> _Placed | BadFace:
    """A face with a network's landmarks, or why they are rejected."""
    if not np.isfinite(face.points).all():
        return BadFace(whose.label, f"the landmark network ({recipe.network}) returned NaN")
    height, width = photo.image.shape[:2]
    try:
        check_landmarks(face.points, width, height, whose.label, any_roll=recipe.crop.upright)
    except BadFace as bad:
        return bad
    return _Placed(whose.identity, face.points, recipe.network, face.score, face.depth, whose.annotation, whose.error)


def _visible(faces: Sequence[_Placed], visibility: str) -> NDArray[np.bool_]:
    """(B, 68): landmarks that an annotation leaves out are hidden; if it leaves out none, those the head hides."""
    if not faces:
        return np.zeros((0, POINTS), np.bool_)
    points = np.stack([face.points for face in faces]).astype(np.float64)
    known: NDArray[np.bool_] = np.all(np.isfinite(points), axis=2)
    if visibility == "annotated":
        return known
    flags = np.array(known)
    # An annotation of 39 points of a profile already says which are visible.
    asked: NDArray[np.bool_] = np.all(known, axis=1)
    deep = np.array([face.depth is not None for face in faces])
    if (flat := asked & ~deep).any():
        flags[flat] = estimate_visibility(points[flat], known[flat])
    if (solid := asked & deep).any():
        depth = np.stack([np.zeros(POINTS) if face.depth is None else face.depth for face in faces])
        flags[solid] = estimate_visibility(points[solid], known[solid], depth[solid])
    return flags


def _crop(photo: Photo, face: _Placed, visible: NDArray[np.bool_], crop: LandmarksCrop | CelebaAlignedCrop) -> Outcome:
    height, width = photo.image.shape[:2]
    known: NDArray[np.bool_] = np.all(np.isfinite(face.points), axis=1)
    annotation = face.annotation
    label = annotation.name if annotation else photo.job.file
    ready = face.alone and (height, width) == (SIDE, SIDE)
    if ready and isinstance(crop, LandmarksCrop) and not crop.upright:
        square = Square((0.0, 0.0, float(SIDE), float(SIDE)))
        border = annotation.replicated_border if annotation else None
    else:
        try:
            square = crop.square(face.points, visible, width, height)
        except ValueError as error:
            return BadFace(label, str(error))
        border = square.outside(width, height)
    fault = crop_fault(crop, square.box, border or 0.0)
    if fault:
        return BadFace(label, fault)
    whole = square.grown(crop.margin)
    image, moved = crop_square(photo.image, whole, SIDE + 2 * crop.margin), square.moved(face.points)
    # A landmark without a position is hidden; it gets the mean of the others, so that arithmetic stays finite.
    moved = np.where(known[:, None], moved, moved[known].mean(0))
    gray = annotation.gray if annotation else None
    row = FaceRow(
        file=photo.job.file,
        identity=face.identity,
        crop_box=square.box,
        landmark_source=face.source,
        landmark_score=face.score,
        sha256=photo.sha256,
        replicated_border=border,
        gray=gray,
        landmark_error=face.error,
        roll_deg=math.degrees(square.roll) if crop.upright else None,
        matrix=tuple(square.matrix().ravel().tolist()),  # type: ignore[arg-type]
        inside=square.margin_inside(crop.margin, width, height),
    )
    return Face(image, moved, visible, row)
