"""The order of training faces, a function of (seed, epoch) alone, so that a resumed run goes on as a straight one."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

FaceKey = tuple[int, int]
"""(epoch, index): what the loader asks the data set for; the epoch seeds the face's random draws."""


class EpochSampler(Sampler[FaceKey]):
    """Every face once an epoch, in an order drawn from (seed, epoch), dealt out evenly to the processes of a run.

    Args:
        faces: number of faces N.
        seed: of the run.
        rank: this process, 0 to world - 1.
        world: processes; what does not divide evenly is left out (at most world - 1 faces, other ones each epoch).
    """

    def __init__(self, faces: int, seed: int, rank: int = 0, world: int = 1) -> None:
        self.faces, self.seed, self.rank, self.world = faces, seed, rank, world
        self.epoch = 0
        self.resumed: tuple[int, int] | None = None

    def __len__(self) -> int:
        return self.faces // self.world

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before every epoch."""
        self.epoch = epoch

    def go_on_at(self, epoch: int, faces: int) -> None:
        """In that epoch leave out the faces of this process that a run before has trained on already."""
        self.resumed = (epoch, faces)

    def __iter__(self) -> Iterator[FaceKey]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.faces)
        mine = order[self.rank : len(self) * self.world : self.world]
        done = self.resumed[1] if self.resumed is not None and self.resumed[0] == self.epoch else 0
        for index in mine[done:]:
            yield self.epoch, int(index)


class FixedSampler(Sampler[FaceKey]):
    """Every face once, in the stores' order, with the draws of validation; the processes of a run take turns."""

    def __init__(self, faces: int, epoch: int, rank: int = 0, world: int = 1) -> None:
        self.indices, self.epoch = range(rank, faces, world), epoch

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[FaceKey]:
        for index in self.indices:
            yield self.epoch, index
