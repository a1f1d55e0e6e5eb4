"""A generator from outside, without heatmaps and without STN, goes through the whole project."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import src.model.config
from src.evaluate import main as evaluate
from src.model.checkpoint import load_checkpoint
from src.model.light import LightConfig
from src.model.output import Upscaled
from src.model.stage import WHOLE
from src.system.errors import UserError
from src.training.run import train
from src.upscale import main as upscale
from tests.helpers.tiny_run import tiny_run


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 3 * 64, 3, padding=1), nn.PixelShuffle(8))

    def forward(self, lr: Tensor) -> Upscaled:
        return Upscaled(self.layers(lr), [], None)


@dataclass(frozen=True)
class PlainConfig:
    name: Literal["plain"] = "plain"
    title, heatmaps, heatmap_side, aligns, aligns_alone, stages = "Plain", 4, None, False, False, WHOLE

    def build(self) -> nn.Module:
        return Plain()

    def parameter_groups(self, generator: nn.Module) -> list[list[nn.Parameter]]:
        return [list(generator.parameters())]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    words = [
        "loss.alignment=0",
        "trainer.max_epochs=1",
        "callbacks.panel=2",
        "trainer.tune=true",
        "trainer.detect_anomaly=true",
    ]
    config = tiny_run(folder, "model.generator.localisation=none", *words)
    config = replace(config, model=replace(config.model, generator=PlainConfig()))  # type: ignore[arg-type]
    train(config)
    return folder / "out"


def test_it_trains_validates_and_leaves_a_checkpoint(run_dir: Path) -> None:
    rows = list(csv.DictReader((run_dir / "metrics.csv").read_text().splitlines()))
    assert {"loss/pixel", "loss/adversarial", "val/psnr_rgb", "val_ema/psnr_rgb"} <= rows[0].keys()
    assert not [name for name in rows[0] if "structure" in name or "alignment" in name or "angle" in name]
    assert (run_dir / "panel.png").is_file()
    state = torch.load(run_dir / "checkpoints/last.ckpt", weights_only=True)
    assert state["hyper_parameters"]["model"]["generator"] == {"name": "plain"}


def test_it_is_evaluated_and_upscales(run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(src.model.config, "GeneratorConfig", LightConfig | PlainConfig)
    checkpoint, out = run_dir / "checkpoints/last.ckpt", tmp_path / "report"
    words = [f"checkpoint={checkpoint}", f"data.test=[{run_dir.parent}/val]", f"out={out}"]
    monkeypatch.setattr("sys.argv", ["evaluate", *words])
    evaluate()
    text = (out / "report.md").read_text()
    assert "| Plain, demo |" in text
    assert "angle error" not in text
    assert "eatmap" not in text
    Image.new("RGB", (20, 20), (200, 100, 50)).save(tmp_path / "face.png")
    assert (
        upscale(
            [str(tmp_path / "face.png"), "--crops", "--checkpoint", str(checkpoint), "--out", str(tmp_path / "faces")]
        )
        == 0
    )
    assert [path.name for path in (tmp_path / "faces").iterdir()] == ["face.png"]


def test_a_version_without_it_names_those_that_it_has(run_dir: Path) -> None:
    with pytest.raises(UserError, match="no generator is called 'plain': this version knows 'mtun', 'light'"):
        load_checkpoint(run_dir / "checkpoints/last.ckpt")
