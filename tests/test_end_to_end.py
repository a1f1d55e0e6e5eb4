"""The commands of the README one after the other, as a person would type them, on a dozen drawn faces."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chain")
    run("src.prepare", "source=synthetic", "source.train=8", "source.val=4", f"out={folder}/faces")
    run(
        "src.train",
        "experiment=demo",
        "debug=fast",
        "trainer=cpu",
        "data.batch_size=4",
        f"data.train=[{folder}/faces/train]",
        f"data.val=[{folder}/faces/val]",
        f"run_dir={folder}/run",
    )
    return folder


def test_preparing_again_has_nothing_to_do(folder: Path) -> None:
    done = run("src.prepare", "source=synthetic", "source.train=8", "source.val=4", f"out={folder}/faces")
    assert "nothing to do" in done.stdout + done.stderr


def test_evaluation_writes_a_table_a_row_a_face_and_a_picture(folder: Path) -> None:
    checkpoint = folder / "run" / "checkpoints" / "best.ckpt"
    run("src.evaluate", f"checkpoint={checkpoint}", f"data.test=[{folder}/faces/val]", f"out={folder}/evaluation")
    assert len(list(csv.DictReader((folder / "evaluation/metrics.csv").open()))) == 4
    assert json.loads((folder / "evaluation/metrics.json").read_text())
    report = (folder / "evaluation/report.md").read_text()
    assert "PSNR" in report
    assert "bicubic" in report
    with Image.open(folder / "evaluation/grid.png") as grid:
        assert grid.width > 6 * 128


def test_upscaling_a_picture(folder: Path) -> None:
    Image.new("RGB", (200, 150), (200, 150, 120)).save(folder / "someone.jpg")
    checkpoint = folder / "run" / "checkpoints" / "best.ckpt"
    run("src.upscale", f"{folder}/someone.jpg", "--crops", "--checkpoint", str(checkpoint), "--out", f"{folder}/up")
    with Image.open(folder / "up/someone.png") as face:
        assert face.size == (128, 128)


def test_a_demo_draws_its_own_faces_once(folder: Path) -> None:
    words = ["src.train", "experiment=demo", "debug=fast", "trainer=cpu", "data.batch_size=4", "data.synthetic.train=6",
             "data.synthetic.val=2", f"data.synthetic.out={folder}/own", f"run_dir={folder}/run2"]  # fmt: skip
    run(*words)
    card = folder / "own" / "train" / "card.json"
    written = card.stat().st_mtime_ns
    run(*words)
    assert card.stat().st_mtime_ns == written
