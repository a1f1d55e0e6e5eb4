"""Writing the files of an evaluation, all or none of them."""

import os
from io import BytesIO
from pathlib import Path

from PIL import Image

from src.evaluation.run import Evaluation
from src.report.scores import faces_csv
from src.report.table import metrics_json, report_md
from src.system.errors import UserError


def write_results(out: Path, evaluation: Evaluation) -> list[Path]:
    """Write the four files, each to a temporary name first; all or none of them change.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    files = {
        "metrics.csv": faces_csv(evaluation.rows).encode(),
        "metrics.json": metrics_json(evaluation.rows, evaluation.protocol).encode(),
        "report.md": report_md(evaluation.rows, evaluation.protocol).encode(),
    }
    if evaluation.grid is not None:
        png = BytesIO()
        Image.fromarray(evaluation.grid).save(png, "PNG")
        files["grid.png"] = png.getvalue()
    partial = {out / name: out / f".{name}.partial" for name in files}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, temporary in partial.items():
            temporary.write_bytes(files[path.name])
        for path, temporary in partial.items():
            os.replace(temporary, path)  # noqa: PTH105 - the atomic rename is the point
    except OSError as error:
        for temporary in partial.values():
            temporary.unlink(missing_ok=True)
        raise UserError(f"{out} cannot be written: {error.strerror or error}; choose another out=") from None
    return list(partial)


def check_out(out: Path) -> None:
    """UserError now, not after the work, where the report could not be written."""
    place = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not place.is_dir():
        raise UserError(f"{out} cannot be a folder: {place} is a file; choose another out=")
    if not os.access(place, os.W_OK):
        raise UserError(f"{out} cannot be written: no permission in {place}; choose another out=")
