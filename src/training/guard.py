"""The guard of a run: an update that is not finite is left out, many in a row end the run, a collapsed D is told."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from src.system.errors import UserError
from src.system.processes import first_process

log = logging.getLogger(__name__)

NETWORKS: Final = ("generator", "discriminator")
TOTAL: Final = "loss/total"
WINNING, LOSING = 0.98, 0.02
"""Our choice: the accuracies beyond which D is taken to have collapsed; an even game is at 0.5 to 0.8."""


@dataclass(frozen=True)
class GuardConfig:
    """What a run does about losses and gradients that are not finite, and about a discriminator that has collapsed."""

    max_consecutive: int = 10
    """So many updates of a network left out in a row end the run, at least 1."""
    collapse_batches: int | None = 500
    """Batches over which D's mean accuracy above 0.98 or below 0.02 warns, at least 1; null: never."""

    def __post_init__(self) -> None:
        if self.max_consecutive < 1:
            raise ValueError(f"max_consecutive must be at least 1, not {self.max_consecutive}")
        if self.collapse_batches is not None and self.collapse_batches < 1:
            raise ValueError(f"collapse_batches must be at least 1, or null for never, not {self.collapse_batches}")


def not_finite(values: Mapping[str, Tensor], summed: Callable[[Tensor], Tensor]) -> list[str]:
    """The names of the values that are NaN or infinite, in any process.

    One vector and one transfer to the host, the only one of an update: a check for every tensor would wait for the GPU
    as often. The gradients are in it as their norm, which is not finite if one of them is not.

    Args:
        values: scalars of one device.
        summed: over the processes, so that all of them decide alike.
    """
    flags = summed((~torch.stack([value.detach().float() for value in values.values()]).isfinite()).float())
    return [name for name, flag in zip(values, flags.tolist(), strict=True) if flag]


def gradient_name(network: str) -> str:
    """How the norm of a network's gradients is called in the log."""
    return f"optim/grad_norm_{network}"


def causes(network: str, bad: list[str]) -> list[str]:
    """What to tell of the values that are not finite: the terms if it is they, else their sum, else the gradient."""
    gradient = gradient_name(network)
    terms = [name for name in bad if name not in (TOTAL, gradient)]
    return terms or [name for name in bad if name != gradient] or [f"gradient of the {network}"]


class Guard:
    """Counts the updates that were left out.

    Args:
        config: when to stop and when to warn.

    Attributes:
        skipped: updates left out so far, of both networks.
    """

    def __init__(self, config: GuardConfig) -> None:
        self.config = config
        self.skipped = 0
        self._in_a_row = dict.fromkeys(NETWORKS, 0)
        self._causes: dict[str, list[str]] = {}
        self._right: Tensor | float = 0.0
        self._batches = 0
        self._told = False

    def passed(self, network: str) -> None:
        """An update was finite."""
        self._in_a_row[network] = 0

    def refused(self, network: str, bad: list[str], scale: float) -> None:
        """An update was not.

        Args:
            network: whose.
            bad: the values that were not finite.
            scale: of the loss; 1 without a scaler. Gradients that overflowed under a larger one are no divergence:
                the scaler tries a smaller one next.
        """
        if scale > 1 and bad == [gradient_name(network)]:
            return
        self.skipped += 1
        self._in_a_row[network] += 1
        self._causes[network] = causes(network, bad)
        if self.skipped & (self.skipped - 1) == 0:  # the 1st, 2nd, 4th, 8th ...: a log is to be read
            _warn(
                f"an update of the {network} was left out: {', '.join(self._causes[network])} not finite"
                f" ({self.skipped} left out so far)"
            )

    def stop_if_diverged(self) -> None:
        """UserError naming the terms or the gradient, once too many updates in a row were left out."""
        stuck = [network for network in NETWORKS if self._in_a_row[network] >= self.config.max_consecutive]
        if stuck:
            names = dict.fromkeys(name for network in stuck for name in self._causes[network])
            raise UserError(
                f"training has diverged: {', '.join(names)} not finite in {self._in_a_row[stuck[0]]} updates in a row "
                "of the " + " and the ".join(stuck) + "; the checkpoints are from before: resume=RUN_FOLDER "
                "run_dir=NEW_FOLDER with a lower optimizer.lr or an optimizer.clip, or look for NaN with debug=nan"
            )

    def watch(self, accuracy: Tensor, batches: int, summed: Callable[[Tensor], Tensor], processes: int) -> None:
        """Warn, once, when D's mean accuracy over a window of batches is that of a collapsed one.

        Args:
            accuracy: share of reals and fakes that D told right in these batches, a scalar.
            batches: how many they are.
            summed: over the processes.
            processes: how many they are.
        """
        window = self.config.collapse_batches
        if window is None or self._told:
            return
        self._right = self._right + accuracy.detach() * batches  # stays on the device until the window is full
        self._batches += batches
        if self._batches < window:
            return
        mean = float(summed(torch.as_tensor(self._right))) / processes / self._batches
        self._told = not LOSING <= mean <= WINNING
        if self._told:
            remedy = (
                "U learns little from it: lower optimizer.discriminator_lr or raise model.discriminator.dropout"
                if mean > WINNING
                else "it teaches U nothing: raise optimizer.discriminator_lr"
            )
            what = "tells every real from every fake" if mean > WINNING else "takes every real for a fake"
            _warn(f"D {what} (accuracy {mean:.3f} over the last {self._batches} batches); {remedy}")
        self._right, self._batches = 0.0, 0

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know, plain values."""
        return {
            "skipped": self.skipped,
            "in_a_row": dict(self._in_a_row),
            "causes": {network: list(names) for network, names in self._causes.items()},
            "right": float(self._right),
            "batches": self._batches,
            "told": self._told,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.skipped, self._in_a_row, self._causes = state["skipped"], dict(state["in_a_row"]), dict(state["causes"])
        self._right, self._batches, self._told = state["right"], state["batches"], state["told"]


def _warn(message: str) -> None:
    if first_process():
        log.warning(message)
