from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from src.data.sampler import REPEAT, BalancedSampler, EpochSampler, FaceKey, FixedSampler


def indices(sampler: EpochSampler, epoch: int) -> list[int]:
    sampler.set_epoch(epoch)
    return [index for _, index in sampler]


def test_an_epoch_shows_every_face_once_in_an_order_of_its_own() -> None:
    sampler = EpochSampler(50, seed=1)
    first, second = indices(sampler, 0), indices(sampler, 1)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert indices(EpochSampler(50, seed=1), 1) == second
    assert indices(EpochSampler(50, seed=2), 1) != second


def test_processes_share_out_an_epoch_without_overlap() -> None:
    shares = [indices(EpochSampler(51, 1, rank, 2), 3) for rank in (0, 1)]
    assert len(shares[0]) == len(shares[1]) == 25
    assert not set(shares[0]) & set(shares[1])


def test_a_resumed_epoch_goes_on_where_it_was_left() -> None:
    whole = indices(EpochSampler(20, 1), 2)
    sampler = EpochSampler(20, 1)
    sampler.go_on_at(2, 8)
    assert indices(sampler, 2) == whole[8:]
    assert len(indices(sampler, 3)) == 20


def test_a_resumed_epoch_may_be_read_before_it_is_set() -> None:
    whole = _keys(EpochSampler(20, 1), 2)
    sampler = EpochSampler(20, 1)
    sampler.go_on_at(2, 8)
    read_ahead = iter(sampler)
    first = next(read_ahead)
    sampler.set_epoch(3)
    assert [first, *read_ahead] == whole[8:]


def test_keys_carry_the_epoch() -> None:
    sampler = EpochSampler(4, seed=0)
    sampler.set_epoch(7)
    assert {epoch for epoch, _ in sampler} == {7}


def test_validation_faces_come_all_once_over_the_processes() -> None:
    keys = [key for rank in (0, 1) for key in FixedSampler(5, -1, rank, 2)]
    assert sorted(keys) == [(-1, index) for index in range(5)]


def poses(large: int, others: int) -> NDArray[np.bool_]:
    """Which faces are large poses, mixed among the others."""
    return np.random.default_rng(0).permutation(np.arange(large + others) < large)


def steps(
    large: NDArray[np.bool_], of_batch: int, batch_size: int, world: int, epoch: int = 0, seed: int = 1
) -> list[list[list[FaceKey]]]:
    """The complete batches of an epoch: steps, processes, keys."""
    dealt = []
    for rank in range(world):
        sampler = BalancedSampler(large, of_batch, batch_size, seed, rank, world)
        sampler.set_epoch(epoch)
        keys = list(sampler)
        assert len(keys) == len(sampler) == len(large) // world, "an epoch is as long as without balance"
        dealt.append([keys[at : at + batch_size] for at in range(0, len(keys) - batch_size + 1, batch_size)])
    return [list(step) for step in zip(*dealt, strict=True)]


CASES = [
    # faces turned and not, of a batch, batch size, processes
    (30, 70, 4, 8, 1),
    (50, 50, 3, 7, 2),
    (9, 200, 2, 5, 3),
    (150, 11, 1, 3, 2),
    (100, 5, 4, 5, 1),
    (37, 64, 8, 9, 3),
    (2, 60, 4, 8, 2),  # fewer large poses than a step takes
    (1, 40, 1, 2, 1),
]


@pytest.mark.parametrize(("turned", "others", "of_batch", "batch_size", "world"), CASES)
def test_every_batch_of_every_process_holds_its_share(
    turned: int, others: int, of_batch: int, batch_size: int, world: int
) -> None:
    large = poses(turned, others)
    for epoch in range(3):
        for step in steps(large, of_batch, batch_size, world, epoch):
            for batch in step:
                assert sum(large[index] for _, index in batch) == of_batch


@pytest.mark.parametrize(("turned", "others", "of_batch", "batch_size", "world"), CASES)
def test_a_face_comes_again_only_when_all_of_its_kind_have_come(
    turned: int, others: int, of_batch: int, batch_size: int, world: int
) -> None:
    large = poses(turned, others)
    seen: Counter[int] = Counter()
    for step in steps(large, of_batch, batch_size, world, epoch=2):
        keys = [key for batch in step for key in batch]
        for _, index in keys:
            seen[index] += 1
        for kind in (large, ~large):
            # Within a step the processes are at it at the same time, so it is judged after each step.
            counts = [seen[int(index)] for index in np.flatnonzero(kind)]
            assert max(counts) - min(counts) <= 1
    repeated = max(seen.values())
    assert repeated > 1, "the case makes one kind come again"


