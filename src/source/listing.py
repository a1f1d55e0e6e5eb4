"""Pictures in a folder, listed without opening one, and what all sources of folders say about them."""

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from src.image.suffixes import SUFFIXES, not_read
from src.source.photograph import Annotation, PhotoJob, PictureFile
from src.source.walk import walk
from src.system.errors import UserError


@dataclass(frozen=True)
class Listing:
    """The files below a folder, in the order of their names, without the companions of other systems.

    Attributes:
        root: the folder.
        files: all of them.
        pictures: those with a picture's suffix.
        points: the `.pts` files.
        problems: links that lead nowhere, folders that cannot be read, and pictures of a kind that is not read, each
            with the reason.
        linked: whether links lead to some of the files, so that a file may be there under several names.
    """

    root: Path
    files: list[Path]
    pictures: list[Path]
    points: list[Path]
    problems: dict[Path, str]
    linked: bool

    def complete(self, jobs: list[PhotoJob]) -> list[PhotoJob]:
        """The jobs with those of the problems, each file once, in the order of their names."""
        jobs = [*jobs, *(picture_job(path, self.root, problem=why) for path, why in self.problems.items())]
        return sorted(_each_once(jobs, self.root) if self.linked else jobs, key=lambda job: job.file)


def list_pictures(root: Path) -> Listing:
    """The files below `root`; UserError if it is no folder, cannot be read or holds no picture."""
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise UserError(f"source.root={root} {what}: give the folder that holds the pictures")
    walked = walk(root)
    if root in walked.problems:
        raise UserError(f"source.root={root} {walked.problems[root]}")
    problems = walked.problems | {path: why for path in walked.files if (why := not_read(path.name))}
    pictures = [path for path in walked.files if path.suffix.lower() in SUFFIXES]
    if not pictures:
        reasons = Counter(why.split(":")[0] for why in problems.values())
        others = "".join(f"; {count:,} x {why}" for why, count in reasons.items())
        raise UserError(
            f"source.root={root} holds no picture ({', '.join(sorted(SUFFIXES))}), sub-folders included{others}"
        )
    points = [path for path in walked.files if path.suffix.lower() == ".pts"]
    return Listing(root, walked.files, pictures, points, problems, walked.linked)


def picture_job(path: Path, root: Path, annotations: tuple[Annotation, ...] = (), problem: str = "") -> PhotoJob:
    """The job of a picture below `root`, named by its path relative to `root`."""
    file = relative(path, root)
    if not path.name.isprintable():
        problem = "its name has characters that no list can hold: rename it"
    return PhotoJob(PictureFile(path), file, identity_of(file), annotations, problem)


def identity_of(file: str) -> str:
    """The identity for a picture in a source without identities: its path without `images/` and suffix."""
    return file.removeprefix("images/").removesuffix(Path(file).suffix)


def relative(path: Path, root: Path) -> str:
    """A file's name in lists: relative to `root`, with forward slashes, and printable."""
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    return name if name.isprintable() else ascii(name)


def digest(jobs: list[PhotoJob]) -> str:
    """A hash of names, sizes and landmarks. It reveals a changed source without decoding pictures."""
    digest = hashlib.sha256()
    for job in jobs:
        digest.update(repr((job.file, job.picture.size, job.problem)).encode())
        for annotation in job.annotations:
            points = annotation.points
            data = _bytes(points) if isinstance(points, Path) else np.ascontiguousarray(points).tobytes()
            facts = (annotation.name, annotation.identity, annotation.replicated_border, annotation.gray)
            digest.update(repr(facts).encode() + data)
    return f"{len(jobs)} files, {digest.hexdigest()[:16]}"


def _each_once(jobs: list[PhotoJob], root: Path) -> list[PhotoJob]:
    """The jobs without those of files that another job reads under another name.

    Of several names of one file, one with landmarks stays, if possible the one without a link; it gets all the
    annotations. A `.pts` file without a picture beside it is no reject if it is used under another name.
    """
    top = os.path.realpath(root)
    names: dict[str, list[PhotoJob]] = {}
    for job in jobs:
        names.setdefault(_real(job.picture), []).append(job)
    kept = []
    for real, same in names.items():
        best = min(same, key=lambda job: (bool(job.problem), os.path.join(top, job.file) != real, job.file))  # noqa: PTH118
        own = {_key(annotation) for annotation in best.annotations}
        others = {_key(annotation): annotation for job in same for annotation in job.annotations}
        more = tuple(annotation for key, annotation in others.items() if key not in own)
        kept.append((real, replace(best, annotations=best.annotations + more)))
    used = {_key(annotation) for _, job in kept for annotation in job.annotations}
    return [job for real, job in kept if not (job.problem and real in used)]


def _real(picture: object) -> str:
    assert isinstance(picture, PictureFile)
    try:
        return os.path.realpath(picture.path)
    except ValueError:  # a name in a table that can be no path
        return str(picture.path)


def _key(annotation: Annotation) -> str | bytes:
    """What tells an annotation from others of its picture: its file without links, or its landmarks."""
    points = annotation.points
    return os.path.realpath(points) if isinstance(points, Path) else np.ascontiguousarray(points).tobytes()


def _bytes(path: Path) -> bytes:
    """A file's bytes, empty if it cannot be read: its job will report that."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
