"""`python -m src.evaluate checkpoint=FILE data.test='[DIR,...]' out=DIR`: measure a checkpoint on stores of faces."""

import os
import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from rich.console import Console
from rich.table import Table

from src.config.command import command
from src.data.config import Stores
from src.evaluation import Evaluation, evaluate, pick_device
from src.model.checkpoint import Weights, load_checkpoint
from src.report.faces import METHODS, Summary, faces_csv, summarise
from src.report.table import TITLES, cells, gain_words, mean_words, metrics_json, number, report_md
from src.store.read import FaceStores
from src.system.errors import UserError


@dataclass(frozen=True)
class EvaluateData:
    """What is measured on."""

    test: Stores
    """Stores of faces; with several, the report has a table for each and one for all."""


@dataclass(frozen=True)
class EvaluateConfig:
    """What `conf/evaluate.yaml` composes to."""

    checkpoint: str
    """A checkpoint that src.train wrote."""
    data: EvaluateData
    out: str | None = None
    """Folder of the report; null: NAME_evaluation beside the checkpoint NAME.ckpt."""
    batch_size: int = 32
    """Faces at a time, 1 or more; the numbers do not depend on it."""
    weights: Weights = "auto"
    """averaged: the generator's moving average; raw: its last update; auto: averaged where the checkpoint has it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: a GPU where there is one."""
    faces: int | None = None
    """At most so many faces, spread evenly over the stores; null: all."""
    grid_faces: int = 8
    """Rows of grid.png, spread evenly, 1-64."""

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, not {self.batch_size}")
        if self.faces is not None and self.faces < 1:
            raise ValueError(f"faces must be 1 or more, or null for all, not {self.faces}")
        if not 1 <= self.grid_faces <= 64:
            raise ValueError(f"grid_faces must be 1-64, not {self.grid_faces}")


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


def show(summary: Summary) -> None:
    """The table on stdout."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table(title=f"{summary.faces:,} faces, per-image means, 16x16 unaligned > 128x128")
    table.add_column("method")
    for title in TITLES.values():
        table.add_column(title, justify="right")
    for method, words in METHODS.items():
        table.add_row(words, *cells(summary, method))
    console.print(table)
    console.print(gain_words(summary), highlight=False)
    if summary.peak_px:
        few = summary.peak_px if len(summary.peak_px) <= 8 else {}
        each = ", ".join(f"{name} {number(mean, 2)}" for name, mean in few.items())
        console.print(
            f"Heatmap peak error: {mean_words(summary.peak_px)} px{f' ({each})' if each else ''}", highlight=False
        )
    if summary.angle_error_deg is not None:
        console.print(f"Angle error of the STN: {number(summary.angle_error_deg, 2)} degrees", highlight=False)


@command(config_name="evaluate", schema=EvaluateConfig)
def main(config: EvaluateConfig) -> None:
    """Evaluate, write the report, print the table."""
    checkpoint_path = Path(config.checkpoint)
    out = Path(config.out or checkpoint_path.parent / f"{checkpoint_path.stem}_evaluation")
    check_out(out)
    if not config.data.test:
        raise UserError("data.test is empty: name at least one store, as in data.test='[data/lfw/val]'")
    stores = FaceStores(config.data.test)
    device = pick_device(config.device)
    checkpoint = load_checkpoint(checkpoint_path, config.weights)
    evaluation = evaluate(checkpoint, stores, device, config.batch_size, config.faces, config.grid_faces)
    written = write_results(out, evaluation)
    show(summarise(evaluation.rows))
    for path in written:
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
