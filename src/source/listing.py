"""Pictures in a folder and the iBUG `.pts` files beside them, listed without opening a picture."""

import hashlib
import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.image.decode import SUFFIXES
from src.source.names import Names, match
from src.source.photograph import Annotation, PhotoJob, PictureFile
from src.store.card import ARRAYS, CARD
from src.system.errors import UserError

STORE = frozenset(ARRAYS)


@dataclass(frozen=True)
class Listing:
    """The files below a folder, in the order of their names, without hidden ones; `files` has all of them."""

    files: list[Path]
    pictures: list[Path]
    points: list[Path]


def list_pictures(root: Path) -> Listing:
    """The files below `root`; UserError if it is no folder or holds no picture."""
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise UserError(f"source.root={root} {what}: give the folder that holds the pictures")
    files = _files(root)
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    if not pictures:
        raise UserError(f"source.root={root} holds no picture ({', '.join(sorted(SUFFIXES))}), sub-folders included")
    return Listing(files, pictures, [path for path in files if path.suffix.lower() == ".pts"])


def pts_jobs(pictures: list[Path], points: list[Path], root: Path) -> list[PhotoJob]:
    """Jobs that pair `NAME.pts`, or `NAME_1.pts`, `NAME_2.pts` ..., with the picture `NAME.*` in the same folder.

    Unicode form and case of the names may differ where only one picture fits.
    """
    by_stem: dict[Path, list[Path]] = defaultdict(list)
    for path in pictures:
        by_stem[path.with_suffix("")].append(path)
    # A backslash in a file's name is no slash here, so the names of a folder are compared among themselves.
    folders: dict[Path, list[tuple[str, Path]]] = defaultdict(list)
    for stem in by_stem:
        folders[stem.parent].append((stem.name, stem))
    names = {folder: Names(stems) for folder, stems in folders.items()}
    nothing = Names[Path](())
    questions = []
    for path in points:
        inside, numbered = names.get(path.parent, nothing), re.fullmatch(r"(.+)_\d+", path.stem)
        questions.append([(name, inside) for name in (path.stem, *([numbered[1]] if numbered else []))])
    faces: dict[Path, list[Path]] = defaultdict(list)
    jobs = []
    for path, stems, question in zip(points, match(questions), questions, strict=True):
        if len(stems) == 1:
            faces[stems[0]].append(path)
        else:
            alike = stems or next((found for name, inside in question if (found := inside.find(name))), [])
            listed = ", ".join(stem.name for stem in alike)
            problem = f"no picture of this name beside it; ambiguous: it is like {listed}" if alike else ""
            jobs.append(picture_job(path, root, problem=problem or "no picture of this name beside it"))
    for stem, same in by_stem.items():
        if len(same) > 1:
            listed = ", ".join(path.name for path in same)
            problem = f"{len(same)} pictures of one name ({listed}): which one its .pts belongs to is not known"
        else:
            problem = "" if faces[stem] else "no landmarks: no .pts of this name beside it"
        if problem:
            jobs += [picture_job(path, root, problem=problem) for path in same]
            continue
        annotations = tuple(
            Annotation(_relative(path, root), _relative(path.with_suffix(""), root), path)
            for path in sorted(faces[stem], key=_number)
        )
        jobs.append(picture_job(same[0], root, annotations))
    return jobs


def picture_job(path: Path, root: Path, annotations: tuple[Annotation, ...] = (), problem: str = "") -> PhotoJob:
    """The job of a picture below `root`, named by its path relative to `root`."""
    file = _relative(path, root)
    if not path.name.isprintable():
        problem = "its name has characters that no list can hold: rename it"
    return PhotoJob(PictureFile(path), file, identity_of(file), annotations, problem)


def identity_of(file: str) -> str:
    """The identity for a picture in a source without identities: its path without `images/` and suffix."""
    return file.removeprefix("images/").removesuffix(Path(file).suffix)


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


def _files(root: Path) -> list[Path]:
    """Every file below `root` except hidden ones; links are followed, each folder is visited once."""
    found, seen = [], set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        seen.add(os.path.realpath(folder))
        if CARD in names and set(names) >= STORE:
            subfolders.clear()
            continue  # a store made earlier: its contact sheet is no photograph
        subfolders[:] = sorted(
            name for name in subfolders if not name.startswith(".") and os.path.realpath(Path(folder, name)) not in seen
        )
        paths = [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
        found += [path for path in paths if path.is_file()]  # not a pipe, which would block
    return found


def _number(path: Path) -> tuple[int, str]:
    """The sort key that puts `x_2.pts` before `x_10.pts`."""
    digits = re.search(r"_(\d+)$", path.stem)
    return int(digits[1]) if digits else -1, path.name


def _relative(path: Path, root: Path) -> str:
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    return name if name.isprintable() else ascii(name)


def _bytes(path: Path) -> bytes:
    """A file's bytes, empty if it cannot be read: its job will report that."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
