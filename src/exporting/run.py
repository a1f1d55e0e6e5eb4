"""Exports a generator: makes the content, compares it with eager torch, and only then writes it."""

import copy
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from src.exporting.average import soup, with_aligner
from src.exporting.card import card_of
from src.exporting.config import ExportConfig
from src.exporting.faces import Faces, random_faces, store_faces
from src.exporting.formats import onnx_content, onnx_run, program_content, release_run, single_content
from src.exporting.parity import differences, mean_psnr, outputs, refuse, words
from src.exporting.quantise import quantised
from src.method.onnx import SUFFIX as ONNX
from src.method.trained import load_trained
from src.model.checkpoint import Checkpoint
from src.model.hub import push
from src.model.output import Upscaled
from src.model.release import is_release, load_generator, write_release
from src.model.single import Precision, tensors_for
from src.system.errors import UserError
from src.system.files import write_whole

CPU = torch.device("cpu")
CALIBRATION_SEED = 1
"""Of the draws for the calibration of int8; those of the check have seed 0."""


def export(config: ExportConfig) -> Iterator[str]:
    """Write what the configuration asks for; the lines say what was measured and written.

    Raises:
        UserError: the generator or the stores cannot be read, the export differs from eager torch, int8 or bfloat16
            costs too much, or `out` is there already or cannot be written.
    """
    out = Path(config.out)
    check_out(out, config)
    for given in (config.checkpoint, config.aligner or "", config.soup or ""):
        if given.endswith(ONNX):
            raise UserError(f"{given} is an export: give the checkpoint or release that it was made from")
    method = load_trained(Path(config.checkpoint), CPU, config.weights)
    stores, checkpoint = config.data.test, method.checkpoint
    if config.aligner is not None:
        other, share = load_generator(config.aligner, config.weights), config.aligner_share
        checkpoint = with_aligner(checkpoint, other, share)
        yield f"aligner: {1 - share:.3g} of its own weights, {share:.3g} of those in {config.aligner}"
    if config.soup is not None:
        checkpoint = soup(checkpoint, load_generator(config.soup, config.weights), config.soup_share)
        yield f"soup: {1 - config.soup_share:g} of its own weights, {config.soup_share:g} of those in {config.soup}"
    faces = store_faces(method, stores, config.faces, 0) if stores else random_faces(method.lr_side, config.faces)
    eager = outputs(checkpoint.generator, faces.lr)
    if config.precision != "float32":
        smaller = rounded(checkpoint, config.precision)
        before, eager = eager, outputs(smaller.generator, faces.lr)
        yield from cost(config.precision, before, eager, faces, config.most_cost)

    content, card = b"", ""
    match config.format:
        case "onnx":
            content, run = onnx_content(out, checkpoint, config.uint8)
        case "torch_export":
            content, run = program_content(checkpoint, config.uint8)
        case "safetensors":
            content, run = single_content(checkpoint, config.precision)
        case "release":
            card = card_of(method, config.card, config.evaluations)
            run = release_run(checkpoint, card, config.precision)
    found = differences(eager, outputs(run, faces.lr), config.tolerance, config.uint8)
    yield from (f"{line}, over {faces.words}" for line in words(found))
    refuse(found)
    if config.int8:
        content = quantised(content, store_faces(method, stores, config.faces, CALIBRATION_SEED).lr, config.uint8)
        after = outputs(onnx_run(out, content, checkpoint), faces.lr)
        yield from cost("int8", eager, after, faces, config.most_cost)

    try:
        if config.format == "release":
            write_release(checkpoint, out, card, config.precision)
        else:
            out.parent.mkdir(parents=True, exist_ok=True)
            write_whole(out, content)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}; choose another out=") from None
    size = len(content) or sum(file.stat().st_size for file in out.iterdir())
    yield f"{out}: {size:,} bytes"
    if config.push is not None:
        yield f"pushed: {push(out, config.push)}"


def check_out(out: Path, config: ExportConfig) -> None:
    """UserError before the work begins if `out` is there already, or could not be written."""
    if config.format == "release":
        if out.exists() and not out.is_dir():
            raise UserError(f"{out} is a file: format=release needs a folder; choose another out=")
        if out.is_dir() and any(out.iterdir()):
            if not is_release(out):
                raise UserError(f"{out} holds other files: choose an empty folder, or a new one, for out=")
            if not config.overwrite:
                raise UserError(f"{out} holds a release already: choose another out=, or add overwrite=true")
    elif out.is_dir():
        raise UserError(f"{out} is a folder: format={config.format} needs a file; choose another out=")
    elif out.exists() and not config.overwrite:
        raise UserError(f"{out} is there already: choose another out=, or add overwrite=true")
    place = next(folder for folder in (out, *out.absolute().parents) if folder.is_dir() or folder.is_file())
    if place.is_file() and place != out:
        raise UserError(f"{out} cannot be written: {place} is a file; choose another out=")
    if not os.access(place, os.W_OK):
        raise UserError(f"{out} cannot be written: no permission in {place}; choose another out=")


def rounded(checkpoint: Checkpoint, precision: Precision) -> Checkpoint:
    """A copy whose weights have lost what a precision cannot hold."""
    generator = copy.deepcopy(checkpoint.generator)
    generator.load_state_dict({name: value.float() for name, value in tensors_for(checkpoint, precision).items()})
    return replace(checkpoint, generator=generator)


def cost(what: str, before: Upscaled, after: Upscaled, faces: Faces, most: float) -> Iterator[str]:
    """What a precision costs in PSNR on faces whose truth is known, in a line.

    Raises:
        UserError: it costs more than `most` dB.
    """
    between = mean_psnr(after, before.image.clamp(-1, 1))
    if faces.hr is None:
        yield f"{what}: {between:.2f} dB between it and float32, over {faces.words}"
        return
    full, less = mean_psnr(before, faces.hr), mean_psnr(after, faces.hr)
    yield (
        f"{what}: PSNR {less:.3f} dB, float32 {full:.3f} dB, cost {full - less:.3f} dB, over {faces.words}; "
        f"{between:.2f} dB between the two"
    )
    if not full - less <= most:
        raise UserError(f"nothing is written: {what} costs {full - less:.3f} dB, {most:g} are allowed (most_cost=)")
