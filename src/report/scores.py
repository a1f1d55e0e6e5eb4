"""What an evaluation measured: a row a face, and the means that are reported."""

import csv
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Final

from src.metric.image import IMAGE_METRICS

METHODS: Final = {
    "bicubic": "bicubic of the unaligned input",
    "bicubic_aligned": "bicubic of the input aligned by the known transform",
    "mtun": "MTUN",
}
"""The compared methods by key, with the words of the table."""


@dataclass(frozen=True)
class FaceScores:
    """One face's misalignment and what every method made of it.

    Attributes:
        store: the store's folder, as it was given.
        row: its row in that store.
        file: the source file.
        identity: whose face.
        angle_deg: the misalignment's rotation; positive is clockwise on the screen.
        scale: its scale.
        shift_x_px: its shifts in pixels of the HR image.
        shift_y_px: likewise.
        images: method -> metric -> value, keys of `METHODS` and `IMAGE_METRICS`.
        peak_px: component -> `peak_error`; NaN where the component is hidden; empty without heatmaps.
        centroid_px: component -> `centroid_error`, likewise.
        angle_error_deg: of the STN; None without one.
    """

    store: str
    row: int
    file: str
    identity: str
    angle_deg: float
    scale: float
    shift_x_px: float
    shift_y_px: float
    images: dict[str, dict[str, float]]
    peak_px: dict[str, float] = field(default_factory=dict)
    centroid_px: dict[str, float] = field(default_factory=dict)
    angle_error_deg: float | None = None


@dataclass(frozen=True)
class Mean:
    """A mean over faces, the sample standard deviation (None below two faces), and how many faces had a value."""

    mean: float | None
    std: float | None
    faces: int


@dataclass(frozen=True)
class Summary:
    """The means over some faces.

    Attributes:
        faces: how many.
        images: method -> metric -> the mean of the faces' values.
        peak_px: component -> mean over the faces that show it.
        centroid_px: likewise.
        angle_error_deg: None without an STN.
    """

    faces: int
    images: dict[str, dict[str, Mean]]
    peak_px: dict[str, Mean]
    centroid_px: dict[str, Mean]
    angle_error_deg: Mean | None

    @property
    def better_bicubic(self) -> str:
        """The bicubic row with the higher PSNR on RGB: what the gain is counted from."""
        rows = [method for method in METHODS if method != "mtun"]
        return max(rows, key=lambda method: self.images[method]["psnr_rgb"].mean or -math.inf)

    def gain(self, metric: str) -> float:
        """By how much MTUN's mean is above that of `better_bicubic`."""
        return (self.images["mtun"][metric].mean or 0) - (self.images[self.better_bicubic][metric].mean or 0)


def mean_of(values: Iterable[float]) -> Mean:
    """The mean of what is known: NaN are left out and not counted."""
    known = [value for value in values if not math.isnan(value)]
    return Mean(
        statistics.fmean(known) if known else None, statistics.stdev(known) if len(known) > 1 else None, len(known)
    )


def summarise(rows: Sequence[FaceScores]) -> Summary:
    """Per-image means over the faces; ValueError for no face."""
    if not rows:
        raise ValueError("no face was evaluated")
    images = {
        method: {metric: mean_of(row.images[method][metric] for row in rows) for metric in IMAGE_METRICS}
        for method in METHODS
    }
    peak = {name: mean_of(row.peak_px[name] for row in rows) for name in rows[0].peak_px}
    centroid = {name: mean_of(row.centroid_px[name] for row in rows) for name in rows[0].centroid_px}
    angles = [row.angle_error_deg for row in rows if row.angle_error_deg is not None]
    return Summary(len(rows), images, peak, centroid, mean_of(angles) if angles else None)


def faces_csv(rows: Sequence[FaceScores]) -> str:
    """`metrics.csv`: a line a face; a hidden component's cells are empty."""
    text = StringIO()
    cells = [_cells(row) for row in rows]
    writer = csv.DictWriter(text, list(cells[0]) if cells else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(cells)
    return text.getvalue()


def _cells(row: FaceScores) -> dict[str, str | int]:
    numbers: dict[str, float | None] = {
        "angle_deg": row.angle_deg,
        "scale": row.scale,
        "shift_x_px": row.shift_x_px,
        "shift_y_px": row.shift_y_px,
    }
    for method, metrics in row.images.items():
        numbers |= {f"{method}_{metric}": value for metric, value in metrics.items()}
    numbers |= {f"peak_px_{name}": value for name, value in row.peak_px.items()}
    numbers |= {f"centroid_px_{name}": value for name, value in row.centroid_px.items()}
    if row.angle_error_deg is not None:
        numbers["angle_error_deg"] = row.angle_error_deg
    traced: dict[str, str | int] = {"store": row.store, "row": row.row, "file": row.file, "identity": row.identity}
    return traced | {
        name: "" if value is None or math.isnan(value) else f"{value:.6g}" for name, value in numbers.items()
    }
