from pathlib import Path

import pytest
import torch
from conftest import write_store
from lightning import Callback, Trainer
from test_module import tiny

from src.callbacks.checkpoints import Checkpoints
from src.data.module import FaceData
from src.errors import UserError
from src.training.module import FaceSR
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


class StopAt(Callback):
    """Ends the training in mid-epoch, as `max_time` does."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_train_batch_end(self, trainer: Trainer, *rest: object) -> None:
        if trainer.fit_loop.total_batch_idx == self.batch:
            trainer.should_stop = True


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_cut_in_mid_epoch_goes_on_with_the_faces_it_has_not_seen(
    tmp_path: Path, stores: list[str], workers: int
) -> None:
    config = tiny(stores, "optimizer.schedule.cooldown=0", "trainer.max_epochs=3", f"data.workers={workers}")

    def run(folder: str, *callbacks: Callback, resume: Path | None = None) -> Path:
        torch.manual_seed(config.seed)
        checkpoints = Checkpoints(str(tmp_path / folder), "val/psnr_rgb")
        trainer = Trainer(max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False,
                          enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
                          callbacks=[checkpoints, *callbacks])  # fmt: skip
        data = FaceData(config.data, 32, config.seed)
        trainer.fit(FaceSR(config), data, ckpt_path=resume, weights_only=True)
        return checkpoints.last_path

    straight = torch.load(run("straight"), weights_only=True)
    cut = run("cut", StopAt(4))  # the second of the second epoch's three batches
    assert torch.load(cut, weights_only=True)["iterations"] == 5
    resumed = torch.load(run("cut", resume=cut), weights_only=True)
    assert straight["iterations"] == resumed["iterations"] == 9
    for name, tensor in straight["state_dict"].items():
        assert torch.equal(tensor, resumed["state_dict"][name]), name


def test_jobs_of_one_process_keep_their_logs_apart(tmp_path: Path, stores: list[str]) -> None:
    for name in ("a", "b"):
        train(tiny(stores, "debug=fast", f"run_dir={tmp_path}/{name}"))
    assert "/b/" not in (tmp_path / "a" / "train.log").read_text()
    assert "newest checkpoint" in (tmp_path / "b" / "train.log").read_text()


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
        "trainer.max_time=00:00:00:02",
        "trainer.val_every_n_epochs=100000",
        f"run_dir={tmp_path}/run",
    )
    checkpoint = torch.load(train(config), weights_only=True)
    assert checkpoint["iterations"] >= 1
    assert len(checkpoint["optimizer_states"]) == 2, "the run can go on from it"
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
