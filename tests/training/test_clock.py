from types import SimpleNamespace
from typing import Any, cast

import pytest
from lightning.pytorch.callbacks import Timer

from src.training.clock import progress


class Clock(Timer):
    """A timer that says how late it is."""

    def __init__(self, duration: dict[str, int], elapsed: float) -> None:
        super().__init__(duration)
        self.elapsed = elapsed

    def time_elapsed(self, *_: Any) -> float:
        return self.elapsed


def trainer(batches: int, *callbacks: Timer) -> Any:
    return cast(
        Any,
        SimpleNamespace(
            num_training_batches=10,
            max_epochs=4,
            current_epoch=batches // 10,
            fit_loop=SimpleNamespace(batch_idx=batches % 10),
            callbacks=list(callbacks),
            world_size=1,
        ),
    )


def test_progress_is_the_share_of_batches_or_of_the_time_whichever_is_further() -> None:
    assert progress(trainer(10)) == pytest.approx(0.25)
    assert progress(trainer(10, Clock({"minutes": 30}, 15 * 60))) == pytest.approx(0.5)
    assert progress(trainer(30, Clock({"minutes": 30}, 15 * 60))) == pytest.approx(0.75)
    assert progress(trainer(10, Clock({"minutes": 30}, 31 * 60))) == 1.0
