"""A photograph with its faces: where its bytes are, what its source knows about it, and how it is decoded."""

import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from src.image.crop import FaceBox
from src.image.decode import MAX_PIXELS, Reading, decode
from src.image.orientation import UPRIGHT, orientation_of
from src.store.face import Face
from src.system.errors import BadFace, UserError

# Errors of a disk or folder that went away: the pictures are not bad and must not become rejects.
GONE = {errno.ENOENT, errno.ENOTDIR, errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN}


class Picture(Protocol):
    """The place of a picture's bytes: a file, or a member of an archive; small and picklable."""

    @property
    def size(self) -> int:
        """Bytes according to the folder or the archive's table; 0 if unknown."""

    def read(self) -> bytes:
        """The file's bytes; OSError or BadFace if they cannot be read."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture in a folder."""

    path: Path

    @property
    def size(self) -> int:
        """Bytes on disk; 0 if the file is missing."""
        return self.path.stat().st_size if self.path.exists() else 0

    def read(self) -> bytes:
        """The file's bytes."""
        return self.path.read_bytes()


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """What a source knows about one face of a photograph.

    Attributes:
        name: the `.pts` file or the picture, for errors.
        identity: whose face it is.
        points: (68, 2) in pixels of the picture, pixel centres at integers, NaN where not annotated; or the `.pts`
            file that holds them; None if the source has none.
        box: the face's box if the source knows it; a network's detector is then skipped.
        landmark_source: who placed the points, for the manifest.
        replicated_border: its share of a picture that was cropped before, 0 to 1, if known.
        gray: whether the picture has no colour, if known.
    """

    name: str
    identity: str
    points: NDArray[np.float32] | Path | None
    box: FaceBox | None = None
    landmark_source: str = "annotations"
    replicated_border: float | None = None
    gray: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PhotoJob:
    """A source file with its faces, or with the problem that was found while listing.

    Attributes:
        picture: its bytes.
        file: its name relative to the source's root, with forward slashes.
        identity: whose face it shows, if only one; faces that a detector finds are named after it.
        annotations: the faces that the source knows.
        problem: why it is a reject; it is then not decoded.
        detect: a network searches for faces even if some are annotated; those then only measure its error.
        max_pixels: a picture of more is a reject.
    """

    picture: Picture
    file: str
    identity: str = ""
    annotations: tuple[Annotation, ...] = ()
    problem: str = ""
    detect: bool = False
    max_pixels: int = MAX_PIXELS

    @property
    def faces(self) -> int:
        """The expected number of faces: the annotated ones, else one; 0 for a file with a problem."""
        return 0 if self.problem else max(1, len(self.annotations))

    def load(self) -> "Photo | list[Face | BadFace]":
        """The decoded photograph, or a list of one reject if it cannot be decoded; UserError if the disk is gone."""
        if self.problem:
            return [BadFace(self.file, self.problem)]
        try:
            data, remarks = self.picture.read(), list[str]()
            image = decode(data, Reading(self.file, self.max_pixels, say=remarks.append))
            return Photo(self, image, hashlib.sha256(data).hexdigest(), tuple(remarks))
        except BadFace as bad:
            return [bad]
        except OSError as error:
            if error.errno in GONE:
                raise UserError(
                    f"{self.file} was there when the source was listed and is now missing ({error.strerror}): is the "
                    f"disk still mounted? Finished work is kept; the same command resumes"
                ) from None
            return [BadFace(self.file, f"cannot be read: {error.strerror or error}")]


@dataclass(frozen=True, slots=True)
class Remark:
    """What a person should know about a picture that is used all the same.

    Attributes:
        file: the picture.
        text: the kind of remark, a colon and the details.
    """

    file: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A decoded photograph.

    Attributes:
        job: its file and what its source knows about its faces.
        image: (H, W, 3) uint8 RGB.
        sha256: of the file's bytes.
        remarks: what a person should know about it, although it is used.
    """

    job: PhotoJob
    image: NDArray[np.uint8]
    sha256: str
    remarks: tuple[str, ...] = ()

    def orientation(self) -> int:
        """The EXIF orientation by which the picture was turned, 1 (not at all) to 8; this reads the file again."""
        try:
            return orientation_of(self.job.picture.read())
        except (BadFace, OSError):
            return UPRIGHT
