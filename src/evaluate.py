"""`python -m src.evaluate checkpoint=FILE data.test='[DIR]' out=DIR`: measure methods, write the report."""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from src.config.command import command
from src.evaluation.config import EvaluateConfig
from src.evaluation.run import Evaluation, evaluate
from src.evaluation.write import check_out, write_results
from src.method.load import load_methods
from src.report.table import component_table, gains, table
from src.store.read import FaceStores
from src.system.devices import pick_device
from src.system.errors import UserError


def show(evaluation: Evaluation) -> None:
    """Print the tables."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    rows, protocol = evaluation.rows, evaluation.protocol
    title = f"{len(rows):,} faces, per-image means, 16x16 to 128x128, protocol {protocol.name}"
    console.print(_drawn(table(rows, protocol), title, left=1))
    for sentence in gains(rows, protocol):
        console.print(sentence, highlight=False, markup=False)
    components = component_table(rows, protocol)
    if components:
        console.print(_drawn(components, "", left=2))


def _drawn(lines: list[list[str]], title: str, left: int) -> Table:
    # `Text`: a name with brackets is no markup.
    drawn = Table(title=Text(title) if title else None)
    for place, words in enumerate(lines[0]):
        drawn.add_column(Text(words), justify="left" if place < left else "right")
    for line in lines[1:]:
        drawn.add_row(*map(Text, line))
    return drawn


def out_folder(config: EvaluateConfig) -> Path:
    """The folder of the report."""
    if config.out is not None:
        return Path(config.out)
    if config.checkpoint is None:
        raise UserError("'out' has no value: with method= add out=DIR, the report's folder")
    checkpoint = Path(config.checkpoint)
    return checkpoint.parent / f"{checkpoint.stem}_evaluation"


@command(config_name="evaluate", schema=EvaluateConfig)
def main(config: EvaluateConfig) -> None:
    """Evaluate, write the report, print the tables."""
    out = out_folder(config)
    check_out(out)
    if not config.data.test:
        raise UserError("data.test is empty: name at least one store, as in data.test='[data/lfw/val]'")
    stores = FaceStores(config.data.test)
    device = pick_device(config.device)
    methods = load_methods(config.named, device, config.weights, config.checkpoint)
    evaluation = evaluate(
        methods, stores, config.protocol, device, config.batch_size, config.faces, config.grid_faces
    )  # fmt: skip
    written = write_results(out, evaluation)
    show(evaluation)
    for path in written:
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
