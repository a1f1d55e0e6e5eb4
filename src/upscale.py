"""`python -m src.upscale PHOTO...`: the small faces of photographs and videos, or face crops, to upright 128x128 ones.

Plain torch: this never imports the trainer, and imports torch only after it has parsed the command line.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from src.photo.released import RELEASED
from src.system.command_line import exit_code_of, path_at_home
from src.system.console import show_everything

OF_PHOTOGRAPHS: Final = (
    "detector", "detector_weights", "boxes", "any_size", "paste", "scale", "json", "batch", "every", "smooth",
)  # fmt: skip
"""What says nothing to face crops."""


def parser() -> argparse.ArgumentParser:
    """The command line; what is not given is left to `Request` and `PhotoRequest`."""
    parser = argparse.ArgumentParser(
        prog="python -m src.upscale",
        description="Find the small faces of photographs and videos and upscale each to an upright 128x128 face.",
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument
    add("paths", nargs="+", type=path_at_home, metavar="PHOTO", help="photographs and videos, or folders of them")
    add("--out", default=Path("upscaled"), type=path_at_home, metavar="DIR", help="folder of NAME_1.png ... (upscaled)")
    add(
        "--crops",
        action=argparse.BooleanOptionalAction,
        help="the pictures are face crops (they are with --checkpoint)",
    )
    add("--paste", action="store_true", help="write each photograph or video enlarged too, its faces put back in place")
    add("--scale", type=float, metavar="X", help="of --paste (so that the smallest face keeps its 128 pixels)")
    add("--heatmaps", action=argparse.BooleanOptionalAction, help="write heatmaps too (with --crops, unless --no-...)")
    add("--json", action="store_true", help="write NAME.json: boxes, transforms, confidence of each component, seconds")
    add("--any-size", action="store_true", help="take faces of all sizes; larger ones are reduced to the training's")
    add("--overwrite", action="store_true", help="replace files of an earlier run")

    network = parser.add_argument_group("network").add_argument
    network(
        "--method", type=path_at_home, metavar="PATH",
        help="a release's folder, a checkpoint of src.train, a file of src.export, or hub:OWNER/NAME (weights/photo)",
    )  # fmt: skip
    network("--checkpoint", type=path_at_home, metavar="PATH", help="the same, for face crops, unless --no-crops")
    network(
        "--weights", choices=("auto", "averaged", "raw"),
        help="auto: the moving average if the checkpoint has it; raw: the last update",
    )  # fmt: skip
    network("--ema", dest="weights", action="store_const", const="averaged", help="short for --weights averaged")
    network("--raw", dest="weights", action="store_const", const="raw", help="short for --weights raw")
    network(
        "--runtime", choices=("torch", "onnxruntime"),
        help="what computes (torch); onnxruntime: on the CPU, as any .onnx file is",
    )  # fmt: skip
    network("--device", choices=("auto", "cpu", "cuda"), help="auto: a GPU if there is one")
    network("--batch", type=int, metavar="N", help="faces in the network at once (64)")

    faces = parser.add_argument_group("faces").add_argument
    faces("--detector", choices=("centerface", "onnx", "face_alignment"), help="what finds faces (centerface)")
    faces("--detector-weights", type=path_at_home, metavar="DIR", help="folder of its weights")
    faces("--boxes", type=path_at_home, metavar="FILE", help="CSV of the faces: file,x0,y0,x1,y1; no detector")
    faces("--max-pixels", type=int, metavar="N", help="a larger picture is taken for a bomb (89 megapixels)")

    videos = parser.add_argument_group("videos").add_argument
    videos("--every", type=int, metavar="N", help="search every Nth frame for faces (ten frames a second)")
    videos("--smooth", type=float, metavar="S", help="seconds over which faces are steadied, 0 for none (0.1)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 2 for a mistake that stops everything."""
    show_everything()
    line = parser()
    values = vars(line.parse_args(arguments))
    unused = [name for name in OF_PHOTOGRAPHS if name in values]
    if "checkpoint" in values and "method" in values:
        line.error("--method and --checkpoint name the same thing: give one of them")
    # A checkpoint alone takes face crops, as before photographs were taken.
    crops = values.pop("crops", "checkpoint" in values and not unused)
    values["checkpoint"] = values.pop("method", values.get("checkpoint", RELEASED))
    if crops and unused:
        line.error(f"--{unused[0].replace('_', '-')} is for photographs: leave it or --crops out")
    if "scale" in values and "paste" not in values:
        line.error("--scale is of --paste: add that")

    def task() -> int:
        if crops:
            from src.photo.run import Request, upscale  # imports torch

            return upscale(Request(**values))
        from src.photo.photographs import upscale_photographs
        from src.photo.request import PhotoRequest

        return upscale_photographs(PhotoRequest(**values))

    return exit_code_of(task)


if __name__ == "__main__":
    sys.exit(main())
