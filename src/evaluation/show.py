"""Prints the tables of an evaluation and the files that were written."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from src.evaluation.run import Evaluation
from src.report.faces_file import NO_PARQUET
from src.report.protocol import input_words
from src.report.sections import by_own_size
from src.report.table import component_table, gains, identical, table


def show(evaluation: Evaluation) -> None:
    """Print the tables."""
    rows, protocol = evaluation.rows, evaluation.protocol
    sides = f", {input_words(protocol.misalignment)} to 128x128" if protocol.misalignment else ""
    title = f"{len(rows):,} faces, per-image means{sides}, protocol {protocol.name}"
    print_table(table(rows, protocol), title)
    for sentence in (*gains(rows, protocol), *identical(rows, protocol)):
        _console().print(sentence, highlight=False, markup=False)
    for title, lines in by_own_size(rows, protocol):
        print_table(lines, title, left=2)
    components = component_table(rows, protocol)
    if components:
        print_table(components, "", left=2)


def print_table(lines: Sequence[Sequence[str]], title: str, left: int = 1) -> None:
    """Print one table, header first; its first `left` columns are words."""
    # `Text`: a name with brackets is no markup.
    drawn = Table(title=Text(title) if title else None)
    for place, words in enumerate(lines[0]):
        drawn.add_column(Text(words), justify="left" if place < left else "right", overflow="fold")
    for line in lines[1:]:
        drawn.add_row(*map(Text, line))
    _console().print(drawn)


def tell_written(written: Sequence[Path]) -> None:
    """Print the paths of the files, and what was not written."""
    for path in written:
        sys.stdout.write(f"{path}\n")
    if not any(path.name == "metrics.parquet" for path in written):
        sys.stderr.write(f"note: {NO_PARQUET}\n")


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 140)
