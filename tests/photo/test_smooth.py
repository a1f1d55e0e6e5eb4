import math

import numpy as np
import pytest

from src.image.crop import Square
from src.photo.smooth import numbers_of, smoothed, square_of_numbers, steady

TIMES = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.06, 60))
"""Frames at a rate that varies."""


def test_what_moves_evenly_stays_as_it_is_at_the_ends_too() -> None:
    line = np.stack([3 * TIMES - 7, np.full(60, 5.0)], 1)
    np.testing.assert_allclose(smoothed(line, TIMES, 0.1), line, atol=1e-9)
    np.testing.assert_array_equal(smoothed(line, TIMES, 0), line)
    assert smoothed(line[:1], TIMES[:1], 0.1).tolist() == line[:1].tolist()
    np.testing.assert_allclose(smoothed(line, TIMES * 100, 0.1), line)  # each frame is alone


def test_an_impulse_becomes_the_gaussian() -> None:
    impulse = np.zeros((41, 1))
    impulse[20] = 1
    found = smoothed(impulse, np.arange(41) / 25, 0.084)[:, 0]  # 2.1 frames
    wanted = np.exp(-0.5 * (np.arange(-6, 7) / 2.1) ** 2)
    np.testing.assert_allclose(found[14:27], wanted / wanted.sum(), rtol=1e-9)
    assert (np.delete(found, np.s_[14:27]) == 0).all()


def test_jitter_shrinks_by_what_the_gaussian_leaves() -> None:
    noise = np.random.default_rng(1).normal(0, 1, (4000, 1))
    found = smoothed(noise, np.arange(4000) / 30, 0.1)  # 3 frames
    # The root of the sum of squared weights: 1 / sqrt(2 sqrt(pi) 3) = 0.307; a second difference shrinks more.
    assert found.std() == pytest.approx(0.307, rel=0.05)
    assert np.diff(found, 2, axis=0).std() < 0.04 * np.diff(noise, 2, axis=0).std()


def test_a_square_and_its_numbers_are_the_same() -> None:
    square = Square((3, -4, 13, 6), 0.3)
    np.testing.assert_allclose(numbers_of([square]), [[8, 1, math.log(10), 0.3]])
    back = square_of_numbers(numbers_of([square])[0])
    np.testing.assert_allclose(back.box, square.box)
    assert back.roll == 0.3
    assert numbers_of([]).shape == (0, 4)


def test_the_roll_goes_the_short_way_round_and_the_side_by_its_logarithm() -> None:
    rolls = np.linspace(3.0, 3.4, 30)  # past pi
    numbers = numbers_of([
        Square((-half, -half, half, half), math.remainder(roll, 2 * math.pi))
        for roll, half in zip(rolls, 4 * 1.05 ** np.arange(30), strict=True)
    ])  # fmt: skip
    found = steady(numbers, np.arange(30) / 30, 0.1)
    np.testing.assert_allclose(np.cos(found[:, 3]), np.cos(rolls), atol=1e-9)
    np.testing.assert_allclose(np.exp(found[:, 2]), 8 * 1.05 ** np.arange(30))
    assert numbers[:, 3].min() < 0  # the given ones are as they were
