"""`python -m src.evaluate checkpoint=FILE data.test='[DIR,...]' out=DIR`: measure a checkpoint on stores of faces."""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from src.config.command import command
from src.evaluation.config import EvaluateConfig
from src.evaluation.run import evaluate
from src.evaluation.write import check_out, write_results
from src.model.checkpoint import load_checkpoint
from src.report.scores import METHODS, Summary, summarise
from src.report.table import TITLES, cells, gain_words, mean_words, number
from src.store.read import FaceStores
from src.system.devices import pick_device
from src.system.errors import UserError


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
