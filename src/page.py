"""`python -m src.page`: a web page on this machine, for the faces of photographs and for the limits of the network.

Torch and Gradio are imported only after the command line is parsed.
"""

import argparse
import sys
from collections.abc import Sequence

from src.system.command_line import exit_code_of, path_at_home
from src.system.console import show_everything


def parser() -> argparse.ArgumentParser:
    """The command line; what is not given is left to `PageRequest`."""
    parser = argparse.ArgumentParser(
        prog="python -m src.page",
        description="Serve a web page on this machine: upscale the faces of a photograph, try the network's limits.",
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument
    add(
        "--method", type=path_at_home, metavar="PATH",
        help="a release's folder, a checkpoint of src.train, a file of src.export, or hub:OWNER/NAME (weights/photo)",
    )  # fmt: skip
    add(
        "--weights", choices=("auto", "averaged", "raw"),
        help="auto: the moving average if the checkpoint has it; raw: the last update",
    )  # fmt: skip
    add("--device", choices=("auto", "cpu", "cuda"), help="auto: a GPU if there is one")
    add("--port", type=int, metavar="N", help="port of the page (the first free one from 7860)")
    add(
        "--host", metavar="NAME",
        help="address to serve on; others than 127.* and ::1 let other machines in (127.0.0.1)",
    )  # fmt: skip
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; the exit code is 2 for a mistake."""
    show_everything()
    line = parser()
    values = vars(line.parse_args(arguments))
    if not 1 <= values.get("port", 1) <= 65535:
        line.error(f"--port {values['port']}: 1 to 65535")

    def task() -> int:
        from src.webpage.serve import PageRequest, serve  # imports torch

        return serve(PageRequest(**values))

    return exit_code_of(task)


if __name__ == "__main__":
    sys.exit(main())
