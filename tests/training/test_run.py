import csv
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import yaml

import src.training.run
from src.model.checkpoint import load_checkpoint
from src.system.errors import UserError
from tests.helpers.tiny_files import write_store
from tests.helpers.tiny_run import TINY, tiny_run

ROOT = Path(__file__).parents[2]


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("run")
    write_store(folder / "train", 6, seed=1)
    write_store(folder / "val", 3, seed=2)
    done = command(
        "src.train",
        *TINY,
        "callbacks.progress=auto",
        "callbacks.progress_seconds=0",
        "trainer.max_epochs=2",
        "trainer.log_every_n_steps=2",
        f"data.train=[{folder}/train]",
        f"data.val=[{folder}/val]",
        f"run_dir={folder}/out",
    )
    assert done.returncode == 0, done.stderr
    return folder / "out", done


def test_the_run_folder_is_said_first_and_last(run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    lines = run[1].stderr.strip().splitlines()
    assert lines[0] == lines[-1] == f"run folder: {run[0]}"
    assert "site-packages" not in run[1].stderr, "a library's advice to whoever wrote the code"
    assert any("epoch 1/2 batch" in line and "faces/s" in line for line in lines), "plain progress without a terminal"


def test_the_composed_configuration_is_saved(run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    saved = yaml.safe_load((run[0] / "config.yaml").read_text())
    assert saved["model"]["generator"]["width"] == 8
    assert saved["trainer"]["max_epochs"] == 2


def test_losses_and_metrics_are_logged_by_batches(run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    rows = list(csv.DictReader((run[0] / "metrics.csv").open()))
    training = [row for row in rows if row["loss/total"]]
    # 3 batches an epoch: batches 2, 4 and 6 are logged; counted from 0, and not once an optimiser.
    assert [int(row["step"]) for row in training] == [1, 3, 5]
    for name in ("loss/pixel", "loss/adversarial", "loss/structure", "loss/alignment", "gan/loss_discriminator",
                 "gan/accuracy_real", "gan/accuracy_fake", "optim/lr_generator", "optim/lr_discriminator",
                 "optim/grad_norm_generator", "optim/grad_norm_discriminator"):  # fmt: skip
        assert all(row[name] for row in training), name
    assert len([row for row in rows if row["val/psnr_rgb"]]) == 2


def test_both_checkpoints_load_with_plain_values_only(run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    for name in ("last.ckpt", "best.ckpt"):
        content = torch.load(run[0] / "checkpoints" / name, weights_only=True)
        assert {"generator", "discriminator"} == {key.split(".")[0] for key in content["state_dict"]}
    assert load_checkpoint(run[0] / "checkpoints/last.ckpt").iterations == 6
    assert not list((run[0] / "checkpoints").glob("*.tmp"))


def test_the_last_epoch_was_validated_once(run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    assert sum("val/psnr_rgb" in line and line.startswith("epoch 2 ") for line in run[1].stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data.train=[nowhere]", "data.val=[nowhere]"], "nowhere does not exist"),
        (["loss.feature.weight=0.01", "loss.feature.weights=no.pth"], "no.pth: no such file"),
    ],
)
def test_a_mistake_costs_one_line_and_no_logs(overrides: list[str], words: str, tmp_path: Path) -> None:
    stores = [f"data.{name}=[{write_store(tmp_path / name, 4)}]" for name in ("train", "val")]
    done = command("src.train", *TINY, *stores, *overrides, f"run_dir={tmp_path}/out")
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert words in errors[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "metrics.csv").exists()


def test_a_wandb_run_goes_offline_and_leaves_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    write_store(tmp_path / "train", 4, seed=1)
    done = command(
        "src.train",
        *TINY,
        "logger=wandb",
        "debug=fast",
        f"data.train=[{tmp_path}/train]",
        f"data.val=[{tmp_path}/train]",
        f"run_dir={tmp_path}/out",
    )
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out" / "wandb").glob("offline-run-*/*.wandb"))
    assert (tmp_path / "out" / "metrics.csv").exists(), "the CSV is there beside it"


def test_what_only_another_process_lacks_is_said_by_that_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_run(tmp_path, "data.val=[elsewhere/store]")
    monkeypatch.setattr(src.training.run, "PATIENCE", 0)
    monkeypatch.setattr(src.training.run, "first_process", lambda: False)
    monkeypatch.setattr(src.training.run, "process_number", lambda: 3)
    # Were it silent, with 0, the first one would wait for it for half an hour.
    with pytest.raises(UserError, match="process 3: elsewhere/store"):
        src.training.run.train(config)


@pytest.mark.parametrize(
    ("override", "policy"),
    [
        ("seed=1", "kept"),
        ("trainer.keep_freed_memory=false", "usual"),
        ("trainer.checkpoint_activations=true", "returned"),
    ],
)
def test_freed_memory_is_seen_to_while_it_trains(
    override: str, policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[object] = []

    @contextmanager
    def note(policy: str) -> Iterator[None]:
        happened.append(policy)
        yield
        happened.append("over")

    monkeypatch.setattr(src.training.run, "freed_memory", note)
    monkeypatch.setattr(src.training.run, "_fit", lambda *_: happened.append("trains"))
    src.training.run.train(tiny_run(tmp_path, override))
    assert happened == [policy, "trains", "over"]


@pytest.mark.parametrize(
    ("overrides", "metric"),
    [
        ([], "val_ema/psnr_rgb"),
        (["ema.enabled=false"], "val/psnr_rgb"),
        (["callbacks.monitor=val/ssim_y"], "val/ssim_y"),
    ],
)
def test_the_best_is_that_of_the_weights_which_evaluation_takes(
    overrides: list[str], metric: str, tmp_path: Path
) -> None:
    assert tiny_run(tmp_path, *overrides).monitor == metric
