"""A trained generator as a method."""

import functools
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from src.data.batch import HeatmapConfig
from src.data.pairs import MisalignmentConfig
from src.face.points import COMPONENTS
from src.image.own_size import as_own_size
from src.image.sides import LR_SIDE, OWN_LR_SIDE
from src.method.method import Facts
from src.model.checkpoint import Checkpoint, Weights
from src.model.config import lr_side_of
from src.model.output import Upscaled
from src.model.parameters import parameter_count
from src.model.release import load_generator
from src.model.stn0 import STN0Config
from src.system.errors import UserError, reason_of
from src.system.plain import from_plain


class Trained:
    """The generator of a checkpoint, on a device.

    Args:
        checkpoint: as read from the file.
        device: where it computes.
        run: what computes the output in place of the checkpoint's generator, which then may lack its weights.
        runtime: that in words, for tables.
        sha256: hash of the file where it is known; None: taken when first asked for.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device,
        run: Callable[[Tensor], Upscaled] | None = None,
        runtime: str | None = None,
        sha256: str | None = None,
    ) -> None:
        self.checkpoint, self.runtime, self._sha256 = checkpoint, runtime, sha256
        self.generator = run or checkpoint.generator.to(device)
        self.lr_side = lr_side_of(checkpoint.config)
        experiment = _experiment(checkpoint)
        self.name = re.sub(r"\W+", "_", experiment or "").strip("_") or checkpoint.path.stem
        network = checkpoint.config.title
        # An experiment that is called as its network says nothing new.
        self.title = network if experiment in (None, checkpoint.config.name) else f"{network}, {experiment}"
        if runtime is not None:
            self.title = f"{self.title} ({runtime})"

    @functools.cached_property
    def facts(self) -> Facts:
        """See `Method`; read from the checkpoint when first asked for.

        Raises:
            UserError: the checkpoint's training configuration does not fit its network.
        """
        own = self.own_size
        return replace(
            _facts(self.checkpoint, self._sha256),
            runtime=self.runtime,
            lr_side=self.lr_side if self.lr_side != LR_SIDE else None,
            own_size=own and f"{own[0]}-{own[1]} px",
        )

    @property
    def own_size(self) -> tuple[int, int] | None:
        """The smallest and the largest own size that it was trained with, in pixels; None without.

        Raises:
            UserError: the file says something else.
        """
        data = self.checkpoint.training.get("data")
        found = data.get("own_size") if isinstance(data, dict) else None
        match found:
            case None:
                return None
            case [int(low), int(high)] if 1 <= low <= high:
                return low, high
        raise UserError(f"{self.checkpoint.path}: its data.own_size is damaged ({reason_of(ValueError(found))})")

    @property
    def heatmap_side(self) -> int | None:
        """See `Network`."""
        return self.checkpoint.config.heatmap_side

    def __call__(self, lr: Tensor) -> Upscaled:
        """See `Method`; a network for many sizes takes 16x16 faces too, as faces of that size."""
        output: Upscaled = self.generator(self._taken(lr))
        return output

    def transforms(self, lr: Tensor) -> Tensor | None:
        """See `Network`; an STN that looks at the LR face alone runs alone."""
        if self.runtime is None and self.checkpoint.config.aligns_alone:
            return cast("Tensor", self.checkpoint.generator.stn(self._taken(lr)))  # type: ignore[operator]
        return self(lr).matrix

    def _taken(self, lr: Tensor) -> Tensor:
        return as_own_size(lr) if self.lr_side == OWN_LR_SIDE and lr.shape[-1] == LR_SIDE else lr


def load_trained(path: Path, device: torch.device, weights: Weights = "auto") -> Trained:
    """The method of a checkpoint file.

    Raises:
        UserError: `load_generator` refuses the file, or it holds an aligner.
    """
    checkpoint = load_generator(path, weights)
    refuse_aligner(checkpoint)
    return Trained(checkpoint, device)


def refuse_aligner(checkpoint: Checkpoint) -> None:
    """UserError for the checkpoint of an aligner, which is no method."""
    if isinstance(checkpoint.config, STN0Config):
        path, title = checkpoint.path, checkpoint.config.title
        raise UserError(f"{path} is an aligner ({title}), not a generator: use it as aligner={path}")


def _experiment(checkpoint: Checkpoint) -> str | None:
    name = checkpoint.training.get("name")
    return name if isinstance(name, str) else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _facts(checkpoint: Checkpoint, sha256: str | None) -> Facts:
    heatmaps, misalignment = _trained_on(checkpoint)
    seed = checkpoint.training.get("seed")
    return Facts(
        checkpoint=str(checkpoint.path),
        checkpoint_sha256=sha256 or _sha256(checkpoint.path),
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
