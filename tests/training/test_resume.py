from pathlib import Path

import pytest
import torch
from conftest import write_store
from test_module import tiny

from src.errors import UserError
from src.training.resume import differing, start_from
from src.training.run import train


@pytest.fixture
def stores(tmp_path: Path) -> list[str]:
    paths = write_store(tmp_path / "train", 6, seed=1), write_store(tmp_path / "val", 2, seed=2)
    return [f"data.{path.name}=[{path}]" for path in paths]


def test_two_epochs_and_two_more_are_four(tmp_path: Path, stores: list[str]) -> None:
    for epochs, folder in ((4, "straight"), (2, "halves"), (4, "halves")):
        last = train(
            tiny(
                stores,
                "optimizer.schedule.cooldown=0",
                "data.workers=1",
                f"trainer.max_epochs={epochs}",
                f"run_dir={tmp_path}/{folder}",
            )
        )
    straight = torch.load(tmp_path / "straight/checkpoints/last.ckpt", weights_only=True)
    halves = torch.load(last, weights_only=True)
    assert straight["iterations"] == halves["iterations"] == 12
    for name, tensor in straight["state_dict"].items():
        assert torch.equal(tensor, halves["state_dict"][name]), name
    assert straight["callbacks"] == halves["callbacks"]
    assert (tmp_path / "halves" / "metrics.before-1.csv").exists(), "the first half's log is kept"


def test_a_finished_run_is_left_as_it_is(tmp_path: Path, stores: list[str]) -> None:
    config = tiny(stores, "trainer.max_epochs=1", f"run_dir={tmp_path}/run")
    first = torch.load(train(config), weights_only=True)
    again = torch.load(train(config), weights_only=True)
    assert first["iterations"] == again["iterations"]
    assert all(torch.equal(first["state_dict"][name], again["state_dict"][name]) for name in first["state_dict"])


def test_a_run_that_its_time_cuts_is_validated_and_saved(tmp_path: Path, stores: list[str]) -> None:
    config = tiny(
        stores,
        "trainer.max_epochs=100000",
        "trainer.max_time=00:00:00:03",
        "trainer.val_every_n_epochs=100000",
        f"run_dir={tmp_path}/run",
    )
    checkpoint = torch.load(train(config), weights_only=True)
    assert checkpoint["iterations"] > 1
    rates = [group["lr"] for state in checkpoint["optimizer_states"] for group in state["param_groups"]]
    assert max(rates) < 1e-4, "the cool-down follows the clock"
    assert (tmp_path / "run/checkpoints/best.ckpt").exists()


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
