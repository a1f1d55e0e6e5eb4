"""Updates at the start in which the STN alone learns; faces with their surroundings; targets in the own frame."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from src.system.errors import UserError
from src.training.module import FaceSR
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
    train(config)
    state = torch.load(tmp_path / "out/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    torch.manual_seed(config.seed)
    before = FaceSR(config).state_dict()
    moved = {name for name in state if not torch.equal(state[name], before[name])}
    assert "generator.stn.head.weight" in moved
    assert all(name.startswith("generator.stn.") for name in moved), "neither D nor the rest of U"


def test_a_group_of_batches_is_one_update_of_the_stn_too(tmp_path: Path) -> None:
    """Three batches of two faces make one update by their mean: the size of its gradient shows it."""
    stores(tmp_path, 48)
    norms = []
    for name, words in (("one", ["data.batch_size=6"]), ("three", ["trainer.accumulate=3"])):
        run = tiny_run(tmp_path, *WORDS, "loss.alignment_first=0.9", "trainer.max_epochs=1", *words)
        train(replace(run, run_dir=str(tmp_path / name)))
        content = torch.load(tmp_path / name / "checkpoints/last.ckpt", weights_only=True)
        assert content["averaged"]["updates"] == 1
        norms.append(content["report"]["optim/grad_norm_generator"])
    assert norms[1] == pytest.approx(norms[0], rel=0.5), "not three times as large, nor a third"


def test_a_run_that_is_made_longer_does_not_return_to_its_first_part(tmp_path: Path) -> None:
    stores(tmp_path, 48)
    words = [*WORDS, "loss.alignment_first=0.5"]
    train(tiny_run(tmp_path, *words, "trainer.max_epochs=2"))
    train(tiny_run(tmp_path, *words, "trainer.max_epochs=5"))
    rows = list(csv.DictReader((tmp_path / "out/metrics.csv").read_text().splitlines()))
    together = [bool(row["loss/pixel"]) for row in rows if row["loss/total"]]
    assert together == [False] * 3 + [True] * 12
    content = torch.load(tmp_path / "out/checkpoints/last.ckpt", weights_only=True)
    assert content["averaged"]["updates"] == 12


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
