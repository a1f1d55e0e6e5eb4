import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer

from src.callbacks.checkpoints import Checkpoints
from src.data.module import FaceData
from src.system.errors import UserError
from src.system.plain import differing, to_plain
from src.training.config import TrainConfig
from src.training.module import FaceSR
from src.training.resume import BOUND, FREE, start_from
from src.training.run import train
from tests.helpers.tiny_files import write_store
from tests.training.test_module import tiny

ALONE = ["model.generator.localisation=aligner", "loss.alignment=1", "loss.alignment_first=0.5"]


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    # Curves take longer to draw than an epoch here takes to train.
    monkeypatch.setattr("src.callbacks.curves.draw_curves", lambda *_: None)


@pytest.fixture
def stores(tmp_path: Path) -> list[str]:
    paths = write_store(tmp_path / "train", 6, seed=1), write_store(tmp_path / "val", 2, seed=2)
    return [f"data.{path.name}=[{path}]" for path in paths]


def log_of(folder: Path) -> str:
    return (folder / "metrics.csv").read_text()


def same_run(one: Path, other: Path) -> None:
    """Two run folders hold the same run to the bit."""
    first, second = (torch.load(folder / "checkpoints/last.ckpt", weights_only=True) for folder in (one, other))
    assert first["iterations"] == second["iterations"]
    for kind in ("state_dict", "optimizer_states", "averaged", "callbacks", "FaceData", "random_states"):
        assert same(first.get(kind), second.get(kind)), kind
    assert log_of(one) == log_of(other)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize(
    ("overrides", "taken", "multiples"),
    [
        (["data.workers=0", "trainer.max_epochs=2"], slice(None), 1),
        (["data.workers=2", "trainer.max_epochs=3", "trainer.val_every_n_epochs=2"], slice(1, None, 4), 1),
        (["data.workers=1", "trainer.max_epochs=2", "trainer.accumulate=2"], slice(None), 2),
        (
            ["data.workers=0", "trainer.max_epochs=2", *ALONE],
            slice(None),
            1,
        ),  # the STN alone in the first three batches
    ],
)
def test_from_every_checkpoint_of_a_run_the_same_command_makes_the_same_run(
    tmp_path: Path,
    stores: list[str],
    overrides: list[str],
    taken: slice,
    multiples: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tiny(stores, "trainer.log_every_n_steps=2", "callbacks.save_every_n_steps=1",
                  "callbacks.performance=false", "callbacks.panel=0", *overrides,
                  f"run_dir={tmp_path}/straight")  # fmt: skip
    put_in_place, saved = Checkpoints._put_in_place, []

    def keep(self: Checkpoints, written: Path) -> None:
        put_in_place(self, written)
        saved.append(tmp_path / f"after save {len(saved)}")
        shutil.copytree(tmp_path / "straight", saved[-1])  # the folder as a kill at this moment leaves it

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "_put_in_place", keep)
        train(config)
    positions = [torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["iterations"] for folder in saved]
    # Every batch and both sides of a validation; with groups of two, an epoch of three ends with a group of one.
    assert set(positions) == {
        batch for batch in range(1, 3 * config.trainer.max_epochs + 1) if batch % 3 % multiples == 0
    }
    for folder in saved[taken]:
        train(replace(config, run_dir=str(folder)))
        same_run(tmp_path / "straight", folder)


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
    assert log_of(tmp_path / "halves") == log_of(tmp_path / "straight"), "one log, as if nothing had happened"


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


def test_a_key_that_is_new_differs() -> None:
    assert differing({"a": 1}, {"a": 1, "b": {"c": 2}}, FREE, BOUND) == ["b"]
    assert differing({"logger": {"name": "csv"}}, {"logger": {"name": "none"}}, FREE, BOUND) == []
    before, after = ({"trainer": {"accumulate": value, "max_epochs": value}} for value in (1, 2))
    assert differing(before, after, FREE, BOUND) == ["trainer.accumulate"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run's folder; to be copied, not changed."""
    folder = tmp_path_factory.mktemp("whole")
    write_store(folder / "train", 6, seed=1)
    write_store(folder / "val", 2, seed=2)
    train(small(folder))
    return folder


def small(folder: Path, *overrides: str) -> TrainConfig:
    stores = [f"data.{name}=[{folder}/{name}]" for name in ("train", "val")]
    return tiny(stores, "logger=none", "trainer.max_epochs=1", "callbacks.save_every_n_steps=2",
                f"run_dir={folder}/run", *overrides)  # fmt: skip


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole / "run", tmp_path / "run"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, flip, lambda path: path.write_bytes(b""), Path.unlink])
def test_the_checkpoint_before_is_taken_when_the_last_is_damaged(
    damage: Callable[[Path], None], run: Path, whole: Path
) -> None:
    last, previous = run / "checkpoints/last.ckpt", run / "checkpoints/previous.ckpt"
    damage(last)
    damaged = last.exists()
    start = start_from(run, to_plain(small(whole)))
    assert start.path == previous
    assert "2 batches done" in start.remarks[-1], "the one before the end"
    assert not last.exists(), "or it would become the one before, and the good one be lost"
    assert damaged == (run / "checkpoints/last.damaged").exists()
    assert len(start.remarks) == 1 + damaged
    assert "last.ckpt" in start.remarks[0] or not damaged


