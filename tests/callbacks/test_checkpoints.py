import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningDataModule, LightningModule, Trainer
from torch.utils.data import DataLoader

from src.callbacks.checkpoints import Checkpoints
from src.system.errors import UserError

ROOT = Path(__file__).parents[2]


class Line(LightningModule):
    """A training of four batches an epoch, whose validations score as they are told."""

    def __init__(self, *scores: float) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.line = torch.nn.Linear(1, 1)
        self.scores = list(scores)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)

    def training_step(self, batch: torch.Tensor, _: int) -> None:
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(self.line(batch).square().mean())
        optimizer.step()

    def validation_step(self, batch: torch.Tensor, _: int) -> None:
        pass

    def on_validation_epoch_end(self) -> None:
        if self.scores:
            self.log("val/psnr_rgb", self.scores.pop(0))


class Numbers(LightningDataModule):
    def train_dataloader(self) -> Any:
        return DataLoader(torch.arange(8.0)[:, None], batch_size=2)

    def val_dataloader(self) -> Any:
        return DataLoader(torch.zeros(1, 1))


def fit(callback: Checkpoints, module: Line, epochs: int, ckpt: Path | None = None) -> None:
    Trainer(max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, num_sanity_val_steps=0,
            callbacks=[callback]).fit(module, Numbers(), ckpt_path=ckpt, weights_only=True)  # fmt: skip


def iterations(path: Path) -> int:
    return int(torch.load(path, weights_only=True)["iterations"])


def recorded(callback: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """The iterations of each save to come, and whether it is the best too."""
    saves: list[tuple[int, bool]] = []
    put_in_place = callback._put_in_place

    def look(written: Path) -> None:
        put_in_place(written)
        best = callback.best_path
        saves.append((iterations(callback.last_path), best.exists() and best.samefile(callback.last_path)))

    monkeypatch.setattr(callback, "_put_in_place", look)
    return saves


def test_the_best_stays_when_the_score_falls_or_is_nan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    callback = Checkpoints(str(tmp_path), "val/psnr_rgb")
    saves = recorded(callback, monkeypatch)
    fit(callback, Line(float("nan"), 20.0, 19.0, float("nan"), 21.0), epochs=5)
    # Saved before the batch after each validation, and at the end.
    assert saves == [(4, False), (8, True), (12, False), (16, False), (20, True)]
    assert callback.best == 21.0
    assert iterations(callback.previous_path) == 16
    assert sorted(path.name for path in callback.folder.iterdir()) == ["best.ckpt", "last.ckpt", "previous.ckpt"]


def test_it_is_saved_by_number_and_before_a_validation_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    callback = Checkpoints(str(tmp_path), "val/psnr_rgb", every_steps=3)
    saves = recorded(callback, monkeypatch)
    fit(callback, Line(20.0, 21.0, 22.0), epochs=3)
    assert [batches for batches, _ in saves] == [3, 4, 6, 8, 9, 12, 12]


def test_it_is_saved_by_time_but_never_more_than_a_share_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("src.callbacks.checkpoints.time.monotonic", lambda: now[0])
    callback = Checkpoints(str(tmp_path), "val/psnr_rgb", every_seconds=30.0)
    assert not callback._is_due(5)
    now[0] = 30.0
    assert callback._is_due(5)
    callback._cost = 2.0  # 5 % are reached after 40 s
    assert not callback._is_due(5)
    now[0] = 40.0
    assert callback._is_due(5)


def test_an_update_of_several_batches_is_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    callback = Checkpoints(str(tmp_path), "val/psnr_rgb", every_steps=1, accumulate=3)
    saves = recorded(callback, monkeypatch)
    fit(callback, Line(), epochs=1)
    assert [batches for batches, _ in saves] == [3, 4, 4]  # the epoch's last group is of one batch


def test_a_number_within_a_group_is_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    callback = Checkpoints(str(tmp_path), "val/psnr_rgb", every_steps=2, accumulate=3)
    saves = recorded(callback, monkeypatch)
    fit(callback, Line(), epochs=1)
    assert [batches for batches, _ in saves] == [3, 4, 4]


def test_what_a_kill_left_under_two_names_is_not_written_into(tmp_path: Path) -> None:
    callback = Checkpoints(str(tmp_path), "val/psnr_rgb")
    fit(callback, Line(20.0), epochs=1)
    before = callback.best_path.read_bytes()
    (callback.folder / "checkpoint.tmp").hardlink_to(callback.best_path)
    again = Checkpoints(str(tmp_path), "val/psnr_rgb")
    fit(again, Line(19.0), epochs=2, ckpt=callback.last_path)
    assert again.best_path.read_bytes() == before


def test_another_metric_begins_its_own_best(tmp_path: Path) -> None:
    callback = Checkpoints(str(tmp_path), "val/psnr_rgb")
    fit(callback, Line(20.0), epochs=1)
    again = Checkpoints(str(tmp_path), "val/ssim_rgb")
    again.load_state_dict(callback.state_dict())
    assert again.best is None


def test_the_best_score_survives_a_resume_but_not_another_folder(tmp_path: Path) -> None:
    callback = Checkpoints(str(tmp_path / "a"), "val/psnr_rgb")
    fit(callback, Line(20.0), epochs=1)
    for folder, expected in (("a", 20.0), ("b", 19.0)):
        again = Checkpoints(str(tmp_path / folder), "val/psnr_rgb")
        fit(
            again,
            Line(19.0),
            epochs=2,
            ckpt=callback.last_path if folder == "a" else tmp_path / "a/checkpoints/best.ckpt",
        )
        assert again.best == expected
        assert again.best_path.exists()


def test_weights_that_are_not_finite_overwrite_nothing(tmp_path: Path) -> None:
    callback = Checkpoints(str(tmp_path), "val/psnr_rgb")
    fit(callback, Line(20.0), epochs=1)
    before = callback.last_path.read_bytes()

    class Diverging(Line):
        def on_train_batch_end(self, *_: Any) -> None:
            torch.nn.init.constant_(self.line.weight, float("inf"))

    with pytest.raises(UserError, match=r"diverged: line\.weight is not finite"):
        fit(callback, Diverging(21.0), epochs=1)
    assert callback.last_path.read_bytes() == before


FULL_DISK = """
import resource, sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
from tests.callbacks.test_checkpoints import Checkpoints, Line, UserError, fit
callback = Checkpoints({folder!r}, "val/psnr_rgb", every_steps=1)
fit(callback, Line(20.0), epochs=1)
whole = callback.last_path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    fit(callback, Line(21.0), epochs=1)
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [0, 2000, 5000])
def test_a_full_disk_leaves_the_last_whole_checkpoint(tmp_path: Path, limit: int) -> None:
    script = FULL_DISK.format(tests=str(Path(__file__).parent), folder=str(tmp_path), limit=limit)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    said = done.stdout.strip()
    assert f"{tmp_path}/checkpoints/last.ckpt cannot be written" in said, done.stderr
    assert "the same command resumes the run" in said
    assert "\n" not in said
    assert iterations(tmp_path / "checkpoints/last.ckpt") == 4
    assert not list((tmp_path / "checkpoints").glob("*.tmp"))
