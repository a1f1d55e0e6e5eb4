"""A release: a folder with a trained generator for others to use. Nothing in it is ever unpickled.

model.safetensors   the generator's tensors, float32 or bfloat16
config.json         its configuration, and how it was trained
README.md           the card, for people
SHA256SUMS          checksums of the three, as `sha256sum` writes them
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from src.model.checkpoint import Checkpoint, Weights, build_generator, load_checkpoint, load_tensors
from src.system.errors import UserError, reason_of
from src.system.files import write_whole

LAYOUT: Final = 1
"""Version of the folder's content."""
MODEL: Final = "model.safetensors"
CONFIG: Final = "config.json"
CARD: Final = "README.md"
SUMS: Final = "SHA256SUMS"
KEYS: Final = {"layout", "training", "epoch", "iterations", "weights"}
TRAINING: Final = ("name", "seed", "model", "data", "loss", "optimizer", "ema")
"""What of a run's configuration others can use; the rest belongs to the machine."""
OF_THE_MACHINE: Final = ("train", "val", "synthetic", "workers")
Precision = Literal["float32", "bfloat16"]
AGAIN: Final = "copy or download it again"


def is_release(path: Path) -> bool:
    """Whether a path is a folder that means to be a release."""
    return path.is_dir() and ((path / CONFIG).exists() or (path / SUMS).exists())


def load_generator(path: str | Path, weights: Weights = "auto") -> Checkpoint:
    """The trained generator of a release's folder or of a checkpoint file.

    Args:
        path: the folder or the file.
        weights: which of a checkpoint's generators; a release has one.

    Raises:
        UserError: `load_release` or `load_checkpoint` refuses it, or a release does not have the weights asked for.
    """
    path = Path(path)
    if not is_release(path):
        return load_checkpoint(path, weights)
    release = load_release(path)
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
    values = _config(folder / CONFIG)
    training = values["training"]
    config, generator = build_generator(folder / CONFIG, training["model"]["generator"])
    path = folder / MODEL
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is damaged ({reason_of(error)}); {AGAIN}") from None
    load_tensors(path, generator, tensors)
    return Checkpoint(path, generator, config, training, values["epoch"], values["iterations"], values["weights"])


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


def _config(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON ({reason_of(error)}); {AGAIN}") from None
    if not isinstance(values, dict) or values.get("layout") != LAYOUT:
        raise UserError(f"{path} is not of layout {LAYOUT}, which this version reads; update mtun, or {AGAIN}")
    if set(values) != KEYS:
        raise UserError(f"{path}: its keys are {sorted(values)}, not {sorted(KEYS)}; {AGAIN}")
    training = values["training"]
    unknown = set(training) - set(TRAINING) if isinstance(training, dict) else {"training"}
    model = None if unknown else training.get("model")
    if unknown or not isinstance(model, dict) or not isinstance(model.get("generator"), dict):
        raise UserError(f"{path}: its training configuration is not one of a release ({sorted(unknown)}); {AGAIN}")
    counts = (values["epoch"], values["iterations"])
    if values["weights"] not in ("averaged", "raw") or not all(isinstance(count, int | None) for count in counts):
        raise UserError(f"{path}: weights, epoch or iterations are of the wrong kind; {AGAIN}")
    return values


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
    dtype = getattr(torch, precision)
    weights = {name for name, _ in checkpoint.generator.named_parameters()}
    tensors = {
        name: (tensor.to(dtype) if name in weights else tensor).contiguous()
        for name, tensor in checkpoint.generator.state_dict().items()
    }
    values = {
        "layout": LAYOUT,
        "training": _for_others(checkpoint.training),
        "epoch": checkpoint.epoch,
        "iterations": checkpoint.iterations,
        "weights": checkpoint.weights,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMS).unlink(missing_ok=True)
    contents = {MODEL: save(tensors), CONFIG: f"{json.dumps(values, indent=2)}\n".encode(), CARD: card.encode()}
    for name, content in contents.items():
        write_whole(folder / name, content)
    sums = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in contents.items())
    write_whole(folder / SUMS, "".join(sums))


def _for_others(training: Mapping[str, Any]) -> dict[str, Any]:
    """A run's configuration without what belongs to the machine it ran on: stores, workers and paths."""
    kept = {key: training[key] for key in TRAINING if key in training}
    if isinstance(kept.get("data"), dict):
        kept["data"] = {key: value for key, value in kept["data"].items() if key not in OF_THE_MACHINE}
    feature = kept.get("loss", {}).get("feature") if isinstance(kept.get("loss"), dict) else None
    if isinstance(feature, dict) and isinstance(feature.get("weights"), str):
        kept["loss"] = {**kept["loss"], "feature": {**feature, "weights": Path(feature["weights"]).name}}
    return kept
