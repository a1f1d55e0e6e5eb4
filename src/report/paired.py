"""Differences between two methods on the same faces: mean, interval and p-value."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from src.report.intervals import bootstrap, sign_flip_p
from src.report.scores import FaceScores, score_of


@dataclass(frozen=True)
class Difference:
    """How much a method's scores differ from another's on the same faces.

    Attributes:
        metric: the metric's key.
        method: the method.
        base: the method that it is compared with.
        mean: mean of method - base over the faces; None if no face has both.
        low: lower end of its 95 % bootstrap interval; None below two faces.
        high: its upper end.
        p: two-sided p-value of sign flips; None below two faces.
        faces: those with a finite score of both.
    """

    metric: str
    method: str
    base: str
    mean: float | None
    low: float | None
    high: float | None
    p: float | None
    faces: int


def differences(rows: Sequence[FaceScores], pairs: Iterable[tuple[str, str]]) -> list[Difference]:
    """The differences method - base of every (method, base) in every whole-face metric that both have."""
    first = rows[0].methods
    keys = [(key, method, base) for method, base in pairs for key in first[method].whole if key in first[base].whole]
    if not keys:
        return []
    values = np.array([[score_of(row, method, key) for key, method, _ in keys] for row in rows])
    bases = np.array([[score_of(row, base, key) for key, _, base in keys] for row in rows])
    both = np.isfinite(values) & np.isfinite(bases)
    apart = np.where(both, values, math.nan) - np.where(both, bases, math.nan)
    found = []
    for key, column, *ends in zip(keys, apart.T, *bootstrap(apart), sign_flip_p(apart), strict=True):
        known = column[np.isfinite(column)]
        mean = float(known.mean()) if len(known) else None
        several = len(known) > 1
        metric, method, base = key
        low, high, p = (float(value) if several else None for value in ends)
        found.append(Difference(metric, method, base, mean, low, high, p, len(known)))
    return found


def all_differences(rows: Sequence[FaceScores]) -> list[Difference]:
    """Of every pair of methods, the later one minus the earlier one."""
    names = list(rows[0].methods)
    return differences(rows, [(method, base) for at, method in enumerate(names) for base in names[:at]])