@pytest.mark.parametrize(("turned", "others", "of_batch", "batch_size", "world"), CASES)
def test_no_two_processes_hold_a_face_while_there_are_others(
    turned: int, others: int, of_batch: int, batch_size: int, world: int
) -> None:
    large = poses(turned, others)
    for step in steps(large, of_batch, batch_size, world):
        for kind, share in ((large, of_batch), (~large, batch_size - of_batch)):
            chosen = [index for batch in step for _, index in batch if kind[index]]
            assert len(set(chosen)) == min(share * world, int(kind.sum()))


@pytest.mark.parametrize("world", [1, 2, 3])
def test_no_key_comes_twice_in_an_epoch_or_in_two(world: int) -> None:
    large = poses(7, 60)
    keys = [
        key
        for epoch in range(3)
        for rank in range(world)
        for key in _keys(BalancedSampler(large, 2, 4, 1, rank, world), epoch)
    ]
    assert len(set(keys)) == len(keys)
    assert {epoch % REPEAT for epoch, _ in keys} == {0, 1, 2}
    assert {epoch // REPEAT for epoch, index in keys if not large[index]} == {0}, "there are enough of them"
    times = Counter((epoch % REPEAT, index) for epoch, index in keys)
    for epoch, index in keys:
        assert epoch // REPEAT < times[epoch % REPEAT, index], "repeats are counted from 0"


def _keys(sampler: EpochSampler, epoch: int) -> list[FaceKey]:
    sampler.set_epoch(epoch)
    return list(sampler)


def test_balanced_epochs_follow_from_seed_and_epoch() -> None:
    large = poses(20, 80)
    first = steps(large, 4, 8, 2, epoch=5)
    assert steps(large, 4, 8, 2, epoch=5) == first

    def of_kind(dealt: list[list[list[FaceKey]]], kind: NDArray[np.bool_]) -> list[int]:
        return [index for step in dealt for batch in step for _, index in batch if kind[index]]

    for other in (steps(large, 4, 8, 2, epoch=6), steps(large, 4, 8, 2, epoch=5, seed=2)):
        for kind in (large, ~large):
            assert of_kind(other, kind) != of_kind(first, kind)


def test_every_permutation_of_a_stream_is_another() -> None:
    large = poses(5, 95)
    keys = _keys(BalancedSampler(large, 5, 10, seed=1), 0)
    rounds = [sorted(index for _, index in keys[at : at + 10] if large[index]) for at in range(0, 100, 10)]
    orders = {tuple(index for _, index in keys[at : at + 10] if large[index]) for at in range(0, 100, 10)}
    assert all(faces == rounds[0] for faces in rounds)
    assert len(orders) > 5


def test_large_poses_stand_anywhere_in_a_batch() -> None:
    large = poses(400, 400)
    keys = _keys(BalancedSampler(large, 2, 8, seed=1), 0)
    places = large[[index for _, index in keys]].reshape(-1, 8).mean(0)
    assert (abs(places - 0.25) < 0.15).all()


@pytest.mark.parametrize("world", [1, 3])
def test_a_resumed_balanced_epoch_goes_on_where_it_was_left(world: int) -> None:
    large = poses(10, 90)
    for rank in range(world):
        whole = _keys(BalancedSampler(large, 4, 8, 1, rank, world), 2)
        sampler = BalancedSampler(large, 4, 8, 1, rank, world)
        sampler.go_on_at(2, 16)
        assert _keys(sampler, 2) == whole[16:]
        assert len(_keys(sampler, 3)) == 100 // world


@pytest.mark.parametrize(("turned", "of_batch"), [(0, 2), (10, 2), (5, 0), (5, 4)])
def test_one_kind_alone_cannot_be_balanced(turned: int, of_batch: int) -> None:
    with pytest.raises(ValueError, match="need large poses and others"):
        BalancedSampler(poses(turned, 10 - turned), of_batch, 4, seed=1)
