"""Writes the files of an evaluation, all or none of them."""

import os
from pathlib import Path

from PIL import Image

from src.evaluation.run import Evaluation
from src.image.encode import png_bytes
from src.report.ablation import Ablation
from src.report.charts_png import charts_png
from src.report.faces_file import NO_PARQUET, faces_csv, faces_parquet
from src.report.metrics_json import metrics_json
from src.report.report_html import report_html
from src.report.report_md import FILES, report_md
from src.report.score_charts import confidence_charts, score_charts, training_charts
from src.report.shown import NOTHING, Shown
from src.system.errors import UserError
from src.system.files import replacing, utf8


def write_results(
    out: Path, evaluation: Evaluation, ablation: Ablation | None = None, shown: Shown = NOTHING
) -> list[Path]:
    """Write the files of the report; none of them changes if one cannot be written.

    Args:
        out: the folder.
        evaluation: what was measured.
        ablation: the differences of a sweep's experiments to the full model, if it is one.
        shown: the faces whose pictures report.html holds.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    rows, protocol = evaluation.rows, evaluation.protocol
    parquet = faces_parquet(rows)
    charts = charts_png(
        [
            *score_charts(rows, protocol).charts,
            *confidence_charts(rows, protocol).charts,
            *training_charts(protocol).charts,
        ]
    )
    missing = {"grid": evaluation.grid is None, "charts": charts is None}
    beside = [words for words in FILES if not any(gone and f"`{name}.png`" in words for name, gone in missing.items())]
    beside.append("`metrics.parquet` the rows with their types" if parquet else NO_PARQUET)
    files = {
        "metrics.csv": utf8(faces_csv(rows)),
        "metrics.json": utf8(metrics_json(rows, protocol, ablation)),
        "report.md": utf8(report_md(rows, protocol, ablation, beside)),
        "report.html": report_html(rows, protocol, ablation, shown),
    }
    if charts:
        files["charts.png"] = charts
    if parquet:
        files["metrics.parquet"] = parquet
    if evaluation.grid is not None:
        files["grid.png"] = png_bytes(Image.fromarray(evaluation.grid))
    paths = [out / name for name in files]
    try:
        out.mkdir(parents=True, exist_ok=True)
        with replacing(*paths) as hidden:
            for path, content in zip(hidden, files.values(), strict=True):
                path.write_bytes(content)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}; choose another out=") from None
    return paths


def check_out(out: Path) -> None:
    """Raise UserError before the work begins if the report could not be written."""
    place = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not place.is_dir():
        raise UserError(f"{out} cannot be a folder: {place} is a file; choose another out=")
    if not os.access(place, os.W_OK):
        raise UserError(f"{out} cannot be written: no permission in {place}; choose another out=")
