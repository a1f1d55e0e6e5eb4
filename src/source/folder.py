"""Pictures in a folder as a source: with landmarks beside or above them, or with a network that finds the faces."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from src.source.config import FolderSource
from src.source.landmarks_file import NAME, LandmarksFile
from src.source.listing import digest, list_pictures, picture_job
from src.source.pairs import pts_jobs
from src.source.photograph import PhotoJob
from src.source.split import Split
from src.store.card import Settings
from src.system.errors import UserError


def folder_splits(source: FolderSource, landmarks: str = "auto") -> list[Split]:
    """One split without a name: every picture under `source.root`, in the order of their names.

    With `landmarks=annotations`, or with "auto" if there are any, landmarks come from `landmarks68.npz` or `.pts`
    files. Else a detector finds the faces, and landmarks in the folder only measure the network's error.
    """
    root = Path(source.root)
    listing = list_pictures(root)
    tables = [LandmarksFile(path) for path in listing.files if path.name == NAME]
    if not tables and not listing.points and (root.parent / NAME).is_file():
        tables = [LandmarksFile(root.parent / NAME)]
    points = [path for path in listing.points if not _below(path, tables)]
    annotated = landmarks == "annotations" or (landmarks == "auto" and bool(tables or points))
    if annotated and not tables and not points:
        raise UserError(
            f"source.root={root}: {len(listing.pictures)} pictures, but no landmarks; "
            f"put {NAME} beside them, or one iBUG .pts per face (NAME.pts, or NAME_1.pts, NAME_2.pts), "
            f"or let a network find them: landmarks=face_alignment or landmarks=onnx"
        )
    # A picture belongs to the nearest table at or above it, so the deepest tables take theirs first.
    tables.sort(key=lambda table: len(table.path.parts), reverse=True)
    pictures, jobs = listing.pictures, list[PhotoJob]()
    for table in tables:
        mine = [path for path in pictures if path.is_relative_to(table.path.parent)]
        pictures = [path for path in pictures if not path.is_relative_to(table.path.parent)]
        jobs += table.jobs(mine, root)
    jobs += pts_jobs(pictures, points, root)
    if not annotated:
        known = {job.file: job for job in jobs if not job.problem}
        empty = [picture_job(path, root) for path in listing.pictures]
        jobs = [replace(known.get(job.file, job), identity=job.identity, detect=True) for job in empty]
    jobs = listing.complete(jobs)
    settings: Settings = {"source": source.name, "source.root": digest(jobs)}
    return [Split("", jobs, settings, {"name": source.name, "files": len(jobs)}, annotated)]


def _below(path: Path, tables: Iterable[LandmarksFile]) -> bool:
    return any(path.is_relative_to(table.path.parent) for table in tables)