def test_without_a_whole_checkpoint_nothing_is_begun_anew_on_the_quiet(run: Path, whole: Path) -> None:
    cut(run / "checkpoints/last.ckpt")
    cut(run / "checkpoints/previous.ckpt")
    with pytest.raises(UserError, match=r"no checkpoint in .*checkpoints can be used .*cut short.*delete the folder"):
        start_from(run, to_plain(small(whole)))


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_a_payload_is_refused_and_not_run(tmp_path: Path, run: Path, whole: Path) -> None:
    torch.save({"state_dict": Payload(tmp_path / "executed")}, tmp_path / "bad.ckpt")
    with pytest.raises(UserError, match=r"resume=.*bad\.ckpt is refused: .*nothing was run"):
        start_from(tmp_path / "new", to_plain(small(whole, f"resume={tmp_path}/bad.ckpt")))
    shutil.copy(tmp_path / "bad.ckpt", run / "checkpoints/last.ckpt")
    assert start_from(run, to_plain(small(whole))).path == run / "checkpoints/previous.ckpt"
    assert not (tmp_path / "executed").exists()


def test_a_new_folder_begins_where_resume_says(tmp_path: Path, whole: Path) -> None:
    wanted = f"resume={whole}/run"
    new = tmp_path / "new"
    config = small(whole, "trainer.max_epochs=2", wanted, f"run_dir={new}")
    assert start_from(new, to_plain(config)).path == whole / "run/checkpoints/last.ckpt"
    train(config)
    content = torch.load(new / "checkpoints/last.ckpt", weights_only=True)
    assert content["iterations"] == 6
    assert (new / "checkpoints/best.ckpt").exists(), "the best of this folder, whatever the other one reached"
    # The same command again goes on here, not there; another beginning is not possible in a folder that has begun.
    assert start_from(new, to_plain(config)).path == new / "checkpoints/last.ckpt"
    with pytest.raises(UserError, match="holds a run already"):
        start_from(new, to_plain(replace(config, resume=f"{whole}/run/checkpoints/best.ckpt")))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["resume=nowhere"], r"resume=nowhere: nowhere does not exist"),
        (["resume=."], r"resume=\.: no complete checkpoint is in"),
        (["resume={run}", "seed=2", "data.batch_size=3"], r"differs in data\.batch_size, seed; give the same values"),
        (["resume={run}"], r"max_epochs=1: .*last\.ckpt has already done 1 epochs; give a larger trainer\.max_epochs"),
        (["resume={run}", "trainer.accumulate=2"], r"differs in trainer\.accumulate"),
        (
            ["resume={run}", "optimizer=rmsprop"],
            r"from a run with adam, and rmsprop cannot use the state of adam; give op",
        ),
    ],
)
def test_what_cannot_be_resumed_is_said_in_a_line_and_begins_nothing(
    overrides: list[str], words: str, tmp_path: Path, whole: Path
) -> None:
    wanted = [text.format(run=whole / "run") for text in overrides]
    with pytest.raises(UserError, match=words):
        start_from(tmp_path / "new", to_plain(small(whole, *wanted)))
    assert not (tmp_path / "new").exists()


def test_a_generator_alone_is_nothing_to_go_on_from(tmp_path: Path, checkpoint_file: Path, whole: Path) -> None:
    with pytest.raises(UserError, match=r"is not from a training \(it lacks optimizer_states, loops, callbacks\)"):
        start_from(tmp_path, to_plain(small(whole, f"resume={checkpoint_file}")))


def test_another_configuration_does_not_overwrite_a_run(run: Path, whole: Path) -> None:
    before = (run / "config.yaml").read_text()
    with pytest.raises(UserError, match=r"differs in optimizer\.lr, seed; choose another run_dir"):
        start_from(run, to_plain(small(whole, "seed=2", "optimizer.lr=0.1")))
    assert (run / "config.yaml").read_text() == before
    further = small(whole, "trainer.max_epochs=4", "guard.max_consecutive=3")
    assert start_from(run, to_plain(further)).path == run / "checkpoints/last.ckpt"


