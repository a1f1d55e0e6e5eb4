"""`python -m src.upscale PATH... --checkpoint FILE --out DIR`: face crops to upright 128x128 faces.

Plain torch: nothing of the trainer is imported.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from src.image.decode import SUFFIXES, read_image
from src.image.pixels import downsample, to_bytes, to_network
from src.image.sides import LR_SIDE
from src.model.checkpoint import load_checkpoint
from src.model.output import Upscaled
from src.report.grid import overlay
from src.system.errors import UserError

EXIT_SOME_FAILED, EXIT_USER_ERROR = 1, 2


def to_lr(image: NDArray[np.uint8]) -> Tensor:
    """A face crop of any size as the network's input: padded with black to a centred square, then reduced.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        (1, 3, 16, 16) in [-1, 1]; the crop itself where it is 16x16 already.
    """
    tensor = to_network(torch.from_numpy(image)[None])  # (1, 3, H, W)
    height, width = image.shape[:2]
    side = max(height, width)
    left, top = (side - width) // 2, (side - height) // 2
    square = F.pad(tensor, (left, side - width - left, top, side - height - top), value=-1.0)
    return square if side == LR_SIDE else downsample(square, LR_SIDE)


def find_images(paths: Sequence[Path]) -> Iterator[Path | UserError]:
    """Every file that was named and every picture in the folders (not in theirs), in name order, each once."""
    seen: set[Path] = set()
    for path in paths:
        found: list[Path | UserError] = [path]
        if path.is_dir():
            found = [*sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())]
            found = found or [UserError(f"{path}: no picture in this folder ({', '.join(sorted(SUFFIXES))})")]
        for image in found:
            if isinstance(image, Path):
                if image.resolve() in seen:
                    continue
                seen.add(image.resolve())
            yield image


class Names:
    """Deals out output names: `NAME.png` and `NAME_heatmaps.png`, with `_2`, `_3` ... where NAME is taken already."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def claim(self, stem: str) -> str:
        """A name whose files nobody else of this run writes."""
        number, name = 1, stem
        # Folded: some file systems don't tell A.png from a.png.
        while not self._taken.isdisjoint(wanted := {f"{name}.png".casefold(), f"{name}_heatmaps.png".casefold()}):
            number += 1
            name = f"{stem}_{number}"
        self._taken |= wanted
        return name


def save(pictures: dict[Path, Tensor], inputs: set[Path], overwrite: bool) -> None:
    """Write (1, 3, H, W) in [-1, 1] as 8-bit PNGs, each under a temporary name first.

    Raises:
        UserError: a file is there already, or is one of the inputs (then none is written), or cannot be written.
    """
    for path in pictures:
        if path.resolve() in inputs:
            raise UserError(f"{path} is an input and stays as it is; choose another --out")
        if path.exists() and not overwrite:
            raise UserError(f"{path} is there already; --overwrite replaces it")
    for path, image in pictures.items():
        png = BytesIO()
        Image.fromarray(to_bytes(image)[0].cpu().numpy()).save(png, "PNG")
        temporary = path.with_name(f".{path.name}.partial")
        try:
            temporary.write_bytes(png.getvalue())
            os.replace(temporary, path)  # noqa: PTH105 - the atomic rename is the point
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise UserError(f"{path} cannot be written: {error.strerror or error}") from None


def upscale(arguments: argparse.Namespace) -> int:
    """Upscale what was named; the exit code: 0, or 1 if any picture failed.

    Raises:
        UserError: nothing can be done at all: the checkpoint, the device or the output folder.
    """
    checkpoint = load_checkpoint(arguments.checkpoint, arguments.weights)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: torch sees no GPU here; use --device cpu")
    gpu = arguments.device != "cpu" and torch.cuda.is_available()
    generator = checkpoint.generator.to("cuda" if gpu else "cpu")
    out: Path = arguments.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out} cannot be made: {error.strerror or error}") from None
    heatmaps = arguments.heatmaps and checkpoint.config.heb.enabled
    if arguments.heatmaps and not heatmaps:
        _warn("the checkpoint has no heatmap branch: no heatmaps are written")

    found = list(find_images(arguments.paths))
    inputs = {path.resolve() for path in found if isinstance(path, Path)}
    names, failed = Names(), 0
    for path in found:
        try:
            if isinstance(path, UserError):
                raise path
            name = names.claim(path.stem)
            image = read_image(path)
            if max(image.shape[:2]) < LR_SIDE:
                _warn(f"{path}: {image.shape[1]}x{image.shape[0]} is below {LR_SIDE}x{LR_SIDE}, enlarged first")
            with torch.inference_mode():
                output: Upscaled = generator(to_lr(image).to("cuda" if gpu else "cpu"))
            pictures = {out / f"{name}.png": output.image}
            if heatmaps:
                pictures[out / f"{name}_heatmaps.png"] = overlay(output.image, output.heatmaps[-1])
            save(pictures, inputs, arguments.overwrite)
            sys.stdout.write(f"{path} > {out / f'{name}.png'}\n")
            sys.stdout.flush()
        except UserError as error:
            failed += 1
            _say(f"error: {error}")
    if failed:
        _say(f"{failed} of {len(found)} failed")
    return EXIT_SOME_FAILED if failed else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m src.upscale", description="Upscale face crops to upright 128x128 faces."
    )
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="face crops of any size, or folders of them"
    )
    parser.add_argument("--checkpoint", required=True, type=Path, metavar="FILE", help="what src.train wrote")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="folder for NAME.png and NAME_heatmaps.png"
    )
    parser.add_argument(
        "--weights",
        choices=("auto", "averaged", "raw"),
        default="auto",
        help="auto: the moving average where the checkpoint has it; raw: the last update",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if there is one")
    parser.add_argument(
        "--heatmaps", action=argparse.BooleanOptionalAction, default=True, help="write the heatmaps too"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files of an earlier run")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 2 for a mistake that stops everything."""
    try:
        return upscale(parser().parse_args(arguments))
    except UserError as error:
        _say(f"error: {error}")
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        return 130


def _warn(text: str) -> None:
    _say(f"warning: {text}")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
