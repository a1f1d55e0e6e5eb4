"""Intervals of means over faces by the bootstrap, and the paired test of two methods by sign flips."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 2000
SEED: Final = 0
LEVEL: Final = 0.95
_ENTRIES: Final = 4_000_000  # random numbers drawn at a time; limits the memory

Values = NDArray[np.float64]


def bootstrap(values: Values, resamples: int = RESAMPLES, seed: int = SEED) -> tuple[Values, Values]:
    """Percentile bootstrap intervals, 95 %, of the means of columns; faces are drawn with replacement.

    All columns see the same draws. A column's NaN are left out of each draw's mean.

    Args:
        values: (N, K), a row per face.
        resamples: number of draws.
        seed: of the draws.

    Returns:
        Lower and upper ends, each (K,); NaN where fewer than two faces have a value.
    """
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    totals = np.concatenate([counts @ np.stack([filled, known], 2).reshape(len(values), -1)
                             for counts in _draws(len(values), resamples, seed)])  # fmt: skip
    totals = totals.reshape(len(totals), values.shape[1], 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = totals[..., 0] / totals[..., 1]
    ends = np.full((2, values.shape[1]), np.nan)
    measured = known.sum(0) > 1
    outside = 100 * (1 - LEVEL) / 2
    if measured.any():
        ends[:, measured] = np.nanpercentile(means[:, measured], [outside, 100 - outside], axis=0)
    return ends[0], ends[1]


def _draws(faces: int, resamples: int, seed: int) -> Iterator[Values]:
    """How often each face is in a draw, (R, N) at a time, R rows of all the resamples."""
    random = np.random.default_rng(seed)
    at_a_time = max(1, _ENTRIES // max(faces, 1))
    for start in range(0, resamples, at_a_time):
        rows = min(at_a_time, resamples - start)
        drawn = random.integers(0, faces, (rows, faces)) + faces * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * faces).reshape(rows, faces).astype(np.float64)


def sign_flip_p(differences: Values, resamples: int = RESAMPLES, seed: int = SEED) -> Values:
    """Two-sided p-values of the hypothesis that differences are as likely to be positive as negative.

    Each draw flips the signs of whole rows at random and counts where the mean is as far from 0 as the observed one.
    The smallest possible value is 1 / (resamples + 1).

    Args:
        differences: (N, K), a row per face; NaN are left out.
        resamples: number of draws.
        seed: of the draws.

    Returns:
        (K,); NaN where fewer than two faces have a value.
    """
    known = np.isfinite(differences)
    filled = np.where(known, differences, 0.0)
    observed = np.abs(filled.sum(0))
    random = np.random.default_rng(seed)
    reached = np.zeros(differences.shape[1])
    at_a_time = max(1, _ENTRIES // max(len(filled), 1))
    for start in range(0, resamples, at_a_time):
        rows = min(at_a_time, resamples - start)
        signs = 1.0 - 2.0 * random.integers(0, 2, (rows, len(filled)))
        reached += (np.abs(signs @ filled) >= observed * (1 - 1e-12)).sum(0)
    p: Values = np.where(known.sum(0) > 1, (reached + 1) / (resamples + 1), np.nan)
    return p
