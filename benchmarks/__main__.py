"""`make bench`: runs all or the named benchmarks (`python -m benchmarks prepare landmarks`) and prints a table.

The exit code is 1 if a target was missed.
"""

import importlib
import sys

from rich.console import Console
from rich.table import Table

from benchmarks.report import Figure, machine
from src.system.console import show_everything

# The longest comes last.
NAMES = (
    "throughput", "baselines", "export", "photo", "dictionaries", "memory", "step", "pairs", "prepare", "landmarks",
    "visibility", "store", "fill", "demo",
)  # fmt: skip


def main() -> None:
    """Run the benchmarks and print the table."""
    show_everything()
    chosen = sys.argv[1:] or list(NAMES)
    unknown = [name for name in chosen if name not in NAMES]
    if unknown:
        sys.exit(f"error: there is no benchmark {unknown[0]}; there are {', '.join(NAMES)}")
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(machine(), highlight=False)
    table = Table()
    for title in ("figure", "measured", "unit", "target", "met"):
        table.add_column(title, justify="right" if title == "measured" else "left")
    missed = False
    for name in chosen:
        figures: list[Figure] = importlib.import_module(f"benchmarks.{name}").run()
        for figure in figures:
            held = {True: "yes", False: "NO", None: ""}[figure.held]
            table.add_row(figure.name, f"{figure.value:,.4g}", figure.unit, figure.target, held)
            missed |= figure.held is False
    console.print(table)
    sys.exit(1 if missed else 0)


main()
