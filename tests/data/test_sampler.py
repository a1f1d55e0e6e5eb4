from src.data.sampler import EpochSampler, FixedSampler


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


def test_keys_carry_the_epoch() -> None:
    sampler = EpochSampler(4, seed=0)
    sampler.set_epoch(7)
    assert {epoch for epoch, _ in sampler} == {7}


def test_validation_faces_come_all_once_over_the_processes() -> None:
    keys = [key for rank in (0, 1) for key in FixedSampler(5, -1, rank, 2)]
    assert sorted(keys) == [(-1, index) for index in range(5)]
