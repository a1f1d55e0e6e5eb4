"""Draws the curves of a run as one picture, from its `metrics.csv`."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from src.system.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVE_POINTS: Final = 400
"""A longer curve is drawn as the means of this many stretches."""


class Group(NamedTuple):
    """One plot: the metrics whose names have one of these prefixes."""

    title: str
    prefixes: tuple[str, ...]
    logarithmic: bool = False


GROUPS: Final = (
    Group("losses", ("loss/",), True),
    Group("D's accuracy", ("gan/accuracy",)),
    Group("D's loss", ("gan/",)),
    Group("learning rates", ("optim/lr",), True),
    Group("gradient norms", ("optim/",), True),
    Group("guard", ("guard/",)),
    Group("validation PSNR, dB", ("val/psnr", "val_ema/psnr")),
    Group("validation SSIM", ("val/ssim", "val_ema/ssim")),
    Group("validation, others", ("val/", "val_ema/")),
    Group("faces a second", ("perf/faces_per_second",)),
    Group("share of waiting for data", ("perf/data_wait",)),
    Group("peak memory, GiB", ("perf/memory",)),
)
"""A metric belongs to the first group that fits."""

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Iterations and values."""


def read_curves(path: Path) -> dict[str, Curve]:
    """The curves in a metrics file: name -> iterations and values; columns without a number are left out."""
    values: dict[str, tuple[list[float], list[float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        if "iterations" not in header:
            return {}
        index = header.index("iterations")
        columns = [(place, values.setdefault(name, ([], []))) for place, name in enumerate(header) if "/" in name]
        for row in rows:
            if len(row) < len(header):
                continue  # cut short by a kill
            iterations = float(row[index])
            for place, (xs, ys) in columns:
                if row[place]:
                    xs.append(iterations)
                    ys.append(float(row[place]))
    return {name: (np.array(xs), np.array(ys)) for name, (xs, ys) in values.items() if xs}


def thinned(curve: Curve, points: int = CURVE_POINTS) -> Curve:
    """The means of this many stretches of a curve; the curve itself if it has no more points."""
    xs, ys = curve
    if len(xs) <= points:
        return curve
    starts = np.linspace(0, len(xs), points, endpoint=False).astype(int)
    lengths = np.diff([*starts, len(xs)])
    return np.add.reduceat(xs, starts) / lengths, np.add.reduceat(ys, starts) / lengths


def grouped(curves: dict[str, Curve]) -> dict[Group, dict[str, Curve]]:
    """The curves of each plot, in the plots' order; empty plots and curves that fit no plot are left out."""
    found: dict[Group, dict[str, Curve]] = {}
    for name in sorted(curves):
        group = next((group for group in GROUPS if name.startswith(group.prefixes)), None)
        if group is not None:
            found.setdefault(group, {})[name] = curves[name]
    return {group: found[group] for group in GROUPS if group in found}


def draw_curves(metrics: Path, out: Path) -> None:
    """Draw every metric over the iterations; without any metric yet, write nothing.

    Args:
        metrics: the run's `metrics.csv`.
        out: the PNG to write, whole or not at all.

    Raises:
        OSError: the PNG cannot be written.
    """
    plots = grouped(read_curves(metrics)) if metrics.is_file() else {}
    if not plots:
        return
    # Without pyplot, which would choose a window system and keep the figure.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(4, len(plots))
    rows = -(-len(plots) // columns)
    width, height = 4.5 * columns, 3 * rows
    figure = Figure(figsize=(width, height), dpi=100)
    # Margins in inches: an automatic layout draws everything several times, which takes seconds.
    figure.subplots_adjust(
        left=0.6 / width, right=1 - 0.15 / width, bottom=0.5 / height, top=1 - 0.3 / height, wspace=0.22, hspace=0.42
    )
    for place, (group, curves) in enumerate(plots.items(), 1):
        _plot(figure.add_subplot(rows, columns, place), group, curves)
    FigureCanvasAgg(figure)
    with replacing(out) as (hidden,):
        figure.savefig(hidden, format="png")


def _plot(axes: "Axes", group: Group, curves: dict[str, Curve]) -> None:
    from matplotlib.ticker import MaxNLocator

    for name, curve in curves.items():
        xs, ys = thinned(curve)
        axes.plot(xs, ys, label=_label(name), linewidth=1.2, marker="." if len(xs) <= 30 else None)
    # A value of 0 or below cannot be drawn logarithmically.
    if group.logarithmic and all((ys > 0).all() for _, ys in curves.values()):
        axes.set_yscale("log")
    axes.set_title(group.title, fontsize=10, y=1.0)
    axes.set_xlabel("iterations", fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.tick_params(labelsize=7, which="both")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="best", framealpha=0.6)


def _label(name: str) -> str:
    prefix, rest = name.split("/", 1)
    return f"{rest} (average)" if prefix == "val_ema" else rest
