import statistics

import numpy as np
import pytest
from scipy import stats

from src.report.ablation import T_95, ablate, ablation_table, t_interval
from src.report.scores import FaceScores, MethodScores
from tests.report.test_table import PROTOCOL

EXPERIMENTS = {"celeba16x": {1: "full_1", 2: "full_2"}, "ablation/no_stn": {1: "no_1", 2: "no_2", 3: "no_3"}}


def faces() -> list[FaceScores]:
    shift = {"full_1": 0.0, "full_2": 1.0, "no_1": -2.0, "no_2": -0.4, "no_3": 9.0}
    return [
        FaceScores(
            "a", number, "x.png", "Ann", 0.0, 1.0, 0.0, 0.0,
            {name: MethodScores({"psnr_rgb": 20.0 + number + value}) for name, value in shift.items()},
        )
        for number in range(4)
    ]  # fmt: skip


def test_differences_are_over_faces_and_over_equal_seeds() -> None:
    ablation = ablate(faces(), EXPERIMENTS, "celeba16x")
    (over_faces,), (over_seeds,) = ablation.over_faces, ablation.over_seeds
    assert over_faces.method == "ablation/no_stn"
    assert over_faces.mean == pytest.approx((-2.0 - 0.4 + 9.0) / 3 - 0.5)
    # Seeds 1 and 2 alone: -2 - 0 and -0.4 - 1.
    apart = [-2.0, -1.4]
    wanted = stats.t.interval(0.95, 1, loc=statistics.fmean(apart), scale=stats.sem(apart))
    assert (over_seeds.mean, over_seeds.seeds) == (pytest.approx(-1.7), 2)
    assert (over_seeds.low, over_seeds.high) == (pytest.approx(wanted[0], rel=1e-3), pytest.approx(wanted[1], rel=1e-3))
    head, line = ablation_table(ablation, PROTOCOL)
    assert head[:3] == ["experiment", "seeds", "PSNR RGB (dB)"]
    assert line[:2] == ["ablation/no_stn", "1, 2, 3"]
    assert line[2].startswith("+1.70 [+1.70, +1.70], p ")
    assert "; seeds -1.70 [" in line[2]


def test_the_quantiles_are_students() -> None:
    wanted = stats.t.ppf(0.975, np.arange(1, len(T_95) + 1))
    np.testing.assert_allclose(T_95, wanted, atol=6e-4)
    values = list(np.random.default_rng(0).normal(size=40))
    assert t_interval(values) == pytest.approx(stats.t.ppf(0.975, 39) * stats.sem(values), rel=0.05)
