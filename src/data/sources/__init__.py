"""Where faces come from. Each source lists its jobs without opening a picture; a job is resolved on its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from src.data.card import Settings
from src.data.face import BadFace, Face
from src.data.prepare_config import FolderSource, SyntheticSource


class Job(Protocol):
    """One source file, or one drawn face: the unit of work, picklable and independent of all others."""

    @property
    def faces(self) -> int:
        """How many faces to expect of it, for the progress bar and the space on disk."""

    def resolve(self) -> list[Face | BadFace]:
        """The faces of this job, each stored or rejected; the same whenever and wherever it is called."""


@dataclass(frozen=True)
class Split:
    """What becomes one store.

    Attributes:
        name: "train", "val", "test"; "" for a source without splits.
        jobs: in the order of the store.
        settings: all that decides the store's bytes, by the dotted key a person would type.
        description: for the card: name, folder.
    """

    name: str
    jobs: Sequence[Job]
    settings: Settings
    description: Settings


def list_splits(source: FolderSource | SyntheticSource) -> list[Split]:
    """The splits of a source, each with its jobs; UserError where the source is not usable as a whole."""
    # Imported here so that a source needs only its own libraries.
    if isinstance(source, FolderSource):
        from src.data.sources.folder import folder_splits

        return folder_splits(source)
    from src.data.sources.synthetic import synthetic_splits

    return synthetic_splits(source)
