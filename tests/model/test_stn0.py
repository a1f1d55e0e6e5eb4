import csv
from pathlib import Path

import pytest
import torch

from src.config.compose import compose
from src.image.pixels import upsample_bicubic
from src.image.warp import align_small
from src.model.checkpoint import load_checkpoint
from src.model.light import LightConfig
from src.model.parameters import parameter_count
from src.model.stn0 import STN0Config
from src.system.errors import UserError
from src.training.config import TrainConfig
from src.training.run import train
from tests.helpers.tiny_files import write_store

SMALL = ["model.generator.width=4", "model.generator.hidden=8", "data.batch_size=2", "data.workers=0", "trainer=cpu",
         "callbacks.progress=none", "trainer.log_every_n_steps=1"]  # fmt: skip


def test_it_is_the_aligner_of_the_light_generator() -> None:
    network = STN0Config().build()
    assert parameter_count(network) == 1_658_564
    light = LightConfig(localisation="aligner").build()
    assert light.stn is not None
    assert network.stn.state_dict().keys() == light.stn.state_dict().keys()


def test_its_image_is_the_bicubic_enlargement_of_the_aligned_face() -> None:
    network = STN0Config(width=4, hidden=4).build().eval()
    torch.nn.init.normal_(network.stn.head.weight)
    lr = torch.rand(2, 3, 16, 16) * 2 - 1
    image, heatmaps, matrix = network(lr)
    assert heatmaps == []
    assert matrix.equal(network.stn(lr))
    assert image.equal(upsample_bicubic(align_small(lr, matrix), 128))


def test_it_trains_by_the_known_transform_alone_for_the_whole_run(tmp_path: Path) -> None:
    stores = [f"data.{name}=[{write_store(tmp_path / name, faces)}]" for name, faces in (("train", 6), ("val", 3))]
    words = ["experiment=stn0", *SMALL, *stores, f"run_dir={tmp_path}/run", "trainer.max_epochs=2"]
    train(compose("train", TrainConfig, words))
    rows = list(csv.DictReader((tmp_path / "run/metrics.csv").read_text().splitlines()))
    assert not {name for name in rows[0] if name.startswith("loss/")} - {"loss/alignment", "loss/total"}
    assert {"val/corner_error_px", "val/angle_error_deg", "val/psnr_rgb"} <= rows[0].keys()
    checkpoint = load_checkpoint(tmp_path / "run/checkpoints/last.ckpt")
    assert checkpoint.config == STN0Config(width=4, hidden=8)
    content = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert content["averaged"]["updates"] == 6, "the average never starts over"
    # The same command with more epochs resumes, and the aligner is still alone.
    train(compose("train", TrainConfig, [*words, "trainer.max_epochs=3"]))
    content = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert content["averaged"]["updates"] == 9


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["loss.alignment=0"], "STN0 learns from the alignment loss alone"),
        (["loss.adversarial.weight=0.1"], "needs a discriminator, and this model has none"),
    ],
)
def test_what_it_cannot_learn_from_is_said(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        compose("train", TrainConfig, ["experiment=stn0", "data.train=[a]", "data.val=[a]", *words])
