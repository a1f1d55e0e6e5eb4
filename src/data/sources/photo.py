"""A photograph with annotated faces: decoded once, each face checked and cropped."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.crops import crop_box, crop_image, points_in_crop, replicated_share
from src.data.face import SIDE, BadFace, Face, FaceRow
from src.data.images import decode_image
from src.data.pts import check_landmarks, read_pts


@dataclass(frozen=True, eq=False)
class Annotation:
    """One face of a photograph.

    Attributes:
        name: what to name in an error: the `.pts` file, or the picture.
        identity: whose face.
        points: (68, 2) in pixels of the picture (NaN: not known), or the `.pts` file that holds them.
        replicated_border: of a picture that was cropped before, where known.
        gray: where known.
    """

    name: str
    identity: str
    points: NDArray[np.float32] | Path
    replicated_border: float | None = None
    gray: bool | None = None


@dataclass(frozen=True, eq=False)
class PhotoJob:
    """A source file with its faces, or what is wrong with it already.

    Attributes:
        path: the file.
        file: its name relative to the source's root, with forward slashes.
        annotations: its faces.
        problem: a reason found while listing; then there is nothing to decode.
    """

    path: Path
    file: str
    annotations: tuple[Annotation, ...] = ()
    problem: str = ""

    @property
    def faces(self) -> int:
        """How many faces are annotated; a file with a problem has none."""
        return len(self.annotations)

    def resolve(self) -> list[Face | BadFace]:
        """The photograph's faces; a file that cannot be decoded is one rejected file."""
        if self.problem:
            return [BadFace(self.file, self.problem)]
        try:
            data = self.path.read_bytes()
        except OSError as error:
            return [BadFace(self.file, f"cannot be read: {error.strerror}")]
        try:
            image = decode_image(data, self.file)
        except BadFace as bad:
            return [bad]
        digest = hashlib.sha256(data).hexdigest()
        return [self._face(image, annotation, digest) for annotation in self.annotations]

    def _face(self, image: NDArray[np.uint8], annotation: Annotation, digest: str) -> Face | BadFace:
        height, width = image.shape[:2]
        points = annotation.points
        try:
            if isinstance(points, Path):
                points = read_pts(points, annotation.name)
            check_landmarks(points, width, height, annotation.name)
        except BadFace as bad:
            return bad
        known: NDArray[np.bool_] = np.logical_and(*np.isfinite(points).T)
        border = annotation.replicated_border
        if (height, width) == (SIDE, SIDE) and self.faces == 1:
            box = (0.0, 0.0, float(SIDE), float(SIDE))
            crop, moved = image, points.astype(np.float32)
        else:
            box = crop_box(points)
            crop, moved = crop_image(image, box), points_in_crop(points, box)
            border = replicated_share(box, width, height)
        # A landmark that nobody placed is hidden; it gets the centre of the others, so that arithmetic stays finite.
        moved = np.where(known[:, None], moved, moved[known].mean(0))
        row = FaceRow(self.file, annotation.identity, box, "annotations", 1.0, digest, "", border, annotation.gray)
        return Face(crop, moved, known, row)
