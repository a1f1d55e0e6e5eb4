import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from src.config.compose import compose
from src.evaluate import main
from src.evaluation.config import EvaluateConfig
from src.system.errors import UserError
from tests.helpers.tiny_files import write_store

ROOT = Path(__file__).resolve().parents[1]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "src.evaluate", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_writes_the_report_and_nothing_else(
    checkpoint_file: Path, face_store: Path, tmp_path: Path
) -> None:
    other = write_store(tmp_path / "stores" / "other", 3, seed=1)
    done = run(
        tmp_path, f"checkpoint={checkpoint_file}", f"data.test=[{face_store},{other}]", "out=report", "device=cpu"
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report", "stores"]  # no outputs/, no .hydra, no log
    written = {path.name for path in (tmp_path / "report").iterdir()} - {
        "metrics.parquet"
    }  # where pyarrow is installed
    assert sorted(written) == [
        "charts.png",
        "grid.png",
        "metrics.csv",
        "metrics.json",
        "report.html",
        "report.md",
    ]
    with (tmp_path / "report" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    values = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert len(rows) == values["faces"] == 8
    mean = sum(float(row["tiny_psnr_rgb"]) for row in rows) / 8
    assert values["methods"]["tiny"]["psnr_rgb"]["mean"] == pytest.approx(mean, abs=1e-3)
    assert f"{mean:.2f}" in done.stdout
    assert "report/report.md" in done.stdout
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 8 * 5  # each face: LR, three methods, HR
    assert "Traceback" not in done.stderr
    with Image.open(tmp_path / "report" / "grid.png") as grid:
        assert grid.size == (4 + 6 * 132, 22 + 8 * 132 + 22)


def test_several_methods_share_one_table(checkpoint_file: Path, face_store: Path, tmp_path: Path) -> None:
    done = run(tmp_path, f"method=[{checkpoint_file},bicubic]", f"data.test=[{face_store}]", "out=report")
    assert done.returncode == 0, done.stderr
    values = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert list(values["methods"]) == ["tiny", "bicubic"]
    assert list(values["gain"]) == ["tiny"]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["checkpoint=none.ckpt"], "none.ckpt does not exist"),
        (["checkpoint=bicubic"], "bicubic does not exist: give one that src.train wrote"),
        (["protocol.scale_max=inf"], "protocol: scale_min must be above 0 and at most scale_max"),
        (["data.test=[none]"], "none does not exist"),
        (["data.test=[]"], "data.test is empty"),
        (["batch_size=0"], "batch_size must be 1 or more"),
        (["bathc_size=4"], "did you mean 'batch_size'"),
        (["out=file.txt"], "file.txt is a file"),
        (["method=[bicubik]", "checkpoint=null"], "no method is called 'bicubik'"),
        (["method=[bicubic]", "checkpoint=null", "out=null"], "add out=DIR"),
        (["protocol.rotation=190"], "protocol: rotation must be 0-180 degrees"),
        (["protocol.fill=white"], "protocol.fill"),
        (["protocol=wild"], "there is no protocol/wild; there are aligned, camera, context, photo, published"),
        (["protocol=context", "data.test=[BARE]"], "fill=context needs faces with their surroundings"),
        (["protocol=camera", "protocol.camera.noise=60"], "noise must be 0-50 grey levels, not 60"),
        (["protocol.camera.blur=3"], "blur must be 0-2 pixels of the LR face, not 3"),
        (["protocol.degradation=wet"], "protocol.degradation"),
        (["protocol.seed=-1"], "protocol: seed must be 0 or more"),
        (["run=sweep"], "run= measures the checkpoints of a sweep: leave out checkpoint= and method="),
        (["run=sweep", "checkpoint=null"], "run=sweep is no folder: give the folder of a sweep"),
        (["reference=full"], "reference= is the full model of a sweep"),
        (["metrics.lpips=resnet"], "metrics.lpips"),
        (["metrics.identity_crop=2"], "identity_crop must be 0.3-1, not 2"),
    ],
)
def test_mistakes_are_one_line(
    checkpoint_file: Path,
    face_store: Path,
    bare_store: Path,
    tmp_path: Path,
    overrides: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file.txt").touch()
    given = {override.split("=")[0] for override in overrides}
    defaults = {"checkpoint": str(checkpoint_file), "data.test": f"[{face_store}]", "out": "report"}
    filled = [f"{key}={value}" for key, value in defaults.items() if key not in given]
    monkeypatch.chdir(tmp_path)
    overrides = [override.replace("BARE", str(bare_store)) for override in overrides]
    monkeypatch.setattr(sys, "argv", ["evaluate", *overrides, *filled])
    with pytest.raises(SystemExit, match="2"):
        main()
    message = capsys.readouterr().err.strip()
    assert words in message
    assert len(message.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_the_defaults_of_the_schema_are_those_of_the_file() -> None:
    config = compose("evaluate", EvaluateConfig, ["checkpoint=x", "data.test=[y]"])
    assert config == EvaluateConfig(config.data, "x")
    assert config.data.test == ("y",)
    assert config.named == ("bicubic", "bicubic_aligned")


@pytest.mark.parametrize("name", ["published", "context", "aligned", "camera"])
def test_every_protocol_runs_on_faces_with_their_surroundings(name: str, checkpoint_file: Path, tmp_path: Path) -> None:
    store = write_store(tmp_path / "wide", 3, margin=48)
    words = [f"protocol={name}", f"checkpoint={checkpoint_file}", f"data.test=[{store}]", f"out={tmp_path}/report"]
    done = run(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    values = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert values["protocol"]["name"] == name
    assert {"angle_error_deg", "scale_error_percent", "shift_error_px", "psnr_registered"} <= set(
        values["methods"]["tiny"]
    )


def test_neither_a_checkpoint_nor_a_method_is_a_mistake() -> None:
    with pytest.raises(UserError, match=r"nothing to measure: add checkpoint=FILE, or method="):
        compose("evaluate", EvaluateConfig, ["data.test=[y]"])
