"""A release: a folder with a trained generator for others to use. Nothing in it is ever unpickled.

model.safetensors   the generator's tensors, float32 or bfloat16
config.json         its configuration, and how it was trained
README.md           the card, for people
SHA256SUMS          checksums of the three, as `sha256sum` writes them
"""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from safetensors.torch import save

from src.model import program_file
from src.model.about import AGAIN, about, read_about, unloaded
from src.model.checkpoint import Checkpoint, Weights, load_checkpoint, load_tensors
from src.model.single import SUFFIX, Precision, load_single, tensors_for, tensors_of
from src.system.errors import UserError, reason_of
from src.system.files import utf8, write_whole

MODEL: Final = "model.safetensors"
CONFIG: Final = "config.json"
CARD: Final = "README.md"
SUMS: Final = "SHA256SUMS"


def is_release(path: Path) -> bool:
    """Whether a path is a folder that means to be a release."""
    return path.is_dir() and ((path / CONFIG).exists() or (path / SUMS).exists())


def load_generator(path: str | Path, weights: Weights = "auto") -> Checkpoint:
    """The trained generator of a release's folder, of a `.safetensors` or `.pt2` file, or of a checkpoint.

    Args:
        path: the folder or the file.
        weights: which of a checkpoint's generators; a release has one.

    Raises:
        UserError: the function for its kind refuses it, or it does not have the weights asked for.
    """
    path = Path(path)
    if is_release(path):
        release = load_release(path)
    elif path.suffix == SUFFIX:
        release = load_single(path)
    elif path.suffix == program_file.SUFFIX:
        release = program_file.load_program(path)
    else:
        return load_checkpoint(path, weights)
    if weights not in ("auto", release.weights):
        raise UserError(f"{path} holds {release.weights} weights alone: leave out weights={weights}")
    return release


def load_release(folder: Path) -> Checkpoint:
    """The generator of a release, whose checksums are verified first.

    Raises:
        UserError: a file is missing, damaged or does not fit its checksum, the configuration has other keys or does
            not build, or a tensor is missing, left over, not finite or of another shape.
    """
    verify(folder)
    path = folder / MODEL
    checkpoint = unloaded(folder / CONFIG, _values(folder / CONFIG))
    load_tensors(path, checkpoint.generator, tensors_of(path))
    return replace(checkpoint, path=path)


def _values(path: Path) -> dict[str, Any]:
    try:
        return read_about(path, path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no JSON ({reason_of(error)}); {AGAIN}") from None


def verify(folder: Path) -> None:
    """UserError unless the folder's files are there and fit their checksums."""
    sums = folder / SUMS
    try:
        lines = sums.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{sums} cannot be read ({reason_of(error)}): {folder} is no whole release; {AGAIN}") from None
    matches = (re.fullmatch(r"([0-9a-f]{64}) [ *](\S+)", line) for line in lines)
    found = {match[2]: match[1] for match in matches if match}
    for name in (MODEL, CONFIG, CARD):
        if name not in found:
            raise UserError(f"{sums} has no line for {name}; {AGAIN}")
        try:
            with (folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UserError(f"{folder / name} cannot be read ({reason_of(error)}); {AGAIN}") from None
        if digest != found[name]:
            raise UserError(f"{folder / name} does not fit its checksum in {SUMS}: it is damaged or changed; {AGAIN}")


def write_release(checkpoint: Checkpoint, folder: Path, card: str, precision: Precision = "float32") -> None:
    """Write or replace a release; the checksums come last, so that a folder without them is not whole.

    Args:
        checkpoint: the trained generator.
        folder: made if it is not there.
        card: the text of README.md.
        precision: of the weights; statistics of batch normalisation stay float32.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMS).unlink(missing_ok=True)
    config = f"{json.dumps(about(checkpoint), indent=2)}\n"
    contents = {MODEL: save(tensors_for(checkpoint, precision)), CONFIG: config.encode(), CARD: utf8(card)}
    for name, content in contents.items():
        write_whole(folder / name, content)
    sums = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in contents.items())
    write_whole(folder / SUMS, "".join(sums))
