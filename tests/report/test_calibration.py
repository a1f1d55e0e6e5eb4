import math
from io import BytesIO

import pytest
from PIL import Image
from scipy.stats import binomtest

from src.report.calibration import NEAR, calibration, calibration_charts, calibration_table, wilson
from src.report.chart import Chart, Line
from src.report.charts_png import charts_png
from src.report.protocol import MethodCard, Protocol
from src.report.scores import FaceScores, MethodScores


def face(row: int, eyes: tuple[float, float], chin: tuple[float, float] = (math.nan, math.nan)) -> FaceScores:
    parts = {
        "heatmap_peak": {"eyes": eyes[0], "chin": chin[0]},
        "heatmap_own_px": {"eyes": eyes[1], "chin": chin[1]},
    }
    methods = {"mtun": MethodScores({"psnr_rgb": 20.0}, parts), "bicubic": MethodScores({"psnr_rgb": 18.0})}
    return FaceScores("s", row, f"{row}.png", "a", 0.0, 1.0, 0.0, 0.0, methods)


def described() -> Protocol:
    cards = {name: MethodCard(name.upper(), {}, name == "mtun") for name in ("mtun", "bicubic")}
    return Protocol("context", {}, cards, [], [], "cpu")


def faces(count: int = 50) -> list[FaceScores]:
    """The surer of the eyes, the nearer; the chin has two peaks alone, and every third face hides it."""
    return [
        face(
            row,
            (row / 100, NEAR if row >= 20 else NEAR + 0.01),
            (0.5 if row < 25 else 0.6, 5.0 * (row % 2)) if row % 3 else (math.nan, math.nan),
        )
        for row in reversed(range(count))
    ]


def test_bins_of_equal_size_hold_the_share_that_is_near_enough() -> None:
    bins = calibration(faces(), "mtun")["eyes"]
    assert [one.faces for one in bins] == [10] * 5
    assert [one.peak for one in bins] == pytest.approx([0.045, 0.145, 0.245, 0.345, 0.445])
    assert [one.right for one in bins] == [0, 0, 1, 1, 1]
    assert all(one.low <= one.right <= one.high for one in bins)


def test_hidden_components_are_in_no_bin_and_few_faces_make_no_curve() -> None:
    assert sum(one.faces for one in calibration(faces(), "mtun")["chin"]) == 33
    assert calibration(faces(19), "mtun") == {}
    assert calibration(faces(), "bicubic") == {}
    assert calibration_table(faces(19), described()) == []
    assert calibration_charts(faces(19), described()) == []


def test_faces_with_the_same_peak_are_in_the_same_bin_whatever_their_errors() -> None:
    low, high = calibration(faces(), "mtun")["chin"]
    assert (low.faces, high.faces) == (16, 17)
    assert low.right == pytest.approx(0.5)
    assert calibration([face(row, (1.0, row / 10)) for row in range(80)], "mtun") == {}  # one peak is no curve


@pytest.mark.parametrize(("right", "count"), [(0, 10), (10, 10), (7, 23), (96, 96)])
def test_the_interval_is_that_of_scipy(right: int, count: int) -> None:
    known = binomtest(right, count).proportion_ci(method="wilson")
    assert wilson(right, count) == pytest.approx((known.low, known.high), abs=1e-9)


def test_table_and_chart_show_the_bins() -> None:
    head, eyes, chin = calibration_table(faces(), described())
    assert head == ["method", "component", *(f"bin {number}" for number in range(1, 6))]
    assert eyes[:3] == ["MTUN", "eyes", "0.05: 0 % [0, 28]"]
    assert [words.split(":")[0] for words in chin[1:]] == ["chin", "0.50", "0.60", "-", "-", "-"]
    (chart,) = calibration_charts(faces(), described())
    assert [line.title for line in chart.lines] == ["eyes", "chin"]
    assert list(chart.lines[0].ys) == [0, 0, 100, 100, 100]
    content = charts_png([chart])
    assert content is not None
    assert Image.open(BytesIO(content)).format == "PNG"


def test_the_png_has_every_line_and_takes_any_words() -> None:
    names = ["$x_1$ < 5", "_hidden", "\udcff"]
    lines = [Line(name, number, [0, 1], [1.0, 2.0], [(0.5, 1.5), (1.5, 2.5)]) for number, name in enumerate(names)]
    alone, all_three = (
        charts_png([Chart("a_b$", "x", some, [(0, "$\n(3)"), (1, "b")])]) for some in (lines[:1], lines)
    )
    assert alone is not None
    assert all_three is not None
    assert alone != all_three
    assert charts_png([]) is None
