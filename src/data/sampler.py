"""Samplers: the order of training faces depends on (seed, epoch) alone, so a resumed run equals a straight one."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from src.data.pairs import VALIDATION_EPOCH

FaceKey = tuple[int, int]
"""(epoch, index): what the loader asks the data set for; the epoch seeds the face's random draws.

A face that comes again in the same epoch has REPEAT added to its epoch once for each earlier time.
"""

REPEAT: Final = 1 << 64
"""Above every epoch, and three 32-bit words long: numpy seeds by words, and with two words the repeated draws of row 0
would equal the first draws of another row."""


class EpochSampler(Sampler[FaceKey]):
    """Every face once an epoch, in an order drawn from (seed, epoch), dealt out evenly to the processes of a run.

    Args:
        faces: number of faces N.
        seed: the run's seed.
        rank: this process, 0 to world - 1.
        world: number of processes; at most world - 1 faces, the remainder, are left out, different ones each epoch.
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
        """Skip the first `faces` faces of this process in that epoch: an earlier run has trained on them."""
        self.resumed = (epoch, faces)
        # A resumed Lightning run starts its loader, whose workers read ahead, before it sets the epoch.
        self.epoch = epoch

    def __iter__(self) -> Iterator[FaceKey]:
        epoch, (indices, repeats) = self.epoch, self.order()
        done = self.resumed[1] if self.resumed is not None and self.resumed[0] == epoch else 0
        for index, repeat in zip(indices[done:].tolist(), repeats[done:].tolist(), strict=True):
            yield epoch + repeat * REPEAT, index

    def order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The whole epoch of this process: the faces' indices, and how often each has come before, in any process."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.faces)
        mine = order[self.rank : len(self) * self.world : self.world]
        return mine, np.zeros_like(mine)


class BalancedSampler(EpochSampler):
    """Batches with a fixed number of large poses, in an order drawn from (seed, epoch); the epoch keeps its length.

    Large poses and the others form two streams. Each is a random permutation of its faces, followed by another one
    when it runs out. In each step, the batches of all processes follow one another in the streams. So no face repeats
    in an epoch before its whole stream was shown, and none repeats in a step if its stream has enough faces for one.

    Args:
        large: (N,) bool, which faces are large poses; both kinds must occur.
        of_batch: large poses in every batch, 1 to batch_size - 1.
        batch_size: faces per batch and process; the loader leaves out an incomplete batch.
        seed: the run's seed.
        rank: this process, 0 to world - 1.
        world: number of processes.

    Raises:
        ValueError: a kind of face does not occur, or has no place in a batch.
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
        """The whole epoch of this process: the faces' indices, and how often each has come before, in any process."""
        steps = -(-len(self) // self.batch_size)
        places, *random = np.random.default_rng([self.seed, self.epoch]).spawn(3)
        dealt = [
            _stream(faces, share * self.world, steps, generator)
            for (faces, share), generator in zip(self.streams, random, strict=True)
        ]
        # Large poses take random places in each batch.
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
    """One permutation after another, `a_step` faces per step, and how often each face has come before."""
    rounds: list[NDArray[np.int64]] = []
    for number in range(-(-a_step * steps // len(faces))):
        fresh = random.permutation(faces)
        begun = number * len(faces) % a_step  # faces that the last permutation gave to its incomplete step
        if begun:
            # They go to the end of the fresh one, so that the step does not show them twice.
            again = np.isin(fresh, rounds[-1][-begun:])
            fresh = np.concatenate([fresh[~again], fresh[again]])
        rounds.append(fresh)
    repeats = np.arange(len(rounds)).repeat(len(faces))
    return np.concatenate(rounds)[: a_step * steps], repeats[: a_step * steps]


class OverfitSampler(EpochSampler):
    """The same faces in each epoch, in a new order, with the fixed draws of validation."""

    def __iter__(self) -> Iterator[FaceKey]:
        for _, index in super().__iter__():
            yield VALIDATION_EPOCH, index


class FixedSampler(Sampler[FaceKey]):
    """Every face once, in the stores' order, with the draws of one epoch; the processes of a run take turns."""

    def __init__(self, faces: int, epoch: int, rank: int = 0, world: int = 1) -> None:
        self.indices, self.epoch = range(rank, faces, world), epoch

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[FaceKey]:
        for index in self.indices:
            yield self.epoch, index
