"""Where faces come from. Each source lists its jobs without opening a picture; a job is done on its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from src.data.photo import Photo
from src.data.sources.config import CelebaSource, FolderSource, IbugSource, SyntheticSource
from src.store.card import Settings
from src.store.face import Face
from src.system.errors import BadFace


class Job(Protocol):
    """One source file, or one drawn face: the unit of work, picklable and independent of all others."""

    @property
    def faces(self) -> int:
        """How many faces to expect of it, for the progress bar and the space on disk."""

    def load(self) -> Photo | list[Face | BadFace]:
        """A photograph whose faces are to be found and cropped, or finished faces and rejects."""


@dataclass(frozen=True)
class Split:
    """What becomes one store.

    Attributes:
        name: "train", "val", "test"; "" for a source without splits.
        jobs: in the order of the store; a sequence that makes them when asked keeps memory flat.
        settings: all that decides the store's bytes, by the dotted key a person would type.
        description: for the card and the person: name, counts; no path of this machine.
        annotated: the jobs bring their own landmarks, so no network is asked.
    """

    name: str
    jobs: Sequence[Job]
    settings: Settings
    description: Settings
    annotated: bool = True


def list_splits(
    source: FolderSource | IbugSource | CelebaSource | SyntheticSource, landmarks: str = "auto"
) -> list[Split]:
    """The splits of a source, each with its jobs.

    Args:
        source: where faces come from.
        landmarks: the chosen backend; "auto" takes the source's own landmarks where it has them.

    Raises:
        UserError: the source is not usable as a whole.
    """
    # Imported here so that a source needs only its own libraries.
    if isinstance(source, FolderSource):
        from src.data.sources.folder import folder_splits

        return folder_splits(source, landmarks)
    if isinstance(source, IbugSource):
        from src.data.sources.ibug import ibug_splits

        return ibug_splits(source, landmarks)
    if isinstance(source, CelebaSource):
        from src.data.sources.celeba import celeba_splits

        return celeba_splits(source, landmarks)
    from src.data.sources.synthetic import synthetic_splits

    return synthetic_splits(source, landmarks)
