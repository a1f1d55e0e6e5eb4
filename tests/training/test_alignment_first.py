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
    config = tiny_run(tmp_path, *WORDS, "loss.alignment_first=0.6", "trainer.max_epochs=1")
    train(config)
    rows = list(csv.DictReader((tmp_path / "out/metrics.csv").read_text().splitlines()))
    training = [row for row in rows if row["loss/total"]]
    assert [bool(row["loss/pixel"]) for row in training] == [False, False, True]
    assert all(row["loss/alignment"] for row in training)
    assert rows[-1]["val/psnr_registered"]
    assert rows[-1]["val/corner_error_px"]


def test_before_its_turn_nothing_else_moves(tmp_path: Path) -> None:
    stores(tmp_path, 48)
    config = tiny_run(tmp_path, *WORDS, "loss.alignment_first=0.9", "trainer.max_epochs=1", "ema.enabled=false")
    torch.manual_seed(0)
    train(config)
    state = torch.load(tmp_path / "out/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert state["generator.stn.head.weight"].abs().max() > 0
    assert int(state["generator.align.1.num_batches_tracked"]) == 0


def test_the_average_forgets_the_weights_that_had_to_wait(tmp_path: Path) -> None:
    """It starts over with the first update of the whole, so it holds none of the random start."""
    stores(tmp_path, 48)
    run = tiny_run(tmp_path, *WORDS, "loss.alignment_first=0.6", "trainer.max_epochs=1")
    train(run)
    content = torch.load(tmp_path / "out/checkpoints/last.ckpt", weights_only=True)
    assert content["averaged"]["updates"] == 1
    for name, tensor in content["averaged"]["generator"].items():
        assert torch.equal(tensor, content["state_dict"][f"generator.{name}"]), name


@pytest.mark.parametrize(("word", "frame"), [("true", "true"), ("own", "own"), ("'true'", "true")])
def test_true_is_a_word_though_yaml_reads_a_boolean(word: str, frame: str, tmp_path: Path) -> None:
    assert tiny_run(tmp_path, f"loss.frame={word}").loss.frame == frame


@pytest.mark.parametrize(
    "words",
    [
        ["data.misalignment.fill=black"],
        ["model.generator.localisation=none", "loss.alignment=0", "loss.alignment_first=0.5"],
    ],
)
def test_own_means_true_where_there_is_no_other_frame(words: list[str], tmp_path: Path) -> None:
    stores(tmp_path, 48)
    train(tiny_run(tmp_path, *WORDS[1:], "trainer.max_epochs=1", *words))
    assert (tmp_path / "out/checkpoints/last.ckpt").exists()


def test_context_without_surroundings_is_one_line(tmp_path: Path) -> None:
    stores(tmp_path, 0)
    with pytest.raises(UserError, match=r"fill=context needs faces with their surroundings.*crop\.margin=48"):
        train(tiny_run(tmp_path, *WORDS, "trainer.max_epochs=1"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["model.generator.localisation=features16", "loss.alignment_first=0.5"],
            "loss.alignment_first needs model.generator.localisation=aligner",
        ),
        (["model.generator.localisation=aligner", "loss.alignment=0"], "learns from the alignment loss alone"),
        (["loss.alignment_first=1"], "alignment_first must be a share of the run"),
        (["loss.alignment_first=-0.1"], "alignment_first must be a share of the run"),
        (["data.misalignment.fill=white"], "data.misalignment.fill"),
    ],
)
def test_what_does_not_fit_together_is_said(words: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        tiny_run(tmp_path, *words)
