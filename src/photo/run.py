"""Upscales pictures to upright 128x128 faces on disk, one by one; a bad picture does not stop the others."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from src.image.decode import MAX_PIXELS, read_image
from src.image.sides import LR_SIDE
from src.method.method import Network, Runtime
from src.method.network import named_network
from src.model.checkpoint import Weights
from src.photo.inputs import find_images, to_lr
from src.photo.outputs import Names, save
from src.report.grid import overlay
from src.system.devices import pick_device
from src.system.errors import UserError, in_one_line

EXIT_SOME_FAILED = 1


@dataclass(frozen=True)
class Request:
    """The command's arguments.

    Attributes:
        paths: pictures, or folders of them.
        checkpoint: the network, see `named_network`.
        out: folder of the results.
        weights: which of the checkpoint's weights.
        runtime: what computes the network.
        device: "auto", "cpu" or "cuda".
        heatmaps: write the heatmaps too, if the method has any.
        overwrite: replace files of an earlier run.
        max_pixels: a larger picture is taken for a decompression bomb and fails.
    """

    paths: Sequence[Path]
    checkpoint: Path
    out: Path
    weights: Weights = "auto"
    runtime: Runtime = "torch"
    device: str = "auto"
    heatmaps: bool = True
    overwrite: bool = False
    max_pixels: int = MAX_PIXELS


def upscale(request: Request) -> int:
    """Upscale the named pictures; the exit code is 0, or 1 if any picture failed.

    Raises:
        UserError: the checkpoint, the device or the output folder is not usable.
    """
    device = pick_device(request.device, "--device ")
    method = named_network(request.checkpoint, device, request.weights, request.runtime)
    out = request.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out} cannot be made: {error.strerror or error}") from None
    heatmaps = request.heatmaps and method.heatmap_side is not None
    if request.heatmaps and not heatmaps:
        warn("the checkpoint has no heatmap branch: no heatmaps are written")

    every = find_images(request.paths, "a video is no face crop: leave --crops out, or add --no-crops")
    for remark in every.remarks:
        warn(remark)
    found = every.pictures
    inputs = {path.resolve() for path in found if isinstance(path, Path)}
    names, failed = Names(), 0
    for path in found:
        try:
            if isinstance(path, UserError):
                raise path
            name = names.claim(path.stem)
            image = read_image(path, request.max_pixels, partial(_warn_of, path))
            for remark in _of_size(image.shape[1], image.shape[0], method):
                warn(f"{path}: {remark}")
            with torch.inference_mode():
                output = method(to_lr(image, method.lr_side, method.own_size).to(device))
            pictures = {out / f"{name}.png": output.image}
            if heatmaps:
                pictures[out / f"{name}_heatmaps.png"] = overlay(output.image, output.heatmaps[-1])
            save(pictures, inputs, request.overwrite)
            sys.stdout.write(in_one_line(f"{path} > {out / f'{name}.png'}") + "\n")
            sys.stdout.flush()
        except UserError as error:
            failed += 1
            say(f"error: {error}")
    if failed:
        say(f"{failed} of {len(found)} failed")
    return EXIT_SOME_FAILED if failed else 0


def _of_size(width: int, height: int, method: Network) -> Iterator[str]:
    """What to say of a picture whose size the network does not take as it is."""
    own = max(width, height)
    if method.lr_side == LR_SIDE:
        if own < LR_SIDE:
            yield f"{width}x{height} is below {LR_SIDE}x{LR_SIDE}, enlarged first"
    elif method.own_size is not None and not method.own_size[0] <= own <= method.own_size[1]:
        low, high = method.own_size
        told = low if own < low else high
        yield f"{width}x{height} is not among the {low} to {high} px of the training: taken as a face of {told} px"


def warn(text: str) -> None:
    """Show a warning."""
    say(f"warning: {text}")


def _warn_of(path: Path, remark: str) -> None:
    warn(f"{path}: {remark}")


def say(line: str) -> None:
    """Show a line on stderr, beside the results on stdout."""
    sys.stderr.write(in_one_line(line) + "\n")
    sys.stderr.flush()
