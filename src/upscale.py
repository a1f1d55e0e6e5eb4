"""`python -m src.upscale PATH... --checkpoint FILE --out DIR`: face crops to upright 128x128 faces.

Plain torch: this never imports the trainer, and imports torch only after it has parsed the command line.
"""

import argparse
import sys
from collections.abc import Sequence

from src.system.command_line import exit_code_of, path_at_home
from src.system.console import show_everything


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m src.upscale", description="Upscale face crops to upright 128x128 faces."
    )
    parser.add_argument(
        "paths", nargs="+", type=path_at_home, metavar="PATH", help="face crops of any size, or folders of them"
    )
    parser.add_argument(
        "--checkpoint",
        required=True,
        type=path_at_home,
        metavar="FILE",
        help="checkpoint of src.train, or a release",
    )
    parser.add_argument(
        "--out", required=True, type=path_at_home, metavar="DIR", help="folder for NAME.png and NAME_heatmaps.png"
    )
    parser.add_argument(
        "--weights",
        choices=("auto", "averaged", "raw"),
        default="auto",
        help="auto: the moving average if the checkpoint has it; raw: the last update",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if there is one")
    parser.add_argument(
        "--heatmaps", action=argparse.BooleanOptionalAction, default=True, help="write the heatmaps too"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files of an earlier run")
    parser.add_argument(
        "--max-pixels",
        type=int,
        default=argparse.SUPPRESS,  # that of `Request`
        metavar="N",
        help="a larger picture is taken for a decompression bomb (89 megapixels)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 2 for a mistake that stops everything."""
    show_everything()
    values = vars(parser().parse_args(arguments))

    def task() -> int:
        from src.photo.run import Request, upscale  # imports torch

        return upscale(Request(**values))

    return exit_code_of(task)


if __name__ == "__main__":
    sys.exit(main())
