"""Drawn faces as a source."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from src.image.sides import SIDE
from src.source.config import SyntheticSource
from src.source.split import Split
from src.store.face import Face, FaceRow
from src.system.errors import BadFace, UserError

# Increased with every change of the drawing, to distinguish stores of older faces from new ones.
RENDERER = 1
# Splits draw from separate ranges of the index, so val stays the same when train grows.
FIRST = {"": 0, "train": 0, "val": 10_000_000, "test": 20_000_000}


@dataclass(frozen=True, slots=True)
class SyntheticJob:
    """The job that draws the face of (seed, index)."""

    seed: int
    index: int
    margin: int = 0
    upright: bool = False
    faces: int = 1

    def load(self) -> list[Face | BadFace]:
        """The drawn face; its visibility flags are exact."""
        from src.synthetic.draw import render_face

        drawn = render_face(self.seed, self.index, self.margin, self.upright)
        image = np.ascontiguousarray(drawn.image)
        row = FaceRow(
            file=f"synthetic/{self.seed}/{self.index}",
            identity=f"synthetic-{self.seed}-{self.index}",
            crop_box=(0.0, 0.0, float(SIDE), float(SIDE)),
            landmark_source="synthetic",
            landmark_score=1.0,
            sha256=hashlib.sha256(image.tobytes()).hexdigest(),
            replicated_border=0.0,
            gray=False,
            inside=1.0,
        )
        return [Face(image, drawn.landmarks.astype(np.float32), drawn.visible.astype(np.bool_), row)]


@dataclass(frozen=True)
class SyntheticJobs(Sequence[SyntheticJob]):
    """The jobs of a range of indices, created on access."""

    seed: int
    indices: range
    margin: int = 0
    upright: bool = False

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, item: int) -> SyntheticJob: ...
    @overload
    def __getitem__(self, item: slice) -> "SyntheticJobs": ...
    def __getitem__(self, item: int | slice) -> "SyntheticJob | SyntheticJobs":
        if isinstance(item, slice):
            return SyntheticJobs(self.seed, self.indices[item], self.margin, self.upright)
        return SyntheticJob(self.seed, self.indices[item], self.margin, self.upright)


def synthetic_splits(
    source: SyntheticSource, landmarks: str = "auto", margin: int = 0, upright: bool = False
) -> list[Split]:
    """One split for each given count; UserError if `landmarks` names a network."""
    if landmarks not in ("auto", "annotations"):
        raise UserError(f"landmarks={landmarks}: drawn faces know their landmarks exactly; leave landmarks= out")
    return [
        Split(
            name=name,
            jobs=SyntheticJobs(source.seed, range(FIRST[name], FIRST[name] + count), margin, upright),
            settings={
                "source": source.name,
                "source.seed": source.seed,
                f"source.{name or 'count'}": count,
                "renderer": RENDERER,
            },
            description={"name": source.name, "seed": source.seed, "first": FIRST[name], "count": count},
        )
        for name, count in source.counts.items()
    ]
