"""The charts of a report as one PNG, for papers and slides."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from src.report.chart import Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS: Final = 3


def charts_png(charts: Sequence[Chart]) -> bytes | None:
    """The picture's bytes; None without a chart, or without matplotlib."""
    try:
        # Without pyplot, which would choose a window system and keep the figure.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return None
    if not charts:
        return None
    columns = min(COLUMNS, len(charts))
    rows = -(-len(charts) // columns)
    figure = Figure(figsize=(5.2 * columns, 3.8 * rows), dpi=120, layout="tight")
    FigureCanvasAgg(figure)
    for place, chart in enumerate(charts, 1):
        _draw(figure.add_subplot(rows, columns, place), chart)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _draw(axes: "Axes", chart: Chart) -> None:
    for line in chart.lines:
        marker = "." if len(line.xs) <= 30 else None
        colour, style = f"C{line.number % 10}", "-" if line.number < 10 else "--"
        axes.plot(line.xs, line.ys, style, color=colour, label=_plain(line.title), linewidth=1.2, marker=marker)
        if line.ends:
            axes.vlines(line.xs, *zip(*line.ends, strict=True), color=colour, linewidth=1)
    if chart.logarithmic:
        axes.set_yscale("log")
    if chart.ticks is not None:
        axes.set_xticks([place for place, _ in chart.ticks], [_plain(words) for _, words in chart.ticks])
    axes.set_title(_plain(chart.title), fontsize=10)
    axes.set_xlabel(_plain(chart.x_title), fontsize=8)
    axes.tick_params(labelsize=7, which="both")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="best", framealpha=0.6)


def _plain(words: str) -> str:
    """Words that matplotlib takes for no formula; a label that begins with _ would be left out of the legend."""
    return words.replace("$", r"\$").replace("_", " ").encode("utf-8", "replace").decode()