def test_fewer_epochs_than_there_have_been_are_said_in_a_line(tmp_path: Path, whole: Path) -> None:
    train(small(whole, "trainer.max_epochs=2", f"run_dir={tmp_path}/run"))
    with pytest.raises(UserError, match=r"max_epochs=1: .* has already done 2 epochs"):
        train(small(whole, f"run_dir={tmp_path}/run"))


def test_a_run_that_diverged_goes_on_elsewhere_at_a_lower_rate(
    tmp_path: Path, whole: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = [f"resume={whole}/run", "trainer.max_epochs=2", "optimizer.lr=1e-5", f"run_dir={tmp_path}/new"]
    with caplog.at_level("INFO", "src"):
        last = train(small(whole, *words))
    assert "changed from here on: optimizer.lr" in caplog.text
    content = torch.load(last, weights_only=True)
    assert content["iterations"] == 6
    assert content["optimizer_states"][0]["param_groups"][0]["lr"] <= 1e-5


def test_changed_constants_of_the_optimiser_hold_from_there_on(tmp_path: Path, whole: Path) -> None:
    words = [f"resume={whole}/run", "trainer.max_epochs=2", "optimizer.betas=[0.5,0.7]", f"run_dir={tmp_path}/new"]
    content = torch.load(train(small(whole, *words)), weights_only=True)
    assert [state["param_groups"][0]["betas"] for state in content["optimizer_states"]] == [(0.5, 0.7)] * 2


def test_a_new_folder_has_what_is_left_of_the_time(tmp_path: Path, whole: Path) -> None:
    train(small(whole, "trainer.max_time=00:00:01:00", f"run_dir={tmp_path}/run"))
    last = tmp_path / "run/checkpoints/last.ckpt"
    content = torch.load(last, weights_only=True)
    content["callbacks"]["Timer"]["time_elapsed"]["train"] = 60.5
    torch.save(content, last)
    words = [f"resume={last}", "trainer.max_epochs=2", f"run_dir={tmp_path}/new"]
    with pytest.raises(UserError, match=r"max_time=00:00:01:00: .*last\.ckpt has already trained for 0:01:00; give a"):
        train(small(whole, "trainer.max_time=00:00:01:00", *words))
    assert not (tmp_path / "new").exists(), "nothing was trained, so nothing is said to be there"
    assert torch.load(train(small(whole, "trainer.max_time=01:00:00:00", *words)), weights_only=True)["iterations"] == 6


def test_a_checkpoint_that_cannot_be_read_now_is_not_taken_for_a_damaged_one(
    run: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("src.model.checkpoint.torch.load", fail)
    with pytest.raises(UserError, match=r"last\.ckpt cannot be read: Input/output error"):
        start_from(run, to_plain(small(whole)))
    assert (run / "checkpoints/last.ckpt").exists()


def test_a_tuned_run_goes_on_with_what_it_has_found(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["trainer.tune=true", f"run_dir={tmp_path}/tuned"]
    monkeypatch.setattr("src.training.tuning.ROUNDS", 1)
    # As if the contiguous layout in bfloat16 had been the fastest.
    monkeypatch.setattr("src.training.tuning.fast_bfloat16", lambda gpu: True)
    monkeypatch.setattr("src.training.tuning.fastest_seconds", lambda steps, *_: [3.0, 2.0, 1.0, 4.0][: len(steps)])
    with caplog.at_level("INFO", "src"):
        train(small(whole, *words))
    assert "bf16-mixed " in caplog.text.partition("< taken")[0].splitlines()[-1]
    assert "precision bf16-mixed" in caplog.text
    trainer = torch.load(tmp_path / "tuned/checkpoints/last.ckpt", weights_only=True)["hyper_parameters"]["trainer"]
    assert (trainer["precision"], trainer["channels_last"]) == ("bf16-mixed", False)
    monkeypatch.setattr("src.training.tuning.fastest_seconds", lambda *_: pytest.fail("not once more"))
    train(small(whole, *words, "trainer.max_epochs=2"))
    again = torch.load(tmp_path / "tuned/checkpoints/last.ckpt", weights_only=True)["hyper_parameters"]["trainer"]
    assert (again["precision"], again["channels_last"]) == ("bf16-mixed", False)
    # Elsewhere, perhaps on another machine, something else may be the fastest.
    monkeypatch.setattr("src.training.tuning.fastest_seconds", lambda steps, *_: [1.0, 2.0, 3.0, 4.0][: len(steps)])
    elsewhere = [f"resume={tmp_path}/tuned", "trainer.tune=true", "trainer.max_epochs=3", f"run_dir={tmp_path}/new"]
    anew = torch.load(train(small(whole, *elsewhere)), weights_only=True)["hyper_parameters"]["trainer"]
    assert (anew["precision"], anew["channels_last"]) == ("32-true", False)
