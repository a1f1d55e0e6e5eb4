from pathlib import Path

import pytest
import torch
from conftest import write_store
from test_module import TINY
from test_run import command

from src.errors import UserError
from src.training.resume import differing, start_from


def test_two_epochs_and_two_more_are_four(tmp_path: Path) -> None:
    write_store(tmp_path / "train", 6, seed=1)
    write_store(tmp_path / "val", 2, seed=2)
    common = [
        "src.train", *TINY, "optimizer.schedule.cooldown=0", f"data.train=[{tmp_path}/train]",
        f"data.val=[{tmp_path}/val]",
    ]  # fmt: skip
    for words in (
        ["trainer.max_epochs=4", f"run_dir={tmp_path}/straight"],
        ["trainer.max_epochs=2", f"run_dir={tmp_path}/halves"],
        ["trainer.max_epochs=4", f"run_dir={tmp_path}/halves"],
    ):
        done = command(*common, *words)
        assert done.returncode == 0, done.stderr
    assert "going on from" in done.stderr
    straight, halves = (
        torch.load(tmp_path / run / "checkpoints/last.ckpt", weights_only=True) for run in ("straight", "halves")
    )
    assert straight["iterations"] == halves["iterations"] == 12
    for name, tensor in straight["state_dict"].items():
        assert torch.equal(tensor, halves["state_dict"][name]), name
    assert (tmp_path / "halves" / "metrics.before-1.csv").exists(), "the first half's log is kept"


def test_another_configuration_does_not_overwrite_a_run(tmp_path: Path) -> None:
    last = tmp_path / "checkpoints" / "last.ckpt"
    config = {"seed": 1, "trainer": {"max_epochs": 2}, "optimizer": {"lr": 1e-3}}
    assert start_from(tmp_path, last, config) is None
    last.parent.mkdir()
    last.touch()
    assert start_from(tmp_path, last, {**config, "trainer": {"max_epochs": 4}}) == last
    with pytest.raises(UserError, match=r"differs in optimizer\.lr, seed"):
        start_from(tmp_path, last, {**config, "seed": 2, "optimizer": {"lr": 1e-4}})


def test_a_key_that_is_new_differs() -> None:
    assert differing({"a": 1}, {"a": 1, "b": {"c": 2}}) == ["b"]
    assert differing({"logger": {"name": "csv"}}, {"logger": {"name": "none"}}) == []
