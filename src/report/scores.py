"""The scores of an evaluation: one row per face, and the means that are reported."""

import csv
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO

from src.metric.metric import Metric


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


@dataclass(frozen=True)
class Mean:
    """A mean over faces, the sample standard deviation (None below two faces), and how many faces had a value."""

    mean: float | None
    std: float | None
    faces: int


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
    """The mean of all values but NaN, which are not counted."""
    known = [value for value in values if not math.isnan(value)]
    return Mean(
        statistics.fmean(known) if known else None, statistics.stdev(known) if len(known) > 1 else None, len(known)
    )


def summarise(rows: Sequence[FaceScores]) -> Summary:
    """Per-image means over the faces; ValueError if there is no face."""
    if not rows:
        raise ValueError("no face was evaluated")
    return Summary(len(rows), {name: _means([row.methods[name] for row in rows]) for name in rows[0].methods})


def _means(scores: Sequence[MethodScores]) -> MethodMeans:
    first = scores[0]
    return MethodMeans(
        {key: mean_of(one.whole[key] for one in scores) for key in first.whole},
        {
            key: {name: mean_of(one.components[key][name] for one in scores) for name in components}
            for key, components in first.components.items()
        },
    )


def columns_of(metrics: Iterable[Metric], rows: Sequence[FaceScores]) -> list[Metric]:
    """The whole-face metrics that any method of these rows has, in their order."""
    measured = {key for scores in rows[0].methods.values() for key in scores.whole}
    return [metric for metric in metrics if metric.key in measured]


def faces_csv(rows: Sequence[FaceScores]) -> str:
    """`metrics.csv`: one line per face, columns METHOD_METRIC and METHOD_METRIC_COMPONENT (empty where hidden)."""
    text = StringIO()
    cells = [dict(_cells(row)) for row in rows]
    writer = csv.DictWriter(text, list(cells[0]) if cells else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(cells)
    return text.getvalue()


def _cells(row: FaceScores) -> Iterator[tuple[str, str | int]]:
    yield from (("store", row.store), ("row", row.row), ("file", row.file), ("identity", row.identity))
    for name in ("angle_deg", "scale", "shift_x_px", "shift_y_px"):
        yield name, _number(getattr(row, name))
    for method, scores in row.methods.items():
        for key, value in scores.whole.items():
            yield f"{method}_{key}", _number(value)
        for key, components in scores.components.items():
            for component, value in components.items():
                yield f"{method}_{key}_{component}", _number(value)


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
