"""The scores of an evaluation: one row per face, and the means with intervals that are reported."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from src.metric.metric import MetricCard
from src.report.intervals import bootstrap


@dataclass(frozen=True)
class MethodScores:
    """One method's scores on one face; a metric that does not apply to the method is in neither mapping.

    Attributes:
        whole: metric -> its score.
        components: metric by component -> component -> its score, NaN where the component is hidden.
    """

    whole: dict[str, float] = field(default_factory=dict)
    components: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class FaceScores:
    """One face's misalignment and every method's scores.

    Attributes:
        store: the store's folder, as it was given.
        row: its row in that store.
        file: the source file.
        identity: whose face.
        angle_deg: the misalignment's rotation; positive is clockwise on the screen.
        scale: its scale.
        shift_x_px: its shift to the right, in pixels of the HR image.
        shift_y_px: its shift down, likewise.
        methods: the scores by the method's name, in the order of the table.
        misalignment_px: the mean distance by which the misalignment moves the face's corners, in the same pixels.
        yaw_deg: by how much the head is turned, from its landmarks, positive to image right; NaN where not known.
        own_size_px: the side that it had in its photograph; NaN where that is the LR side, or not known.
    """

    store: str
    row: int
    file: str
    identity: str
    angle_deg: float
    scale: float
    shift_x_px: float
    shift_y_px: float
    methods: dict[str, MethodScores]
    misalignment_px: float = math.nan
    yaw_deg: float = math.nan
    own_size_px: float = math.nan


@dataclass(frozen=True)
class Mean:
    """A mean over faces.

    Attributes:
        mean: None if no face has a finite value.
        std: the sample standard deviation; None below two faces.
        faces: how many faces are in the mean.
        low: lower end of the mean's 95 % bootstrap interval; None below two faces.
        high: its upper end.
        infinite: faces whose value is infinite (PSNR of identical images) and therefore not in the mean.
    """

    mean: float | None
    std: float | None
    faces: int
    low: float | None = None
    high: float | None = None
    infinite: int = 0


@dataclass(frozen=True)
class MethodMeans:
    """The means of one method's scores over some faces, keyed as in `MethodScores`."""

    whole: dict[str, Mean]
    components: dict[str, dict[str, Mean]]


@dataclass(frozen=True)
class Summary:
    """The means over some faces.

    Attributes:
        faces: their number.
        methods: each method's means, by its name.
    """

    faces: int
    methods: dict[str, MethodMeans]

    def best(self, methods: Iterable[str], metric: str = "psnr_rgb") -> str | None:
        """The method with the highest mean; None if no method has a mean."""
        means = {name: self.mean(name, metric) for name in methods}
        known = {name: mean for name, mean in means.items() if mean is not None}
        return max(known, key=lambda name: known[name]) if known else None

    def mean(self, method: str, metric: str) -> float | None:
        """A method's mean of a whole-face metric; None if nothing was measured."""
        found = self.methods[method].whole.get(metric)
        return None if found is None else found.mean


def mean_of(values: Iterable[float]) -> Mean:
    """The mean of all values but NaN, which are not counted, and infinite ones, which are counted apart."""
    return means_of(np.array(list(values), np.float64)[:, None])[0]


def means_of(values: NDArray[np.float64]) -> list[Mean]:
    """The mean of each column of (N, K), with intervals by the same draws of faces."""
    lows, highs = bootstrap(values)
    found = []
    for column, low, high in zip(values.T, lows.tolist(), highs.tolist(), strict=True):
        known = column[np.isfinite(column)]
        several = len(known) > 1
        found.append(
            Mean(
                float(known.mean()) if len(known) else None,
                float(known.std(ddof=1)) if several else None,
                len(known),
                low if several else None,
                high if several else None,
                int(np.isposinf(column).sum()),
            )
        )
    return found


def summarise(rows: Sequence[FaceScores]) -> Summary:
    """Per-image means over the faces, with intervals; ValueError if there is no face."""
    if not rows:
        raise ValueError("no face was evaluated")
    keys = score_keys(rows)
    means = dict(zip(keys, means_of(np.array([[score_of(row, *key) for key in keys] for row in rows])), strict=True))
    methods = {}
    for name, first in rows[0].methods.items():
        whole = {key: means[name, key, None] for key in first.whole}
        parts = {key: {part: means[name, key, part] for part in scores} for key, scores in first.components.items()}
        methods[name] = MethodMeans(whole, parts)
    return Summary(len(rows), methods)


ScoreKey = tuple[str, str, str | None]
"""Method, metric, and the component where the metric is by component."""


def score_keys(rows: Sequence[FaceScores]) -> list[ScoreKey]:
    """Every score that a row has, in the order of the columns."""
    found: list[ScoreKey] = []
    for method, scores in rows[0].methods.items():
        found += [(method, key, None) for key in scores.whole]
        found += [(method, key, part) for key, parts in scores.components.items() for part in parts]
    return found


def score_of(row: FaceScores, method: str, metric: str, component: str | None = None) -> float:
    """One score of a face."""
    scores = row.methods[method]
    return scores.whole[metric] if component is None else scores.components[metric][component]


def columns_of(metrics: Iterable[MetricCard], rows: Sequence[FaceScores]) -> list[MetricCard]:
    """The whole-face metrics that any method of these rows has, in their order."""
    measured = {key for scores in rows[0].methods.values() for key in scores.whole}
    return [metric for metric in metrics if metric.key in measured]
