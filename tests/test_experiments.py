"""Every experiment and every debug mode: what it changes, and that it trains."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer

from src.config.compose import compose
from src.config.overrides import CONF, options
from src.data.module import FaceData
from src.system.errors import UserError
from src.system.plain import differing, to_plain
from src.training.config import TrainConfig
from src.training.module import FaceSR
from src.training.resume import BOUND, FREE
from src.training.run import train
from tests.helpers.tiny_files import write_store
from tests.helpers.tiny_run import NETWORKS, WHOLE

STORES = ["data.train=[a]", "data.val=[a]"]
ABLATIONS = {
    "no_heatmaps": {"model.generator.heb.enabled": False, "loss.structure.weight": 0.0},
    "no_adversarial": {"loss.adversarial.weight": 0.0},
    "no_feature": {"loss.feature.weight": 0.0},
    "pixel_only": {"loss.feature.weight": 0.0, "loss.adversarial.weight": 0.0, "loss.structure.weight": 0.0},
    "heb_16": {"model.generator.heb.resolution": 16, "data.heatmaps.std": 8.0},
    "heb_32": {"model.generator.heb.resolution": 32, "data.heatmaps.std": 4.0},
    "heb_64": {},
    "heb_128": {"model.generator.heb.resolution": 128},
    "stacks_1": {"model.generator.heb.stacks": 1},
    "stacks_2": {"model.generator.heb.stacks": 2},
    "stacks_4": {},
    "no_autoencoder": {"model.generator.autoencoder": False},
    "no_skip": {"model.generator.skip": False},
    "no_stn": {"model.generator.localisation": "none"},
}
NARROW = ["model.generator.encoder_widths=[4,4,4,4]", "model.generator.decoder_widths=[4,4,4,4]",
          "model.generator.upsampler_widths=[4,4]", "model.generator.features=8", "model.generator.heb.width=4",
          "model.discriminator.widths=[4,4,4,4]", "model.discriminator.hidden=8", "data.workers=0", "logger=none",
          "callbacks.progress=none", "trainer=cpu", "loss.feature.backbone=squeezenet1_0",
          "loss.feature.layer=features.7", "loss.feature.weights=random"]  # fmt: skip


def value(config: dict[str, Any], key: str) -> Any:
    for part in key.split("."):
        config = config[part]
    return config


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("stores")
    paths = write_store(folder / "train", 24, seed=1), write_store(folder / "val", 3, seed=2)
    return [f"data.{path.name}=[{path}]" for path in paths]


def fit(config: TrainConfig, batches: int) -> Trainer:
    torch.manual_seed(config.seed)
    trainer = Trainer(max_epochs=1, limit_train_batches=batches, limit_val_batches=1, accelerator="cpu", logger=False,
                      enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)  # fmt: skip
    trainer.fit(FaceSR(config), FaceData(config.data, config.model.generator.heatmap_side, config.seed))
    return trainer


def test_there_is_a_file_an_ablation() -> None:
    found = {name for name in options("experiment") if name.startswith("ablation/")}
    assert found == {f"ablation/{name}" for name in ABLATIONS}


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_is_celeba16x_but_for_what_it_says(name: str) -> None:
    base, ablation = (
        to_plain(compose("train", TrainConfig, [f"experiment={experiment}", *STORES]))
        for experiment in ("celeba16x", f"ablation/{name}")
    )
    assert differing(base, ablation, FREE, BOUND) == sorted(["name", *ABLATIONS[name]])
    assert {key: value(ablation, key) for key in ABLATIONS[name]} == ABLATIONS[name]
    assert ablation["name"] == f"celeba16x_{name}"


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_trains_for_the_terms_that_it_has(name: str, stores: list[str]) -> None:
    words = [f"experiment=ablation/{name}", *NARROW, *stores, "data.batch_size=2", "trainer.log_every_n_steps=1"]
    logged = fit(compose("train", TrainConfig, words), 1).callback_metrics
    terms = {"pixel", "feature", "adversarial", "structure", "total"}
    gone = {key.split(".")[1] for key, weight in ABLATIONS[name].items() if key.startswith("loss.") and weight == 0}
    assert {key.removeprefix("loss/") for key in logged if key.startswith("loss/")} == terms - gone
    assert ("val/heatmap_peak_px" in logged) == (name != "no_heatmaps")
    assert ("val/angle_error_deg" in logged) == (name != "no_stn")
    assert all(torch.isfinite(number) for key, number in logged.items() if key.startswith(("loss/", "val/psnr")))


@pytest.mark.parametrize("group", ["experiment", "debug", "sweep"])
def test_every_file_opens_with_the_command_that_runs_it(group: str) -> None:
    for name in options(group):
        lines = (CONF / group / f"{name}.yaml").read_text().splitlines()
        assert lines[0] == "# @package _global_", name
        assert lines[1].startswith("# python -m src.train "), name
        assert f"{group}={name}" in lines[1], name


DEBUG = ["experiment=demo", *NETWORKS, *WHOLE, "callbacks.progress=none", "callbacks.panel=0", "data.workers=0",
         "trainer=cpu"]  # fmt: skip


def test_overfit_sees_the_same_faces_for_ever_and_validates_on_them(stores: list[str]) -> None:
    config = compose("train", TrainConfig, [*DEBUG, *stores, "debug=overfit"])
    data = FaceData(config.data, 32, config.seed)
    data.setup("fit")
    batches = []
    for epoch in (0, 1):
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        (batch,) = list(loader)
        batches.append(data.on_after_batch_transfer(batch, 0))
    (val,) = [data.on_after_batch_transfer(batch, 0) for batch in data.val_dataloader()]
    first, second, val_lr = (sorted(face.sum().item() for face in pairs.lr) for pairs in (*batches, val))
    assert len(first) == 8
    assert first == pytest.approx(second)
    assert first == pytest.approx(val_lr), "no mirroring, no other light, the same misalignment"
    assert config.loss.adversarial.weight == 0
    assert batches[0].matrix.std() > 0.05, "misaligned all the same"


def test_a_handful_must_fill_a_batch() -> None:
    with pytest.raises(UserError, match="overfit=4 is below batch_size=16"):
        compose("train", TrainConfig, [*DEBUG, *STORES, "data.overfit=4"])


def test_limit_takes_one_percent_and_at_least_a_batch(stores: list[str], tmp_path: Path) -> None:
    for share, batches in ((0.01, 1), (0.25, 3)):
        run = tmp_path / f"{share}"
        words = [*DEBUG, *stores, "debug=limit", "trainer.max_epochs=1", "data.batch_size=2", f"run_dir={run}"]
        words += [] if share == 0.01 else [f"trainer.limit_train_batches={share}"]
        train(compose("train", TrainConfig, words))
        assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["iterations"] == batches


@pytest.mark.parametrize(("text", "words"), [("0.0", "must be above 0"), ("1.5", "at most 1.0"), ("0", "at least 1")])
def test_a_share_of_the_batches_is_a_share(text: str, words: str) -> None:
    with pytest.raises(UserError, match=f"limit_train_batches.*{words}"):
        compose("train", TrainConfig, [*DEBUG, *STORES, f"trainer.limit_train_batches={text}"])


def test_profile_leaves_the_costliest_operations_and_the_hooks(stores: list[str], tmp_path: Path) -> None:
    words = [*DEBUG, *stores, "debug=profile", "data.batch_size=2", f"run_dir={tmp_path}"]
    train(compose("train", TrainConfig, words))
    text = (tmp_path / "profile.txt").read_text()
    assert "Operations of 5 training batches" in text
    table = text.partition("Hooks of the whole run")[0]
    assert "convolution_backward" in table
    percent = [float(line.split()[1].rstrip("%")) for line in table.splitlines() if line.strip().startswith("aten::")]
    assert len(percent) > 10
    assert percent == sorted(percent, reverse=True), "by their own time"
    assert "FaceSR.on_validation_epoch_end" in text.partition("Hooks of the whole run")[2]


def test_nan_stops_at_the_first_one_and_says_where(stores: list[str], tmp_path: Path) -> None:
    words = [*DEBUG, *stores, "debug=nan", "data.batch_size=2", "optimizer.lr=1e30", f"run_dir={tmp_path}"]
    # The first update's weights are as large as the rate: the layer is named, not the loss that is made of them.
    with pytest.raises(UserError, match=r"come from generator\.\S+ \(\w+\)"):
        train(compose("train", TrainConfig, words))
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert len(rows) <= 4, "the first bad batch ended it"
