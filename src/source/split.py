"""The splits and jobs of a source: it lists jobs without opening a picture, and each job is independent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from src.source.photograph import Photo
from src.store.card import Settings
from src.store.face import Face
from src.system.errors import BadFace


class Job(Protocol):
    """One source file, or one drawn face: the unit of work, picklable and independent of all others."""

    @property
    def faces(self) -> int:
        """The expected number of faces, for the progress bar and the space on disk."""

    def load(self) -> Photo | list[Face | BadFace]:
        """A photograph whose faces are to be found and cropped, or finished faces and rejects."""


@dataclass(frozen=True)
class Split:
    """The part of a source that becomes one store.

    Attributes:
        name: "train", "val", "test"; "" for a source without splits.
        jobs: in the order of the store; a sequence that creates them on access saves memory.
        settings: everything that affects the store's bytes, by the dotted key a user types.
        description: name and counts for the card and the user; no path of this machine.
        annotated: the jobs have their own landmarks, so no network is needed.
    """

    name: str
    jobs: Sequence[Job]
    settings: Settings
    description: Settings
    annotated: bool = True
