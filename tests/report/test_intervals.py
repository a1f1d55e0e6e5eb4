import numpy as np
import pytest
from scipy import stats

from src.report.intervals import bootstrap, sign_flip_p

VALUES = np.random.default_rng(3).normal([20.0, 0.6], [2.0, 0.1], (41, 2))


def test_the_interval_is_scipys_percentile_bootstrap_of_the_same_draws() -> None:
    lows, highs = bootstrap(VALUES, 999, seed=5)
    for column, low, high in zip(VALUES.T, lows, highs, strict=True):
        wanted = stats.bootstrap(
            (column,), np.mean, n_resamples=999, method="percentile", rng=np.random.default_rng(5)
        ).confidence_interval
        assert (low, high) == (pytest.approx(wanted.low, abs=1e-9), pytest.approx(wanted.high, abs=1e-9))


def test_draws_in_parts_are_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap(VALUES, 300)
    monkeypatch.setattr("src.report.intervals._ENTRIES", 41 * 7)
    np.testing.assert_allclose(bootstrap(VALUES, 300), whole)


def test_hidden_values_are_left_out_and_one_value_has_no_interval() -> None:
    values = VALUES.copy()
    values[5:, 0], values[::2, 1] = np.nan, np.nan
    lows, highs = bootstrap(values)
    for column, low, high in zip(values.T, lows, highs, strict=True):
        known = column[~np.isnan(column)]
        assert known.min() <= low < known.mean() < high <= known.max()
    values[1:, 0] = np.nan
    assert np.isnan(bootstrap(values)).tolist() == [[True, False], [True, False]]


def test_the_paired_test_agrees_with_scipys_permutations() -> None:
    differences = np.random.default_rng(1).normal([0.4, 0.0], 1.0, (12, 2))
    found = sign_flip_p(differences, 4000)
    for column, p in zip(differences.T, found, strict=True):
        exact = stats.permutation_test(
            (column,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
        ).pvalue
        assert p == pytest.approx(exact, abs=0.025)
    clear = sign_flip_p(np.full((30, 1), 0.3))
    assert clear[0] == pytest.approx(1 / 2001)
    assert np.isnan(sign_flip_p(np.array([[1.0], [np.nan]])))[0]
