"""The files with a row per face, `metrics.csv` and `metrics.parquet`."""

import csv
import importlib
import math
from collections.abc import Iterator, Sequence
from io import BytesIO, StringIO
from typing import Final

from src.report.scores import FaceScores, score_keys, score_of
from src.system.extras import not_installed
from src.system.files import printable

WORDS: Final = ("store", "file", "identity")
FACE_COLUMNS: Final = (
    "store", "row", "file", "identity", "angle_deg", "scale", "shift_x_px", "shift_y_px", "misalignment_px", "yaw_deg",
    "own_size_px",
)  # fmt: skip
"""The columns before the scores; the attributes of `FaceScores`."""
NO_PARQUET: Final = f"metrics.parquet is not written: {not_installed('pyarrow', 'report')}"


def score_column(method: str, metric: str, component: str | None = None) -> str:
    """The name of a score's column."""
    return "_".join([method, metric, *([] if component is None else [component])])


def faces_csv(rows: Sequence[FaceScores]) -> str:
    """`metrics.csv`: one line per face, columns METHOD_METRIC and METHOD_METRIC_COMPONENT.

    A cell is empty where there is no value (a hidden component), and `inf` for the PSNR of identical images.
    """
    text = StringIO()
    columns = dict(_columns(rows)) if rows else {}
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*([_cell(value) for value in values] for values in columns.values()), strict=True))
    return text.getvalue()


def faces_parquet(rows: Sequence[FaceScores]) -> bytes | None:
    """`metrics.parquet`: the columns of `metrics.csv` with their types; None if pyarrow is not installed."""
    try:
        # Imported by name: it has no types that mypy could read.
        pyarrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        return None
    content = BytesIO()
    parquet.write_table(pyarrow.table(dict(_columns(rows))), content)
    return content.getvalue()


def _columns(rows: Sequence[FaceScores]) -> Iterator[tuple[str, list[str] | list[int] | list[float | None]]]:
    for name in FACE_COLUMNS:
        values = [getattr(row, name) for row in rows]
        yield (
            name,
            list(map(printable, values)) if name in WORDS else values if name == "row" else list(map(_known, values)),
        )
    for key in score_keys(rows):
        yield score_column(*key), [_known(score_of(row, *key)) for row in rows]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _cell(value: str | float | None) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
