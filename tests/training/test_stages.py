"""The stages of a run, on TDAE: what moves in each, what waits, what a resumed run does at the borders."""

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from src.callbacks.checkpoints import Checkpoints
from src.config.compose import compose
from src.model.stage import WHOLE, Stage, aligner_first, in_turn
from src.training.config import TrainConfig
from src.training.module import FaceSR
from src.training.run import train
from src.training.stages import Stages
from src.training.tuning import FullStep, Setting
from tests.helpers.tiny_files import write_store
from tests.training.test_ddp import PROCESSES, WORKER, python
from tests.training.test_resume import same_run

SMALL = ["experiment=baseline/tdae", "model.generator.entry=[4]", "model.generator.decoder_widths=[4,4,4,4]",
         "model.generator.encoder_widths=[4,4,4,4]", "model.generator.shares=[0.25,0.25,0.25,0.25]",
         "model.discriminator.widths=[4,4,4,4]", "model.discriminator.hidden=8", "data.batch_size=2", "data.workers=0",
         "callbacks.progress=none", "callbacks.panel=0", "callbacks.performance=false", "trainer=cpu",
         "trainer.max_epochs=2", "trainer.log_every_n_steps=1"]  # fmt: skip
PARTS = ["first", "encoder", "second"]
MOVES = [{"first", "D"}, {"encoder"}, {"second", "D"}, {*PARTS, "D"}]
"""What learns in each stage; two batches each."""


def tiny(folder: Path, *overrides: str) -> TrainConfig:
    """8 faces: 4 batches an epoch, 8 in all."""
    if not (folder / "train").exists():
        write_store(folder / "train", 8, seed=1)
        write_store(folder / "val", 2, seed=2)
    stores = [f"data.train=[{folder}/train]", f"data.val=[{folder}/val]", f"run_dir={folder}/run"]
    return compose("train", TrainConfig, [*SMALL, *stores, *overrides])


def part_of(name: str) -> str:
    """The part of U that a tensor of the module's state dict belongs to, or D."""
    network, part = name.split(".")[:2]
    return "D" if network == "discriminator" else part


def contents(folders: list[Path]) -> list[dict[str, Any]]:
    return [torch.load(folder / "checkpoints/last.ckpt", weights_only=True) for folder in folders]


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The run folder after each batch of a run."""
    monkeypatch.setattr("src.callbacks.curves.draw_curves", lambda *_: None)
    put_in_place, folders = Checkpoints._put_in_place, dict[int, Path]()

    def keep(self: Checkpoints, written: Path) -> None:
        put_in_place(self, written)
        batches = torch.load(self.last_path, weights_only=True)["iterations"]
        if batches not in folders:
            folders[batches] = tmp_path / f"after {batches}"
            shutil.copytree(tmp_path / "run", folders[batches])

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "_put_in_place", keep)
        train(tiny(tmp_path, "callbacks.save_every_n_steps=1"))
    assert sorted(folders) == list(range(1, 9))
    return [folders[batches] for batches in sorted(folders)]


def test_each_stage_moves_its_own_weights_statistics_and_optimiser_states(saved: list[Path], tmp_path: Path) -> None:
    config = tiny(tmp_path)
    torch.manual_seed(config.seed)
    module = FaceSR(config)
    states = [module.state_dict(), *(content["state_dict"] for content in contents(saved))]
    for batch, (before, after) in enumerate(pairwise(states)):
        moved = {part_of(name) for name in after if not torch.equal(before[name], after[name])}
        assert moved == MOVES[batch // 2], f"batch {batch}"
    names = {weight: name for name, weight in module.generator.named_parameters()}
    order = [names[weight] for group in config.model.generator.parameter_groups(module.generator) for weight in group]
    for batch, content in enumerate(contents(saved)):
        steps = dict.fromkeys([*PARTS, "D"], 0)
        for number, state in content["optimizer_states"][0]["state"].items():
            steps[order[number].split(".")[0]] = int(state["step"])
        steps["D"] = int(content["optimizer_states"][1]["state"][0]["step"])
        assert steps == {part: sum(part in MOVES[done // 2] for done in range(batch + 1)) for part in steps}


def test_the_average_starts_over_at_each_border(saved: list[Path]) -> None:
    assert [content["averaged"]["updates"] for content in contents(saved)] == [1, 2] * 4
    assert [content["stage"] for content in contents(saved)] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_the_same_command_makes_the_same_run_from_every_batch(saved: list[Path], tmp_path: Path) -> None:
    for folder in saved[:-1]:
        train(replace(tiny(tmp_path, "callbacks.save_every_n_steps=1"), run_dir=str(folder)))
        same_run(tmp_path / "run", folder)


def test_a_group_of_batches_is_one_update_in_every_stage(tmp_path: Path) -> None:
    train(tiny(tmp_path, "trainer.accumulate=2", "trainer.max_epochs=4"))
    (content,) = contents([tmp_path / "run"])
    steps = {int(state["step"]) for state in content["optimizer_states"][0]["state"].values()}
    assert steps == {4}, "8 updates, two a stage: a part's own, and the last two"
    counts = {part_of(name): int(value) for name, value in content["state_dict"].items() if "num_batches" in name}
    assert counts == dict.fromkeys(PARTS, 8), "statistics see every batch of those updates once"


def test_two_processes_make_the_same_updates_in_every_stage(tmp_path: Path) -> None:
    """Two batches an epoch, four epochs: one a stage."""
    write_store(tmp_path / "train", 8, seed=1)
    write_store(tmp_path / "val", 2, seed=2)
    stores = [f"data.train=[{tmp_path}/train]", f"data.val=[{tmp_path}/val]"]
    done = python(str(WORKER), str(tmp_path), *SMALL, *PROCESSES, *stores, "trainer.max_epochs=4")
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    for name, tensor in first["networks"].items():
        assert torch.equal(tensor, second["networks"][name]), f"{name} differs between the processes"
    moved = {part_of(name) for name, tensor in first["start"].items() if not tensor.equal(first["networks"][name])}
    assert moved == {*PARTS, "D"}
    counts = {int(tensor) for name, tensor in first["networks"].items() if "num_batches" in name}
    assert counts == {4}, "two of a part's own, and the last two"


def test_a_step_is_timed_in_the_last_stage(tmp_path: Path) -> None:
    config = tiny(tmp_path, "model.generator.shares=[0.5,0.5,0,0]")
    step = FullStep(config, Setting("32-true", channels_last=True), torch.device("cpu"))
    before = {name: tensor.clone() for name, tensor in step.generator.state_dict().items()}
    step()
    after = step.generator.state_dict()
    assert {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])} == {"encoder"}
    assert step.discriminator is None


def test_stages_follow_each_other_by_their_shares() -> None:
    first, second = Stage(learns=("a",)), Stage(learns=("b",))
    assert [stage.until for stage in in_turn((0.7, 0.2, 0.1), (first, second, Stage()))] == pytest.approx([0.7, 0.9, 1])
    assert in_turn((0.0, 1.0), (first, second)) == (second,)
    assert aligner_first(0.3)[1:] == WHOLE
    assert [stage.learns for stage in aligner_first(1.0)] == [("stn",)]


@pytest.mark.parametrize(
    ("number", "together", "restored"), [(None, True, 2), (None, False, 0), (1, True, 1), (5, True, 2)]
)
def test_older_checkpoints_know_the_last_stage_alone(number: int | None, together: bool, restored: int) -> None:
    stages = Stages(in_turn((0.5, 0.3, 0.2), (Stage(), Stage(), Stage())))
    stages.restore(number, together)
    assert stages.number == restored
