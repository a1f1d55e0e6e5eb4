"""The compared methods that are networks: their size, what they train for, that they train and are evaluated."""

import csv
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from src.config.compose import compose
from src.config.overrides import options
from src.evaluate import main as evaluate
from src.model.light import LightConfig
from src.model.parameters import parameter_count
from src.training.config import TrainConfig
from src.training.run import train
from src.upscale import main as upscale
from tests.helpers.tiny_files import write_store

STORES = ["data.train=[a]", "data.val=[a]"]
SMALL_D = ["model.discriminator.widths=[4,4,4,4]", "model.discriminator.hidden=8"]
BASELINES = {
    # parameters of U and of D, the terms, the overrides that make them small
    "urdgn": (398_883, 6_859_425, {"pixel", "adversarial"}, [*SMALL_D, "model.generator.widths=[4,4,4,4]"]),
    "srresnet": (1_697_175, None, {"pixel"}, ["model.generator.width=4", "model.generator.blocks=1"]),
    "srgan": (
        1_697_175,
        38_245_569,
        {"pixel", "feature", "adversarial"},
        [*SMALL_D, "model.generator.width=4", "model.generator.blocks=1", "loss.feature.backbone=squeezenet1_0",
         "loss.feature.layer=features.7", "loss.feature.weights=random"],
    ),
    "xu2017": (
        537_603,
        6_861_475,
        {"pixel", "adversarial"},
        [*SMALL_D, "model.generator.width=4", "model.generator.blocks=1"],
    ),
    "tdae": (
        6_909_529,
        6_859_425,
        {"pixel", "adversarial", "aligned_lr"},
        [*SMALL_D, "model.generator.entry=[4]", "model.generator.decoder_widths=[4,4,4,4]",
         "model.generator.encoder_widths=[4,4,4,4]", "trainer.max_epochs=2"],
    ),
    "plain_light": (
        3_456_876,
        929_105,
        {"pixel", "adversarial"},
        [*SMALL_D, "model.generator.width=8", "model.generator.width64=4", "model.generator.blocks16=1",
         "loss.feature.weight=0"],
    ),
}  # fmt: skip
DICTIONARIES = ("nearest_face", "ma2010")
"""The others; tests/training/test_dictionary_run.py has them."""
UNALIGNED = ("plain_light", "tdae")
every_baseline = pytest.mark.parametrize("name", BASELINES)


def config_of(name: str, *words: str) -> TrainConfig:
    return compose("train", TrainConfig, [f"experiment=baseline/{name}", *STORES, *words])


def test_there_is_a_file_a_baseline() -> None:
    found = {name for name in options("experiment") if name.startswith("baseline/")}
    assert found == {f"baseline/{name}" for name in (*BASELINES, *DICTIONARIES)}


@every_baseline
def test_their_sizes_are_those_of_the_works(name: str) -> None:
    config = config_of(name)
    with torch.device("meta"):
        generator, discriminator = config.model.generator.build(), config.build_discriminator()
    assert parameter_count(generator) == BASELINES[name][0]
    assert (None if discriminator is None else parameter_count(discriminator)) == BASELINES[name][1]
    assert config.name == name


@every_baseline
def test_all_but_the_plain_trunk_and_tdae_train_on_aligned_pairs(name: str) -> None:
    assert config_of(name).data.misalignment.upright == (name not in UNALIGNED)


def test_the_plain_trunk_costs_what_the_light_generator_costs() -> None:
    def cost(generator: torch.nn.Module) -> float:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            generator.eval()(torch.zeros(1, 3, 16, 16))
        return float(counter.get_total_flops())

    plain, light = config_of("plain_light").model.generator, LightConfig()
    assert not plain.aligns
    assert plain.heatmap_side is None
    assert plain.title == "light trunk"
    assert parameter_count(plain.build()) == pytest.approx(parameter_count(light.build()), rel=0.01)
    assert cost(plain.build()) == pytest.approx(cost(light.build()), rel=0.01)
    misaligned = config_of("plain_light").data.misalignment
    assert misaligned == compose("train", TrainConfig, ["experiment=celeba16x_light", *STORES]).data.misalignment


@every_baseline
def test_each_trains_for_its_terms_is_evaluated_behind_an_aligner_and_upscales(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = [f"data.{split}=[{write_store(tmp_path / split, faces)}]" for split, faces in (("train", 4), ("val", 2))]
    words = [*stores, "data.batch_size=2", "data.workers=0", "callbacks.progress=none", "callbacks.panel=0",
             "trainer=cpu", "trainer.max_epochs=1", "trainer.log_every_n_steps=1", f"run_dir={tmp_path}/run",
             *BASELINES[name][3]]  # fmt: skip
    train(config_of(name, *words))
    rows = list(csv.DictReader((tmp_path / "run/metrics.csv").read_text().splitlines()))
    terms = {key.removeprefix("loss/") for key in rows[0] if key.startswith("loss/")}
    gone = {"feature"} if name == "plain_light" else set()
    assert terms == (BASELINES[name][2] - gone) | {"total"}
    assert "val_ema/psnr_rgb" in rows[0]
    checkpoint = f"{tmp_path}/run/checkpoints/last.ckpt"
    monkeypatch.setattr("sys.argv", ["evaluate", f"method=[{checkpoint}@known,{checkpoint}]", "align=none",
                                     f"data.test=[{tmp_path}/val]", f"out={tmp_path}/report"])  # fmt: skip
    evaluate()
    about = json.loads((tmp_path / "report/metrics.json").read_text())["about"]
    assert list(about) == [f"{name}_known", name]
    assert about[name]["needs_aligned"] == (None if name in UNALIGNED else True)
    assert about[f"{name}_known"]["align"] == "known"
    Image.new("RGB", (16, 16), (200, 100, 50)).save(tmp_path / "face.png")
    assert (
        upscale([str(tmp_path / "face.png"), "--crops", "--checkpoint", checkpoint, "--out", str(tmp_path / "faces")])
        == 0
    )
    with Image.open(tmp_path / "faces/face.png") as face:
        assert face.size == (128, 128)
