"""The experiments that train on faces with their surroundings: what they ask for, and that they train."""

import csv
from pathlib import Path

import pytest
import torch

from src.config.compose import compose
from src.model.checkpoint import load_checkpoint
from src.training.config import TrainConfig
from src.training.run import train
from tests.helpers.tiny_files import write_store
from tests.helpers.tiny_run import NETWORKS

STORES = ["data.train=[a]", "data.val=[a]"]
ALIGNED = ("demo", "celeba16x_light", "photo16x", "photo")
SMALL = [*NETWORKS, "data.batch_size=2", "data.workers=0", "data.synthetic=null", "callbacks.progress=none",
         "trainer=cpu", "trainer.max_epochs=2", "trainer.val_every_n_epochs=1", "trainer.log_every_n_steps=1",
         "loss.feature.weight=0"]  # fmt: skip


def config_of(name: str) -> TrainConfig:
    return compose("train", TrainConfig, [f"experiment={name}", *STORES])


@pytest.mark.parametrize("name", ALIGNED)
def test_they_align_by_the_face_and_restore_where_they_put_it(name: str) -> None:
    config = config_of(name)
    assert config.data.misalignment.fill == "context"
    assert config.model.generator.aligns_alone
    assert (config.loss.frame, config.loss.alignment_error) == ("own", "corners")
    assert 0 < config.loss.alignment_first < 1
    assert config.loss.pixel_error == ("squared" if name == "demo" else "log")


@pytest.mark.parametrize("name", ["celeba16x", "celeba16x_released"])
def test_the_published_method_stays_as_published(name: str) -> None:
    config = config_of(name)
    assert (config.data.misalignment.fill, config.data.degradation) == ("black", "bicubic")
    assert not config.model.generator.aligns_alone
    assert (config.loss.frame, config.loss.alignment, config.loss.alignment_first) == ("true", 0, 0)


def test_photo16x_is_light_for_a_camera_and_boxes_that_miss() -> None:
    light, photo = config_of("celeba16x_light"), config_of("photo16x")
    assert photo.data.degradation == "camera"
    moved = photo.data.misalignment
    assert (moved.rotation, moved.scale_min, moved.scale_max, moved.shift) == (35, 0.75, 1.15, 0.1)
    assert (photo.model, photo.loss, photo.optimizer) == (light.model, light.loss, light.optimizer)


@pytest.mark.parametrize("name", ALIGNED)
def test_they_train_the_aligner_first_and_then_all_of_it(name: str, tmp_path: Path) -> None:
    write_store(tmp_path / "train", 10, seed=1)
    write_store(tmp_path / "val", 3, seed=2)
    words = [f"experiment={name}", *SMALL, f"data.train=[{tmp_path}/train]", f"data.val=[{tmp_path}/val]"]
    words.append(f"run_dir={tmp_path}/run")
    train(compose("train", TrainConfig, words))
    content = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    first = compose("train", TrainConfig, words).loss.alignment_first
    assert content["averaged"]["updates"] == sum(number / 10 >= first for number in range(10))
    header, *rows = (tmp_path / "run/metrics.csv").read_text().splitlines()
    assert "val_ema/psnr_registered" in header
    assert len(rows) == 12  # ten batches and two validations


@pytest.mark.parametrize(
    "guidance",
    [
        ["model.generator.guidance=concat", "model.generator.heb.gradient=0"],
        ["model.generator.heb.resolution=16", "data.heatmaps.std=8", "loss.coordinates=0.1"],
        ["data.heatmaps.maps=5", "loss.structure.decay=0.5", "loss.structure.floor=0.001"],
        ["data.heatmaps.maps=68", "loss.coordinates=0.1"],
        ["loss.component=2", "model.generator.heb.enabled=false", "loss.structure.weight=0"],
    ],
    ids=["concat", "at 16", "5 maps", "68 maps", "component"],
)
def test_every_form_of_guidance_trains(guidance: list[str], tmp_path: Path) -> None:
    write_store(tmp_path / "train", 10, seed=1)
    write_store(tmp_path / "val", 3, seed=2)
    words = ["experiment=celeba16x_light", *SMALL, f"data.train=[{tmp_path}/train]", f"data.val=[{tmp_path}/val]"]
    config = compose("train", TrainConfig, [*words, f"run_dir={tmp_path}/run", "loss.alignment_first=0", *guidance])
    train(config)
    rows = list(csv.DictReader((tmp_path / "run/metrics.csv").read_text().splitlines()))
    assert len(rows) == 12
    assert rows[0]["guard/skipped"] == "0.0"
    assert ("loss/coordinates" in rows[0]) == (config.loss.coordinates > 0)
    assert load_checkpoint(tmp_path / "run/checkpoints/last.ckpt").config == config.model.generator
