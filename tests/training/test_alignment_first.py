"""Updates at the start in which the STN alone learns; faces with their surroundings; targets in the own frame."""

import csv
from pathlib import Path

import pytest
import torch

from src.system.errors import UserError
from src.training.run import train
from tests.helpers.tiny_files import write_store
from tests.helpers.tiny_run import tiny_run

WORDS = ["model.generator.localisation=aligner", "loss.alignment_error=corners", "data.misalignment.fill=context",
         "loss.frame=own", "trainer.log_every_n_steps=1"]  # fmt: skip


def stores(folder: Path, margin: int) -> None:
    write_store(folder / "train", 6, seed=1, margin=margin)
    write_store(folder / "val", 3, seed=2, margin=margin)


def test_the_stn_learns_alone_then_all_of_it(tmp_path: Path) -> None:
    stores(tmp_path, 48)
    config = tiny_run(tmp_path, *WORDS, "loss.alignment_first=2", "trainer.max_epochs=1")
    train(config)
    rows = list(csv.DictReader((tmp_path / "out/metrics.csv").read_text().splitlines()))
    training = [row for row in rows if row["loss/total"]]
    assert [bool(row["loss/pixel"]) for row in training] == [False, False, True]
    assert all(row["loss/alignment"] for row in training)
    assert rows[-1]["val/psnr_registered"]
    assert rows[-1]["val/corner_error_px"]


def test_before_its_turn_nothing_else_moves(tmp_path: Path) -> None:
    stores(tmp_path, 48)
    config = tiny_run(tmp_path, *WORDS, "loss.alignment_first=3", "trainer.max_epochs=1", "ema.enabled=false")
    torch.manual_seed(0)
    train(config)
    state = torch.load(tmp_path / "out/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert state["generator.stn.head.weight"].abs().max() > 0
    assert int(state["generator.align.1.num_batches_tracked"]) == 0


def test_context_without_surroundings_is_one_line(tmp_path: Path) -> None:
    stores(tmp_path, 0)
    with pytest.raises(UserError, match=r"fill=context needs faces with their surroundings.*crop\.margin=48"):
        train(tiny_run(tmp_path, *WORDS, "trainer.max_epochs=1"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["loss.frame=own"], "loss.frame=own needs an STN and data.misalignment.fill=context"),
        (["loss.alignment_first=5"], "loss.alignment_first needs model.generator.localisation=aligner"),
        (["loss.alignment_first=-1"], "alignment_first must be 0 or more updates"),
        (["data.misalignment.fill=white"], "data.misalignment.fill"),
    ],
)
def test_what_does_not_fit_together_is_said(words: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        tiny_run(tmp_path, *words)
