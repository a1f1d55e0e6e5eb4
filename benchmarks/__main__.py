"""`make bench`: every benchmark, a table, exit code 1 if a target was missed."""

import sys

from rich.console import Console
from rich.table import Table

from benchmarks import demo, pairs, step, store
from benchmarks.report import machine


def main() -> None:
    """Run all and print."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(machine(), highlight=False)
    table = Table()
    for title in ("what", "measured", "unit", "target", "held"):
        table.add_column(title, justify="right" if title == "measured" else "left")
    missed = False
    for figure in (*pairs.run(), *step.run(), *store.run(), *demo.run()):
        held = {True: "yes", False: "NO", None: ""}[figure.held]
        table.add_row(figure.name, f"{figure.value:,.4g}", figure.unit, figure.target, held)
        missed |= figure.held is False
    console.print(table)
    sys.exit(1 if missed else 0)


main()
