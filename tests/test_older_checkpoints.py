"""A checkpoint of the commit that gave the light generator its U-Net: later code resumes, evaluates and upscales it.

It holds a light generator of width 8 without an STN, trained for one epoch of 3 batches on `write_store(6, seed=1)`,
validated on `write_store(3, seed=2)`. That code's second epoch ended with the figures below.
`data.degradation` and `data.camera` are taken out, as if they were not yet keys.
"""

import csv
import gzip
from pathlib import Path

import pytest
from PIL import Image

from src.config.compose import compose
from src.evaluate import main as evaluate
from src.training.config import TrainConfig
from src.training.run import train
from src.upscale import main as upscale
from tests.helpers.tiny_files import write_store

FILE = Path(__file__).parent / "fixtures" / "light.ckpt.gz"
WORDS = ["experiment=demo", "model.generator.localisation=none", "loss.alignment=0", "model.generator.width=8",
         "model.generator.width64=4", "model.generator.blocks16=1", "model.generator.blocks32=1",
         "model.generator.heb.width=4", "model.generator.heb.stacks=1", "model.generator.heb.depth=1",
         "model.discriminator.widths=[1,1,1,1]", "model.discriminator.hidden=2", "data.batch_size=2", "data.workers=0",
         "callbacks.progress=none", "callbacks.panel=0", "trainer=cpu", "trainer.log_every_n_steps=1",
         "data.train=[train]", "data.val=[val]", "run_dir=out",
         # Whatever becomes of the demo.
         "data.misalignment.fill=black", "loss.frame=true", "loss.alignment_error=matrix", "loss.alignment_first=0",
         "optimizer.schedule.cooldown=0.3", "optimizer.lr=1e-3", "optimizer.localisation=1",
         "model.generator.aligner.width=64", "trainer.val_every_n_epochs=1",
         "loss.structure.weight=0.03"]  # fmt: skip


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_store(tmp_path / "train", 6, seed=1, margin=0)
    write_store(tmp_path / "val", 3, seed=2, margin=0)
    path = tmp_path / "out" / "checkpoints" / "last.ckpt"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.decompress(FILE.read_bytes()))
    return path


def test_it_resumes_as_the_code_that_wrote_it(before: Path) -> None:
    train(compose("train", TrainConfig, [*WORDS, "trainer.max_epochs=2"]))
    rows = list(csv.DictReader(Path("out/metrics.csv").read_text().splitlines()))
    assert float(rows[-2]["loss/total"]) == pytest.approx(0.9738833904266357, rel=1e-4)
    assert float(rows[-1]["val/psnr_rgb"]) == pytest.approx(12.01694107055664, abs=1e-3)
    assert float(rows[-1]["val_ema/psnr_rgb"]) == pytest.approx(12.00089168548584, abs=1e-3)
    # The highest pixel of a nearly flat map moves with the last digit.
    assert float(rows[-1]["val/heatmap_peak_px"]) == pytest.approx(19.91712188720703, abs=2)


def test_it_is_evaluated_and_upscales(before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["evaluate", f"checkpoint={before}", "data.test=[val]", "out=report"])
    evaluate()
    assert "MTUN-light, demo" in Path("report/report.md").read_text()
    Image.new("RGB", (16, 16)).save("face.png")
    assert upscale(["face.png", "--crops", "--checkpoint", str(before), "--out", "faces"]) == 0
    with Image.open("faces/face.png") as face:
        assert face.size == (128, 128)
