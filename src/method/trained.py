"""A checkpoint that `src.train` wrote, as a method."""

import functools
import hashlib
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from src.data.batch import HeatmapConfig
from src.data.pairs import MisalignmentConfig
from src.face.points import COMPONENTS
from src.method.method import Facts
from src.model.checkpoint import Checkpoint, Weights
from src.model.output import Upscaled
from src.model.parameters import parameter_count
from src.model.release import load_generator
from src.model.stn0 import STN0Config
from src.system.errors import UserError
from src.system.plain import from_plain


class Trained:
    """The generator of a checkpoint, on a device.

    Args:
        checkpoint: as read from the file.
        device: where it computes.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self.checkpoint = checkpoint
        self.generator = checkpoint.generator.to(device)
        experiment = _experiment(checkpoint)
        self.name = re.sub(r"\W+", "_", experiment or "").strip("_") or checkpoint.path.stem
        network = checkpoint.config.title
        # An experiment that is called as its network says nothing new.
        self.title = network if experiment in (None, checkpoint.config.name) else f"{network}, {experiment}"

    @functools.cached_property
    def facts(self) -> Facts:
        """See `Method`; read from the checkpoint when first asked for.

        Raises:
            UserError: the checkpoint's training configuration does not fit its network.
        """
        return _facts(self.checkpoint)

    def __call__(self, lr: Tensor) -> Upscaled:
        """See `Method`."""
        output: Upscaled = self.generator(lr)
        return output


def load_trained(path: Path, device: torch.device, weights: Weights = "auto") -> Trained:
    """The method of a checkpoint file.

    Raises:
        UserError: `load_generator` refuses the file, or it holds an aligner.
    """
    checkpoint = load_generator(path, weights)
    if isinstance(checkpoint.config, STN0Config):
        raise UserError(f"{path} is an aligner ({checkpoint.config.title}), not a generator: use it as aligner={path}")
    return Trained(checkpoint, device)


def _experiment(checkpoint: Checkpoint) -> str | None:
    name = checkpoint.training.get("name")
    return name if isinstance(name, str) else None


def _facts(checkpoint: Checkpoint) -> Facts:
    with checkpoint.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    heatmaps, misalignment = _trained_on(checkpoint)
    seed = checkpoint.training.get("seed")
    return Facts(
        checkpoint=str(checkpoint.path),
        checkpoint_sha256=digest,
        experiment=_experiment(checkpoint),
        seed=seed if isinstance(seed, int) else None,
        epoch=checkpoint.epoch,
        iterations=checkpoint.iterations,
        weights=checkpoint.weights,
        parameters=parameter_count(checkpoint.generator),
        heatmap_side=checkpoint.config.heatmap_side,
        heatmap_std=heatmaps.std,
        trained_on=misalignment,
        degradation=_degradation(checkpoint),
        needs_aligned=misalignment.upright or None,
    )


def _degradation(checkpoint: Checkpoint) -> str:
    """How the training faces got small; runs that do not record it had bicubic alone."""
    data = checkpoint.training.get("data")
    value = data.get("degradation") if isinstance(data, dict) else None
    return value if isinstance(value, str) else "bicubic"


def _trained_on(checkpoint: Checkpoint) -> tuple[HeatmapConfig, MisalignmentConfig]:
    """The heatmap and misalignment configurations of the training."""
    config, data = checkpoint.config, checkpoint.training.get("data")
    values: dict[str, Any] = data if isinstance(data, dict) else {}
    try:
        heatmaps = from_plain(HeatmapConfig, values.get("heatmaps") or {"maps": config.heatmaps})
        misalignment = from_plain(MisalignmentConfig, values.get("misalignment") or {})
    except (UserError, AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{checkpoint.path}: its data configuration is damaged ({error})") from None
    if config.heatmap_side is not None and (heatmaps.maps != config.heatmaps or config.heatmaps not in COMPONENTS):
        raise UserError(
            f"{checkpoint.path}: its network estimates {config.heatmaps} heatmaps, its data.heatmaps.maps is "
            f"{heatmaps.maps}; known numbers are {', '.join(map(str, COMPONENTS))}"
        )
    return heatmaps, misalignment
