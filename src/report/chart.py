"""Line charts: what they show, and their SVG text for the HTML report, which needs no plotting library."""

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

WIDTH, HEIGHT = 460, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 22, 28, 42
_SAMPLE: Final = '<svg viewBox="0 0 22 10" aria-hidden="true"><path class="line" d="M0 5H22"/></svg>'
COLOURS: Final = 8
"""Classes c0 to c7 of the style sheet; more lines take them again, dashed."""
SLACK: Final = 1e-9  # for rounding
FEW: Final = 30
"""A line of at most this many points has a dot at each."""


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        title: its words in the legend.
        number: decides its colour.
        xs: of its points.
        ys: of its points, finite.
        ends: lower and upper end of each point's interval; empty: no intervals.
    """

    title: str
    number: int
    xs: Sequence[float]
    ys: Sequence[float]
    ends: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True)
class Chart:
    """What a chart shows, as `svg` and `charts_png` draw it.

    Attributes:
        title: what the vertical axis shows.
        x_title: what the horizontal axis shows.
        lines: at least one, with at least one point each.
        ticks: places and words on the horizontal axis, in one line or more; None: round numbers.
        wants_logarithms: of the vertical axis.
    """

    title: str
    x_title: str
    lines: Sequence[Line]
    ticks: Sequence[tuple[float, str]] | None = None
    wants_logarithms: bool = False

    @property
    def ys(self) -> list[float]:
        """Every value and every end of an interval."""
        return [y for line in self.lines for y in (*line.ys, *(end for ends in line.ends for end in ends))]

    @property
    def logarithmic(self) -> bool:
        """Whether the vertical axis is logarithmic: not where a value is 0 or below."""
        return self.wants_logarithms and min(self.ys) > 0


def svg(chart: Chart) -> str:
    """A chart with axes; the legend is separate."""
    title, x_title, lines, ticks, logarithmic = chart.title, chart.x_title, chart.lines, chart.ticks, chart.logarithmic
    ys, up = chart.ys, math.log10 if logarithmic else float
    bottom = HEIGHT - BOTTOM - 14 * max((words.count("\n") for _, words in ticks or ()), default=0)
    xs = [x for line in lines for x in line.xs] + [x for x, _ in ticks or ()]
    x0, x1 = _widened(xs, 0.06 if ticks else 0.02)
    y0, y1 = _widened([up(y) for y in ys], 0.06)

    def across(x: float) -> float:
        return LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)

    def down(y: float) -> float:
        return TOP + (y1 - up(y)) / (y1 - y0) * (bottom - TOP)

    parts = [f'<text class="title" x="{LEFT}" y="16">{html.escape(title)}</text>']
    for value in round_steps(y0, y1):
        y = down(10**value if logarithmic else value)
        words = f"{10**value:.2g}" if logarithmic else f"{value:.6g}"
        parts.append(f'<path class="rule" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="end" x="{LEFT - 6}" y="{y + 4:.1f}">{words}</text>')
    for value, words in ticks or [(value, f"{value:,.6g}") for value in round_steps(x0, x1)]:
        for row, part in enumerate(words.split("\n")):
            y = bottom + 16 + 14 * row
            parts.append(f'<text class="mid" x="{across(value):.1f}" y="{y}">{html.escape(part)}</text>')
    parts.append(
        f'<text class="mid" x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 6}">{html.escape(x_title)}</text>'
    )
    for line in lines:
        points = [f"{across(x):.1f} {down(y):.1f}" for x, y in zip(line.xs, line.ys, strict=True)]
        drawn = f'<path class="line" d="M{"L".join(points)}"/>'
        for x, (low, high) in zip(line.xs, line.ends, strict=bool(line.ends)):
            drawn += f'<path class="line" d="M{across(x):.1f} {down(low):.1f}V{down(high):.1f}"/>'
        if len(points) <= FEW:
            drawn += "".join('<circle cx="{}" cy="{}" r="3"/>'.format(*point.split()) for point in points)
        parts.append(f'<g class="{colour(line.number)}"><title>{html.escape(line.title)}</title>{drawn}</g>')
    words = html.escape(f"{title} by {x_title}", quote=True)
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">{"".join(parts)}</svg>'


def legend(lines: Iterable[Line]) -> str:
    """The lines' titles with their colours."""
    known = {line.number: line.title for line in lines}
    items = "".join(
        f'<li class="{colour(number)}">{_SAMPLE}{html.escape(title)}</li>' for number, title in known.items()
    )
    return f'<ul class="legend">{items}</ul>'


def colour(number: int) -> str:
    """The classes of a line's colour."""
    return f"c{number % COLOURS}" + (" dashed" if number >= COLOURS else "")


def round_steps(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers from `low` to `high`, at most about `most`: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return [
        round(number * step, 12) for number in range(math.ceil(low / step - SLACK), math.floor(high / step + SLACK) + 1)
    ]


def _widened(values: Iterable[float], share: float) -> tuple[float, float]:
    known = list(values)
    low, high = min(known), max(known)
    spare = (high - low) * share or abs(high) * 0.05 or 1.0
    return low - spare, high + spare
