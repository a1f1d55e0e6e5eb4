"""The splits of a configured source; each source's own libraries are imported only if it is used."""

from dataclasses import replace
from typing import assert_never

from src.image.decode import MAX_PIXELS
from src.source import config
from src.source.photograph import PhotoJob
from src.source.split import Split


def list_splits(source: config.Source, landmarks: str = "auto", margin: int = 0, upright: bool = False) -> list[Split]:
    """The splits of a source, each with its jobs.

    Args:
        source: where faces come from.
        landmarks: the chosen backend; "auto" takes the source's own landmarks if it has any.
        margin: pixels of surroundings around a drawn face.
        upright: draw faces with level eyes.

    Raises:
        UserError: the source as a whole is unusable.
    """
    splits = _listed(source, landmarks, margin, upright)
    limit: int = getattr(source, "max_pixels", MAX_PIXELS)  # a source without files, or of your own, may have none
    return splits if limit == MAX_PIXELS else [_limited(split, limit) for split in splits]


def _limited(split: Split, max_pixels: int) -> Split:
    """The split with another limit on its pictures, which decides what is rejected and so is a setting of its store."""
    jobs = [replace(job, max_pixels=max_pixels) if isinstance(job, PhotoJob) else job for job in split.jobs]
    return replace(split, jobs=jobs, settings={**split.settings, "source.max_pixels": max_pixels})


def _listed(source: config.Source, landmarks: str, margin: int, upright: bool) -> list[Split]:
    # Imported here so that a source needs only its own libraries.
    match source:
        case config.FolderSource():
            from src.source.folder import folder_splits

            return folder_splits(source, landmarks)
        case config.IbugSource():
            from src.source.ibug import ibug_splits

            return ibug_splits(source, landmarks)
        case config.CelebaSource():
            from src.source.celeba.splits import celeba_splits

            return celeba_splits(source, landmarks)
        case config.SyntheticSource():
            from src.source.synthetic import synthetic_splits

            return synthetic_splits(source, landmarks, margin, upright)
        case _:
            assert_never(source)
