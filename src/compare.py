"""`python -m src.compare DIR... --hr DIR --out DIR`: measure folders of pictures by the metrics of `src.evaluate`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from src.system.command_line import exit_code_of, path_at_home
from src.system.console import show_everything


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m src.compare", description="Measure folders of pictures against the true ones of the same names."
    )
    parser.add_argument(
        "folders", nargs="+", type=path_at_home, metavar="DIR", help="a folder of results for each method"
    )
    parser.add_argument(
        "--hr", required=True, type=path_at_home, metavar="DIR", help="the true pictures, of the same names"
    )
    parser.add_argument(
        "--out",
        type=path_at_home,
        default=Path("outputs/compare"),
        metavar="DIR",
        help="folder of the report; default: outputs/compare",
    )
    parser.add_argument(
        "--landmarks",
        type=path_at_home,
        metavar="FILE.npz",
        help="true landmarks for NME: names (N,), landmarks (N, 68, 2); default: those of the backend on HR",
    )
    parser.add_argument(
        "--metrics",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="costly metrics, by the keys of `metrics` in conf/evaluate.yaml: landmarks=onnx landmarks_weights=DIR",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if there is one")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 2 for a mistake."""
    show_everything()
    values = vars(parser().parse_args(arguments))

    def task() -> int:
        from src.evaluation.compare import Request, compare  # imports torch

        compare(Request(**values))
        return 0

    return exit_code_of(task)


if __name__ == "__main__":
    sys.exit(main())
