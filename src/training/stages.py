"""Where a run is in its stages."""

from lightning import Trainer

from src.model.stage import Stage
from src.training.clock import progress


class Stages:
    """The stages of a run; one that it has left never returns, however long the run becomes.

    Args:
        stages: all of them, in their order.

    Attributes:
        number: of the current stage, from 0.
    """

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        self._all = stages
        self.number = 0

    @property
    def current(self) -> Stage:
        """The stage that the run is in."""
        return self._all[self.number]

    def advance(self, trainer: Trainer) -> bool:
        """Enter the stage that the run's progress has reached; return whether it is another one."""
        before, last = self.number, len(self._all) - 1
        if before < last:  # only then: several processes must exchange their progress
            over = progress(trainer)
            while self.number < last and over >= self.current.until:
                self.number += 1
        return self.number != before

    def restore(self, number: int | None, together: bool) -> None:
        """Set the current stage from a checkpoint.

        Args:
            number: of the stage; None in older checkpoints.
            together: in those, whether the last stage had begun.
        """
        last = len(self._all) - 1
        self.number = min(number, last) if number is not None else last if together else 0
