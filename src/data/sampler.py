"""The order of training faces, a function of (seed, epoch) alone, so that a resumed run goes on as a straight one."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from src.data.pairs import VALIDATION_EPOCH

FaceKey = tuple[int, int]
"""(epoch, index): what the loader asks the data set for; the epoch seeds the face's random draws.

A face that comes once more in the same epoch has REPEAT added to its epoch, once for each time it came before.
"""

REPEAT: Final = 1 << 64
"""Above every epoch, and three 32-bit words: numpy seeds by words, and in a number of two words a repeat's draws of
row 0 would be the first draws of another row."""


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
        # A resumed Lightning run starts its loader, whose workers read ahead, before it sets the epoch.
        self.epoch = epoch

    def __iter__(self) -> Iterator[FaceKey]:
        epoch, (indices, repeats) = self.epoch, self.order()
        done = self.resumed[1] if self.resumed is not None and self.resumed[0] == epoch else 0
        for index, repeat in zip(indices[done:].tolist(), repeats[done:].tolist(), strict=True):
            yield epoch + repeat * REPEAT, index

    def order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The whole epoch of this process: the faces' indices, and how often each came before, in any process."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.faces)
        mine = order[self.rank : len(self) * self.world : self.world]
        return mine, np.zeros_like(mine)


class BalancedSampler(EpochSampler):
    """Batches with a set number of large poses, in an order drawn from (seed, epoch); an epoch is as long as ever.

    Large poses and the others are two streams, each a random permutation of its faces and, when that has run out, a
    fresh one. The processes' batches of one step follow one another in the streams. So in an epoch no face comes twice
    before all of its stream came once, and none comes twice in a step while its stream is large enough for the step.

    Args:
        large: (N,) bool, which faces are large poses; some must be and some not.
        of_batch: large poses in every batch, 1 to batch_size - 1.
        batch_size: faces a batch and process; the loader leaves out an incomplete batch.
        seed: of the run.
        rank: this process, 0 to world - 1.
        world: processes.
    """

    def __init__(
        self, large: NDArray[np.bool_], of_batch: int, batch_size: int, seed: int, rank: int = 0, world: int = 1
    ) -> None:
        super().__init__(len(large), seed, rank, world)
        self.batch_size = batch_size
        self.streams = ((np.flatnonzero(large), of_batch), (np.flatnonzero(~large), batch_size - of_batch))
        if not all(len(faces) and share > 0 for faces, share in self.streams):
            raise ValueError("balanced batches need large poses and others, and places for both")

    def order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The whole epoch of this process: the faces' indices, and how often each came before, in any process."""
        steps = -(-len(self) // self.batch_size)
        places, *random = np.random.default_rng([self.seed, self.epoch]).spawn(3)
        dealt = [
            _stream(faces, share * self.world, steps, generator)
            for (faces, share), generator in zip(self.streams, random, strict=True)
        ]
        # Every batch's large poses stand anywhere in it.
        seats = np.broadcast_to(np.arange(self.batch_size), (steps * self.world, self.batch_size))
        large = places.permuted(seats, axis=1) < self.streams[0][1]  # (batches, batch_size)
        indices, repeats = np.empty(large.shape, np.int64), np.empty(large.shape, np.int64)
        for mask, (faces, before) in zip((large, ~large), dealt, strict=True):
            indices[mask], repeats[mask] = faces, before
        mine = slice(self.rank, None, self.world)
        return indices[mine].ravel()[: len(self)], repeats[mine].ravel()[: len(self)]


def _stream(
    faces: NDArray[np.int64], a_step: int, steps: int, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One permutation after another, `a_step` faces for every step, and how often each face came before."""
    rounds: list[NDArray[np.int64]] = []
    for number in range(-(-a_step * steps // len(faces))):
        fresh = random.permutation(faces)
        begun = number * len(faces) % a_step  # faces of the step that the permutation before has left incomplete
        if begun:
            # They go to the end of the fresh one, lest the step shows them twice.
            again = np.isin(fresh, rounds[-1][-begun:])
            fresh = np.concatenate([fresh[~again], fresh[again]])
        rounds.append(fresh)
    repeats = np.arange(len(rounds)).repeat(len(faces))
    return np.concatenate(rounds)[: a_step * steps], repeats[: a_step * steps]


class OverfitSampler(EpochSampler):
    """The same faces every epoch in an order of its own, with the draws of validation: they never change."""

    def __iter__(self) -> Iterator[FaceKey]:
        for _, index in super().__iter__():
            yield VALIDATION_EPOCH, index


class FixedSampler(Sampler[FaceKey]):
    """Every face once, in the stores' order, with the draws of validation; the processes of a run take turns."""

    def __init__(self, faces: int, epoch: int, rank: int = 0, world: int = 1) -> None:
        self.indices, self.epoch = range(rank, faces, world), epoch

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[FaceKey]:
        for index in self.indices:
            yield self.epoch, index
