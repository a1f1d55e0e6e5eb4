import math
import re

import pytest

from src.report.chart import Chart, Line, legend, round_steps, svg


@pytest.mark.parametrize(
    ("low", "high", "steps"),
    [
        (0.0, 10.0, [0, 2, 4, 6, 8, 10]),
        (13.2, 21.9, [14, 16, 18, 20]),
        (-0.3, 0.31, [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]),
        (500, 6200, [1000, 2000, 3000, 4000, 5000, 6000]),
    ],
)
def test_steps_are_round(low: float, high: float, steps: list[float]) -> None:
    assert round_steps(low, high) == pytest.approx(steps)


def heights(drawn: str) -> list[float]:
    return [float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', drawn)]


def test_a_higher_value_is_drawn_higher_and_logarithms_space_factors_evenly() -> None:
    linear = heights(svg(Chart("y", "x", [Line("a", 0, [0, 1, 2], [1.0, 10.0, 100.0])])))
    assert linear[0] > linear[1] > linear[2]
    rising = [Line("a", 0, [0, 1, 2], [1.0, 10.0, 100.0])]
    first, second, third = heights(svg(Chart("y", "x", rising, wants_logarithms=True)))
    assert first - second == pytest.approx(second - third, abs=0.2)
    assert not Chart("y", "x", [Line("a", 0, [0, 1, 2], [0.0, 10.0, 100.0])], wants_logarithms=True).logarithmic


@pytest.mark.parametrize("ys", [[5.0], [0.0], [3.0, 3.0]])
def test_lines_without_extent_are_drawn(ys: list[float]) -> None:
    drawn = svg(Chart("y", "x", [Line("a", 0, list(range(len(ys))), ys)]))
    assert all(math.isfinite(y) for y in heights(drawn))
    assert len(heights(drawn)) == len(ys)


def test_titles_are_escaped_and_a_ninth_line_is_dashed() -> None:
    lines = [Line("<b>", 8, [0, 1], [1.0, 2.0], [(0.5, 1.5), (1.5, 2.5)])]
    drawn = svg(Chart("<i>", "<u>", lines, ticks=[(0, "<s>\n(3)"), (1, "b")]))
    assert not re.search("<[ibus]>", drawn + legend(lines))
    assert 'class="c0 dashed"' in drawn
    assert drawn.count('class="line"') == 3  # the line and two intervals
