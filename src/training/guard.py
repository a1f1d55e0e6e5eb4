"""The guard of a run: it skips non-finite updates, ends the run after many in a row, and warns of a collapsed D."""

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
"""Our choice: beyond these accuracies D counts as collapsed; in an even game they are 0.5 to 0.8."""


@dataclass(frozen=True)
class GuardConfig:
    """When non-finite losses or gradients end a run, and when a collapsed discriminator causes a warning."""

    max_consecutive: int = 10
    """Skipped updates of one network in a row that end the run, at least 1."""
    collapse_batches: int | None = 500
    """Warn if D's mean accuracy over this many batches is above 0.98 or below 0.02; at least 1; null: never."""

    def __post_init__(self) -> None:
        if self.max_consecutive < 1:
            raise ValueError(f"max_consecutive must be at least 1, not {self.max_consecutive}")
        if self.collapse_batches is not None and self.collapse_batches < 1:
            raise ValueError(f"collapse_batches must be at least 1, or null for never, not {self.collapse_batches}")


def not_finite(values: Mapping[str, Tensor], summed: Callable[[Tensor], Tensor]) -> list[str]:
    """The names of the values that are NaN or infinite, in any process.

    It makes one vector and one transfer to the host, the only one of an update: checking each tensor would wait for the
    GPU each time. The norm of the gradients stands for all of them: it is not finite if one of them is not.

    Args:
        values: scalars on one device.
        summed: sums a tensor over the processes, so that all of them decide the same way.
    """
    flags = summed((~torch.stack([value.detach().float() for value in values.values()]).isfinite()).float())
    return [name for name, flag in zip(values, flags.tolist(), strict=True) if flag]


def gradient_name(network: str) -> str:
    """The log's name of the norm of a network's gradients."""
    return f"optim/grad_norm_{network}"


def causes(network: str, bad: list[str]) -> list[str]:
    """The values to report as not finite: the non-finite terms, else their total, else the gradient."""
    gradient = gradient_name(network)
    terms = [name for name in bad if name not in (TOTAL, gradient)]
    return terms or [name for name in bad if name != gradient] or [f"gradient of the {network}"]


class Guard:
    """Counts the skipped updates.

    Args:
        config: when to stop and when to warn.

    Attributes:
        skipped: updates skipped so far, of both networks.
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
        """Count a finite update."""
        self._in_a_row[network] = 0

    def refused(self, network: str, bad: list[str], scale: float) -> None:
        """Count a skipped update.

        Args:
            network: the name of the network.
            bad: the names of the values that were not finite.
            scale: scale of the loss; 1 without a loss scaler. Gradients that overflow at a larger scale do not count:
                the scaler lowers the scale next.
        """
        if scale > 1 and bad == [gradient_name(network)]:
            return
        self.skipped += 1
        self._in_a_row[network] += 1
        self._causes[network] = causes(network, bad)
        if self.skipped & (self.skipped - 1) == 0:  # only the 1st, 2nd, 4th, 8th ...: the log stays readable
            _warn(
                f"an update of the {network} was skipped: {', '.join(self._causes[network])} not finite"
                f" ({self.skipped} skipped so far)"
            )

    def stop_if_diverged(self) -> None:
        """Raise a UserError that names the terms or the gradient, if too many updates in a row were skipped."""
        stuck = [network for network in NETWORKS if self._in_a_row[network] >= self.config.max_consecutive]
        if stuck:
            names = dict.fromkeys(name for network in stuck for name in self._causes[network])
            raise UserError(
                f"training has diverged: {', '.join(names)} not finite in {self._in_a_row[stuck[0]]} updates in a row "
                "of the " + " and the ".join(stuck) + "; the checkpoints are from before that: train with "
                "resume=RUN_FOLDER run_dir=NEW_FOLDER and a lower optimizer.lr or an optimizer.clip, or find the NaN "
                "with debug=nan"
            )

    def watch(self, accuracy: Tensor, batches: int, summed: Callable[[Tensor], Tensor], processes: int) -> None:
        """Warn once if D's mean accuracy over a window of batches is that of a collapsed D.

        Args:
            accuracy: share of reals and fakes that D classified correctly in these batches, a scalar in 0-1.
            batches: number of these batches.
            summed: sums a tensor over the processes.
            processes: number of processes.
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
            what = "classifies every face correctly" if mean > WINNING else "classifies every face wrongly"
            _warn(f"D {what} (accuracy {mean:.3f} over the last {self._batches} batches); {remedy}")
        self._right, self._batches = 0.0, 0

    def state_dict(self) -> dict[str, Any]:
        """The state that a resumed run needs, plain values."""
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
