"""Charts of an evaluation: PSNR by pose and by rotation, confidence, and the curves of the methods' trainings."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from src.report.bins import Binning
from src.report.calibration import calibration_charts
from src.report.chart import Chart, Line, legend
from src.report.picks import RANKED_BY
from src.report.protocol import Protocol
from src.report.read_curves import Curve, read_curves, thinned
from src.report.scores import FaceScores, mean_of

YAW: Final = Binning("yaw", "PSNR RGB (dB) by pose", "yaw to either side, degrees", (0, 10, 20, 30, 45, 60, 90),
                     lambda row: abs(row.yaw_deg))  # fmt: skip
ANGLE: Final = Binning("angle", "PSNR RGB (dB) by angle", "rotation to either side, degrees",
                       (0, 5, 10, 15, 20, 25, 30, math.inf), lambda row: abs(row.angle_deg))  # fmt: skip


class Curves(NamedTuple):
    """One chart of trainings: of each run the first of these names that its metrics.csv has."""

    title: str
    names: tuple[str, ...]
    logarithmic: bool = False


CURVES: Final = (
    Curves("validation PSNR RGB (dB)", ("val_ema/psnr_rgb", "val/psnr_rgb")),
    Curves("validation PSNR, registered (dB)", ("val_ema/psnr_registered", "val/psnr_registered")),
    Curves("validation angle error (degrees)", ("val_ema/angle_error_deg", "val/angle_error_deg")),
    Curves("total loss of the generator", ("loss/total",), True),
)
LOSS_POINTS: Final = 200


@dataclass(frozen=True)
class Charts:
    """Charts that share a legend.

    Attributes:
        charts: what each shows.
        legend: as HTML text; empty without a chart.
        notes: what could not be drawn, and why.
    """

    charts: Sequence[Chart]
    legend: str
    notes: Sequence[str]


def score_charts(rows: Sequence[FaceScores], protocol: Protocol) -> Charts:
    """PSNR by pose and by angle with intervals; a chart whose faces all lie in one bin is left out."""
    drawn, lines = [], list[Line]()
    for binning in (YAW, ANGLE):
        bins = binning.sort(rows)
        if len(bins) < 2:
            continue
        ticks = [
            (float(at), f"{name.replace(' or more', '+')}\n({len(mine)})")
            for at, (name, mine) in enumerate(bins.items())
        ]
        of_bins = [_line(number, name, protocol, list(bins.values())) for number, name in enumerate(protocol.methods)]
        found = [line for line in of_bins if line.xs]
        if found:
            drawn.append(Chart(binning.title, f"{binning.unit} (faces)", found, ticks))
            lines += found
    notes = [] if drawn else ["The faces differ neither in pose nor in angle, as far as it is known."]
    return Charts(drawn, legend(lines) if lines else "", notes)


def confidence_charts(rows: Sequence[FaceScores], protocol: Protocol) -> Charts:
    """What each method's confidence is worth, by component."""
    drawn = calibration_charts(rows, protocol)
    return Charts(drawn, legend(line for chart in drawn for line in chart.lines) if drawn else "", [])


def _line(number: int, name: str, protocol: Protocol, bins: Sequence[Sequence[FaceScores]]) -> Line:
    xs, ys, ends = list[float](), list[float](), list[tuple[float, float]]()
    apart = (number - (len(protocol.methods) - 1) / 2) * min(0.06, 0.5 / len(protocol.methods))
    for at, mine in enumerate(bins):
        mean = mean_of(row.methods[name].whole.get(RANKED_BY, math.nan) for row in mine)
        if mean.mean is not None:
            xs.append(at + apart)
            ys.append(mean.mean)
            ends.append((mean.mean, mean.mean) if mean.low is None or mean.high is None else (mean.low, mean.high))
    return Line(protocol.methods[name].title, number, xs, ys, ends)


def training_charts(protocol: Protocol) -> Charts:
    """The curves of the runs whose checkpoints were measured, as far as their `metrics.csv` is still there."""
    runs: dict[int, Mapping[str, Curve]] = {}
    without: list[str] = []
    titles = [card.title for card in protocol.methods.values()]
    for number, card in enumerate(protocol.methods.values()):
        file = card.facts.get("checkpoint")
        if file is None:
            continue
        metrics = Path(str(file)).absolute().parent.parent / "metrics.csv"
        try:
            runs[number] = read_curves(metrics) if metrics.is_file() else {}
        except (OSError, ValueError):
            runs[number] = {}
        if not runs[number]:
            without.append(card.title)
    drawn, lines = [], list[Line]()
    for curves in CURVES:
        found = []
        for number, run in runs.items():
            curve = next((run[name] for name in curves.names if name in run), None)
            if curve is not None:
                xs, ys = thinned(curve, LOSS_POINTS)
                points = [(x, y) for x, y in zip(xs.tolist(), ys.tolist(), strict=True) if math.isfinite(y)]
                if points:
                    found.append(Line(titles[number], number, [x for x, _ in points], [y for _, y in points]))
        if found:
            drawn.append(Chart(curves.title, "iterations", found, wants_logarithms=curves.logarithmic))
            lines += found
    notes = [f"No metrics.csv with curves lies where the training of {', '.join(without)} left it."] if without else []
    return Charts(drawn, legend(lines) if lines else "", notes)
