"""Averages the networks of two trainings, or their aligners alone, weight by weight (model soups).

Both must come from the same start: weights of unrelated trainings have no useful average (Wortsman et al. 2022). An
average is a new generator, and an evaluation of either training is none of it: it has no `iterations`.
"""

import copy
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from src.model.aligner import Aligner
from src.model.checkpoint import Checkpoint
from src.model.config import SETTINGS_IN_USE
from src.model.stn0 import STN0Config
from src.system.errors import UserError
from src.system.plain import differing, to_plain


def soup(checkpoint: Checkpoint, other: Checkpoint, share: float) -> Checkpoint:
    """A copy of a generator, all its weights averaged with those of another training; settings and seed stay its own.

    The running statistics of its normalisation are averaged too.

    Args:
        checkpoint: the generator.
        other: a training of the same network from the same start.
        share: of the other one, 0-1.

    Raises:
        UserError: the networks differ, but for `SETTINGS_IN_USE`, or one file holds averaged and the other raw weights.
    """
    changed = differing(to_plain(checkpoint.config), to_plain(other.config), SETTINGS_IN_USE)
    if changed:
        raise UserError(
            f"soup: {other.path} is another network than {checkpoint.path}: model.generator.{changed[0]} differs"
        )
    if checkpoint.weights != other.weights:
        raise UserError(
            f"soup: {checkpoint.path} gives {checkpoint.weights} weights, {other.path} {other.weights} ones: "
            "set weights=raw"
        )
    generator = copy.deepcopy(checkpoint.generator)
    _averaged(generator, other.generator, share)
    return replace(checkpoint, generator=generator, iterations=None)


def with_aligner(checkpoint: Checkpoint, other: Checkpoint, share: float) -> Checkpoint:
    """A copy of a generator, its aligner's weights averaged with those of another aligner.

    The rest, such as `dead_band`, stays as in `checkpoint`.

    Args:
        checkpoint: the generator.
        other: whose aligner is taken.
        share: of the other aligner, 0-1; 1 takes it alone.

    Raises:
        UserError: one of them has no aligner, the other is an STN0, or the aligners have different layers.
    """
    if isinstance(other.config, STN0Config):
        raise UserError(f"aligner: {other.path} is an STN0: give a training of the same network from the same start")
    generator = copy.deepcopy(checkpoint.generator)
    own, new = _aligner(generator, checkpoint.path), _aligner(other.generator, other.path)
    if not _averaged(own, new, share):
        raise UserError(f"aligner: {other.path} has an aligner of other layers than {checkpoint.path}")
    return replace(checkpoint, generator=generator, iterations=None)


def _averaged(own: nn.Module, other: nn.Module, share: float) -> bool:
    """Give a network the average of its weights and another's; False, and nothing changed, if their layers differ."""
    mine, theirs = own.state_dict(), other.state_dict()
    if {name: value.shape for name, value in mine.items()} != {name: value.shape for name, value in theirs.items()}:
        return False
    averaged = {
        name: torch.lerp(value, theirs[name], share) if value.is_floating_point() else value
        for name, value in mine.items()
    }
    own.load_state_dict(averaged)
    return True


def _aligner(generator: nn.Module, path: Path) -> Aligner:
    stn = getattr(generator, "stn", None)
    if not isinstance(stn, Aligner):
        raise UserError(f"aligner: {path} has none; it needs model.generator.localisation=aligner")
    return stn
