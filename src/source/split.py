"""Where faces come from. Each source lists its jobs without opening a picture; a job is done on its own."""

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
