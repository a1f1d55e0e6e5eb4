"""A photograph with its faces: where its bytes lie, what its source knows of it, and how it is decoded."""

import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from src.image.crop import FaceBox
from src.image.decode import decode_image
from src.store.face import Face
from src.system.errors import BadFace, UserError

# What says that the disk or the folder went away: the pictures are not bad, and must not land among the rejects.
GONE = {errno.ENOENT, errno.ENOTDIR, errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN}


class Picture(Protocol):
    """Where a picture's bytes lie: a file, or a member of an archive; small and picklable."""

    @property
    def size(self) -> int:
        """Bytes, as the folder or the archive's table says; 0 where it cannot be told."""

    def read(self) -> bytes:
        """The file's bytes; OSError or BadFace where they cannot be had."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture in a folder."""

    path: Path

    @property
    def size(self) -> int:
        """Bytes on disk; 0 where the file is gone."""
        return self.path.stat().st_size if self.path.exists() else 0

    def read(self) -> bytes:
        """The file's bytes."""
        return self.path.read_bytes()


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """What a source knows of one face of a photograph.

    Attributes:
        name: what to name in an error: the `.pts` file, or the picture.
        identity: whose face.
        points: (68, 2) in pixels of the picture, pixel centres at integers, NaN where nobody placed the landmark;
            or the `.pts` file that holds them; None where the source has none.
        box: the face, where the source knows it: a network's detector is skipped.
        landmark_source: who placed the points, for the manifest.
        replicated_border: of a picture that was cropped before, where known.
        gray: where known.
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
    """A source file with its faces, or what is wrong with it already.

    Attributes:
        picture: its bytes.
        file: its name relative to the source's root, with forward slashes.
        identity: whose face it shows where it shows one; faces that a detector finds are named after it.
        annotations: the faces that the source knows.
        problem: a reason found while listing; then there is nothing to decode.
        detect: a network looks for faces even where some are annotated, which then only tell how far off it is.
    """

    picture: Picture
    file: str
    identity: str = ""
    annotations: tuple[Annotation, ...] = ()
    problem: str = ""
    detect: bool = False

    @property
    def faces(self) -> int:
        """How many faces to expect: those annotated, else one; a file with a problem has none."""
        return 0 if self.problem else max(1, len(self.annotations))

    def load(self) -> "Photo | list[Face | BadFace]":
        """The decoded photograph, or the one reject that a file is which cannot be decoded."""
        if self.problem:
            return [BadFace(self.file, self.problem)]
        try:
            data = self.picture.read()
            return Photo(self, decode_image(data, self.file), hashlib.sha256(data).hexdigest())
        except BadFace as bad:
            return [bad]
        except OSError as error:
            if error.errno in GONE:
                raise UserError(
                    f"{self.file} was there when the source was listed and is not any more ({error.strerror}): is the "
                    f"disk still mounted? What is finished is kept; the same command goes on"
                ) from None
            return [BadFace(self.file, f"cannot be read: {error.strerror or error}")]


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A decoded photograph.

    Attributes:
        job: its file and what its source knows of its faces.
        image: (H, W, 3) uint8 RGB.
        sha256: of the file's bytes.
    """

    job: PhotoJob
    image: NDArray[np.uint8]
    sha256: str
