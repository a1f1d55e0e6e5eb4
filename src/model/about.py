"""What a file with a trained generator says of it beside its tensors: configuration, training, epoch; plain values."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from torch import nn

from src.model.checkpoint import Checkpoint, build_generator
from src.model.config import GeneratorConfig
from src.system.errors import UserError, reason_of

LAYOUT: Final = 1
"""Version of these values."""
KEY: Final = "mtun"
"""Their name among the metadata of a single file."""
KEYS: Final = {"layout", "training", "epoch", "iterations", "weights"}
TRAINING: Final = ("name", "seed", "model", "data", "loss", "optimizer", "ema")
"""What of a run's configuration others can use; the rest belongs to the machine."""
OF_THE_MACHINE: Final = ("train", "val", "synthetic", "workers")
AGAIN: Final = "copy or download it again"


def about(checkpoint: Checkpoint) -> dict[str, Any]:
    """What others can use of a checkpoint beside its tensors; no path of the machine it was trained on."""
    return {
        "layout": LAYOUT,
        "training": _for_others(checkpoint.training),
        "epoch": checkpoint.epoch,
        "iterations": checkpoint.iterations,
        "weights": checkpoint.weights,
    }


def read_about(path: Path, text: str) -> dict[str, Any]:
    """The values of `about` from JSON, checked.

    Args:
        path: the file that holds them, for messages.
        text: the JSON.

    Raises:
        UserError: it is no JSON, of another layout, or has other keys or values of the wrong kind.
    """
    try:
        values = json.loads(text)
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


def unloaded(path: Path, values: Mapping[str, Any]) -> Checkpoint:
    """A checkpoint of the values of `read_about`, whose generator has no weights yet: its tensors are on "meta".

    Raises:
        UserError: the configuration does not build.
    """
    built: tuple[GeneratorConfig, nn.Module] = build_generator(path, values["training"]["model"]["generator"])
    config, generator = built
    return Checkpoint(
        path, generator, config, values["training"], values["epoch"], values["iterations"], values["weights"]
    )


def _for_others(training: Mapping[str, Any]) -> dict[str, Any]:
    """A run's configuration without what belongs to the machine it ran on: stores, workers and paths."""
    kept = {key: training[key] for key in TRAINING if key in training}
    if isinstance(kept.get("data"), dict):
        kept["data"] = {key: value for key, value in kept["data"].items() if key not in OF_THE_MACHINE}
    feature = kept.get("loss", {}).get("feature") if isinstance(kept.get("loss"), dict) else None
    if isinstance(feature, dict) and isinstance(feature.get("weights"), str):
        kept["loss"] = {**kept["loss"], "feature": {**feature, "weights": Path(feature["weights"]).name}}
    return kept
