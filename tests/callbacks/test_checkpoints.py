from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from lightning import Trainer

from src.callbacks.checkpoints import Checkpoints
from src.errors import UserError


class Saver:
    """A trainer as far as the callback looks at it; writes what it is asked to."""

    is_global_zero = True
    fit_loop = SimpleNamespace(total_batch_idx=7)

    def __init__(self, broken: bool = False) -> None:
        self.callback_metrics: dict[str, torch.Tensor] = {}
        self.broken, self.saved = broken, 0

    def save_checkpoint(self, path: Path) -> None:
        self.saved += 1
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"save {self.saved}")
        if self.broken:
            raise OSError(28, "No space left on device")


def validate(callback: Checkpoints, saver: Saver, score: float | None) -> None:
    saver.callback_metrics = {} if score is None else {"val/psnr_rgb": torch.tensor(score)}
    callback.on_validation_end(cast(Trainer, saver), cast(Any, torch.nn.Linear(2, 2)))


def test_the_best_stays_when_the_score_falls_or_is_nan(tmp_path: Path) -> None:
    callback, saver = Checkpoints(str(tmp_path), "val/psnr_rgb"), Saver()
    for score in (float("nan"), 20.0, 19.0, float("nan")):
        validate(callback, saver, score)
    assert callback.best == 20.0
    assert callback.best_path.read_text() == "save 2"  # the first save of the second validation
    assert callback.last_path.read_text() == f"save {saver.saved}"
    validate(callback, saver, 21.0)
    assert callback.best == 21.0


def test_a_full_disk_leaves_the_last_whole_checkpoint(tmp_path: Path) -> None:
    callback = Checkpoints(str(tmp_path), "val/psnr_rgb")
    validate(callback, Saver(), 20.0)
    with pytest.raises(UserError, match=r"best.ckpt cannot be written .*No space left"):
        validate(callback, Saver(broken=True), 21.0)
    assert callback.last_path.read_text() == "save 2"
    assert not list(callback.folder.glob("*.tmp"))


def test_weights_that_are_not_finite_overwrite_nothing(tmp_path: Path) -> None:
    callback, saver = Checkpoints(str(tmp_path), "val/psnr_rgb"), Saver()
    validate(callback, saver, 20.0)
    diverged = torch.nn.Linear(2, 2)
    torch.nn.init.constant_(diverged.weight, float("nan"))
    with pytest.raises(UserError, match="diverged: weight is not finite"):
        callback.on_validation_end(cast(Trainer, saver), cast(Any, diverged))
    assert saver.saved == 2


def test_the_best_score_survives_a_resume(tmp_path: Path) -> None:
    callback, other = (Checkpoints(str(tmp_path), "val/psnr_rgb") for _ in range(2))
    validate(callback, Saver(), 20.0)
    other.load_state_dict(callback.state_dict())
    validate(other, Saver(), 19.0)
    assert other.best == 20.0
