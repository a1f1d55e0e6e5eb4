"""Reads the curves of a run from its `metrics.csv`."""

import csv
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

CURVE_POINTS: Final = 400
"""A longer curve is drawn as the means of this many stretches."""

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
