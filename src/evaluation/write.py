"""Writes the files of an evaluation, all or none of them."""

import os
from pathlib import Path

from PIL import Image

from src.evaluation.run import Evaluation
from src.image.encode import png_bytes
from src.report.scores import faces_csv
from src.report.table import metrics_json, report_md
from src.system.errors import UserError
from src.system.files import replacing, utf8


def write_results(out: Path, evaluation: Evaluation) -> list[Path]:
    """Write the files of the report; none of them changes if one cannot be written.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    files = {
        "metrics.csv": utf8(faces_csv(evaluation.rows)),
        "metrics.json": utf8(metrics_json(evaluation.rows, evaluation.protocol)),
        "report.md": utf8(report_md(evaluation.rows, evaluation.protocol)),
    }
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
