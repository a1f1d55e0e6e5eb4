"""Pictures in a folder: with `landmarks68.npz` beside or above them, or with one iBUG `.pts` a face."""

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from src.data.card import Settings
from src.data.images import SUFFIXES
from src.data.prepare_config import FolderSource
from src.data.sources import Split
from src.data.sources.landmarks_file import NAME, LandmarksFile
from src.data.sources.photo import Annotation, PhotoJob
from src.errors import UserError


def folder_splits(source: FolderSource) -> list[Split]:
    """One split without a name: every picture under `source.root`, in the order of their names."""
    root = Path(source.root)
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise UserError(f"source.root={root} {what}: give the folder that holds the pictures")
    files = _files(root)
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    if not pictures:
        raise UserError(f"source.root={root} holds no picture ({', '.join(sorted(SUFFIXES))}), sub-folders included")
    tables = [LandmarksFile(path) for path in files if path.name == NAME]
    if not tables and not any(path.suffix.lower() == ".pts" for path in files) and (root.parent / NAME).is_file():
        tables = [LandmarksFile(root.parent / NAME)]
    # The nearest table at or above a picture is its own, so the deepest folders take theirs first.
    tables.sort(key=lambda table: len(table.path.parts), reverse=True)
    jobs: list[PhotoJob] = []
    for table in tables:
        mine = [path for path in pictures if path.is_relative_to(table.path.parent)]
        pictures = [path for path in pictures if not path.is_relative_to(table.path.parent)]
        jobs += table.jobs(mine, root)
    points = [path for path in files if path.suffix.lower() == ".pts" and not _below(path, tables)]
    if not tables and not points:
        raise UserError(
            f"source.root={root}: {len(pictures)} pictures, but no landmarks; "
            f"put {NAME} beside them, or one iBUG .pts a face (NAME.pts, or NAME_1.pts, NAME_2.pts)"
        )
    jobs += _pts_jobs(pictures, points, root)
    jobs.sort(key=lambda job: job.file)
    settings: Settings = {"source": source.name, "source.root": _digest(jobs)}
    return [Split("", jobs, settings, {"name": source.name, "root": source.root, "files": len(jobs)})]


def _below(path: Path, tables: Iterable[LandmarksFile]) -> bool:
    return any(path.is_relative_to(table.path.parent) for table in tables)


def _files(root: Path) -> list[Path]:
    """Every file below `root`, hidden ones left out; links are followed, each folder once."""
    found, seen = [], set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        seen.add(os.path.realpath(folder))
        subfolders[:] = sorted(
            name for name in subfolders if not name.startswith(".") and os.path.realpath(Path(folder, name)) not in seen
        )
        found += [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
    return found


def _pts_jobs(pictures: list[Path], points: list[Path], root: Path) -> list[PhotoJob]:
    """Pair `NAME.pts`, or `NAME_1.pts`, `NAME_2.pts` ..., with `NAME.jpg` (or another picture) in the same folder."""
    by_stem: dict[Path, list[Path]] = defaultdict(list)
    for path in pictures:
        by_stem[path.with_suffix("")].append(path)
    faces: dict[Path, list[Path]] = defaultdict(list)
    jobs = []
    for path in points:
        stem = path.with_suffix("")
        numbered = re.fullmatch(r"(.+)_\d+", stem.name)
        if stem not in by_stem and numbered:
            stem = stem.with_name(numbered[1])
        if stem in by_stem:
            faces[stem].append(path)
        else:
            jobs.append(PhotoJob(path, _relative(path, root), problem="no picture of this name beside it"))
    for stem, same in by_stem.items():
        if len(same) > 1:
            names = ", ".join(path.name for path in same)
            problem = f"{len(same)} pictures of one name ({names}): which one its .pts belongs to is not known"
        else:
            problem = "" if faces[stem] else "no landmarks: no .pts of this name beside it"
        if problem:
            jobs += [PhotoJob(path, _relative(path, root), problem=problem) for path in same]
            continue
        annotations = tuple(
            Annotation(_relative(path, root), _relative(path.with_suffix(""), root), path)
            for path in sorted(faces[stem], key=_number)
        )
        jobs.append(PhotoJob(same[0], _relative(same[0], root), annotations))
    return jobs


def _number(path: Path) -> tuple[int, str]:
    """Sorts `x_2.pts` before `x_10.pts`."""
    digits = re.search(r"_(\d+)$", path.stem)
    return int(digits[1]) if digits else -1, path.name


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _bytes(path: Path) -> bytes:
    """A file's bytes, none where it cannot be read: its job will say so."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _digest(jobs: list[PhotoJob]) -> str:
    """A hash of what is in the folder: names, sizes and landmarks. It tells a changed source without decoding it."""
    digest = hashlib.sha256()
    for job in jobs:
        size = job.path.stat().st_size if job.path.is_file() else -1
        digest.update(repr((job.file, size, job.problem)).encode())
        for annotation in job.annotations:
            points = annotation.points
            data = _bytes(points) if isinstance(points, Path) else np.ascontiguousarray(points).tobytes()
            facts = (annotation.name, annotation.identity, annotation.replicated_border, annotation.gray)
            digest.update(repr(facts).encode() + data)
    return f"{len(jobs)} files, {digest.hexdigest()[:16]}"
