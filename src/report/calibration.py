"""What a network's confidence is worth: how often a component lies where its heatmap has its peak, by that peak."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from src.metric.confidence import OWN_ERROR, PEAK
from src.report.chart import Chart, Line
from src.report.intervals import LEVEL
from src.report.protocol import Protocol
from src.report.scores import FaceScores, score_of
from src.report.table import MOST_COMPONENTS

NEAR: Final = 4.0
"""Pixels of the 128x128 face, half a pixel of the 16x16 one: a peak within them is right."""
BINS: Final = 5
LEAST: Final = 10
"""Faces of a bin, at least; with fewer than two such bins there is no curve."""
WORDS: Final = (
    f"The faces in up to {BINS} bins of equal size by the peak of the component's heatmap: mean peak, share of faces "
    f"whose component lies within {NEAR:g} px of it in the method's own frame, with its interval by Wilson's score."
)


class Bin(NamedTuple):
    """Faces with similar peaks of one component.

    Attributes:
        faces: their number.
        peak: mean of the peaks, 0 to 1.
        right: share of them within `NEAR` pixels, 0 to 1.
        low: lower end of its 95 % interval, see `wilson`.
        high: upper end.
    """

    faces: int
    peak: float
    right: float
    low: float
    high: float


def calibration(rows: Sequence[FaceScores], method: str) -> dict[str, list[Bin]]:
    """Component -> its bins by ascending peak; without components that too few faces show, or a method without maps.

    Faces with the same peak are in the same bin.
    """
    components = rows[0].methods[method].components.get(PEAK, {})
    found = {}
    for component in components if len(components) <= MOST_COMPONENTS else ():
        pairs = np.array([[score_of(row, method, key, component) for key in (PEAK, OWN_ERROR)] for row in rows])
        known = pairs[np.isfinite(pairs).all(1)]
        known = known[known[:, 0].argsort(kind="stable")]
        parts = min(BINS, len(known) // LEAST)
        if parts < 2:
            continue
        firsts = [len(known) * number // parts for number in range(1, parts)]
        cuts = sorted({int(known[:, 0].searchsorted(known[first, 0])) for first in firsts} - {0})
        if cuts:
            found[component] = [_bin(part) for part in np.split(known, cuts)]
    return found


def _bin(pairs: NDArray[np.float64]) -> Bin:
    count, right = len(pairs), int((pairs[:, 1] <= NEAR).sum())
    return Bin(count, float(pairs[:, 0].mean()), right / count, *wilson(right, count))


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share by Wilson's score, which has a width at 0 and at 1 too: (low, high) in 0 to 1."""
    share, square = right / count, NormalDist().inv_cdf((1 + LEVEL) / 2) ** 2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = math.sqrt(square * (share * (1 - share) / count + square / (4 * count**2))) / (1 + square / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def calibration_table(rows: Sequence[FaceScores], protocol: Protocol) -> list[list[str]]:
    """One row per method and component, header first; empty if no method has heatmaps, or the faces are few."""
    lines, longest = list[list[str]](), 0
    for name, card in protocol.methods.items():
        for component, bins in calibration(rows, name).items():
            lines.append([card.title, component, *map(_words, bins)])
            longest = max(longest, len(bins))
    head = ["method", "component", *(f"bin {number}" for number in range(1, longest + 1))]
    return [head, *(line + ["-"] * (len(head) - len(line)) for line in lines)] if lines else []


def _words(one: Bin) -> str:
    return f"{one.peak:.2f}: {100 * one.right:.0f} % [{100 * one.low:.0f}, {100 * one.high:.0f}]"


def calibration_charts(rows: Sequence[FaceScores], protocol: Protocol) -> list[Chart]:
    """A chart for each method with heatmaps, a line for each component."""
    found = []
    for name, card in protocol.methods.items():
        lines = [
            Line(
                component,
                number,
                [one.peak for one in bins],
                [100 * one.right for one in bins],
                [(100 * one.low, 100 * one.high) for one in bins],
            )
            for number, (component, bins) in enumerate(calibration(rows, name).items())
        ]
        if lines:
            found.append(Chart(f"{card.title}: within {NEAR:g} px, % of faces", "peak of the heatmap", lines))
    return found
