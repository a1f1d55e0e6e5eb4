import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from src.evaluation.run.config import EvaluateConfig
from src.evaluation.run.run import evaluate, spread
from src.evaluation.run.write import write_results

from src.config.compose import compose
from src.data.pairs import (
    VALIDATION_EPOCH,
    VALIDATION_SEED,
    MisalignmentConfig,
    draw_misalignment,
    face_random,
    make_pair,
)
from src.evaluate import main
from src.image.pixels import to_network, upsample_bicubic
from src.metric.image import image_metrics
from src.model.checkpoint import load_checkpoint
from src.model.hourglass import HEBConfig
from src.model.light import LightConfig
from src.store.read import FaceStore, FaceStores
from src.system.errors import UserError
from tests.helpers.tiny_files import checkpoint_content, write_store

ROOT = Path(__file__).resolve().parents[1]
CPU = torch.device("cpu")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "src.evaluate", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_rows_are_those_of_a_face_measured_by_hand(checkpoint_file: Path, face_store: Path) -> None:
    checkpoint = load_checkpoint(checkpoint_file)
    rows = evaluate(checkpoint, FaceStores([face_store]), CPU, batch_size=2).rows
    assert [row.row for row in rows] == list(range(5))
    row = 3
    hr = to_network(torch.from_numpy(FaceStore(face_store).images([row])))
    drawn = draw_misalignment(MisalignmentConfig(), face_random(VALIDATION_SEED, VALIDATION_EPOCH, row))
    lr, _ = make_pair(hr, torch.from_numpy(drawn)[None])
    for method, image in (("bicubic", upsample_bicubic(lr, 128)), ("mtun", checkpoint.generator(lr).image)):
        wanted = {name: float(value) for name, value in image_metrics(image.detach(), hr).items()}
        assert rows[row].images[method] == pytest.approx(wanted, abs=1e-3)
    assert rows[row].angle_deg == pytest.approx(np.rad2deg(drawn[0]), abs=1e-4)
    assert rows[row].shift_x_px == pytest.approx(drawn[2] * 64, abs=1e-4)
    assert rows[row].identity == "person 1"
    assert set(rows[row].peak_px) == {"eyes", "nose", "mouth", "chin"}


def test_the_known_transform_helps_and_an_untrained_stn_is_off_by_the_rotation(
    checkpoint_file: Path, face_store: Path
) -> None:
    rows = evaluate(load_checkpoint(checkpoint_file), FaceStores([face_store]), CPU).rows
    for row in rows:
        assert row.images["bicubic_aligned"]["psnr_rgb"] > row.images["bicubic"]["psnr_rgb"]
        assert row.angle_error_deg == pytest.approx(abs(row.angle_deg), abs=1e-3)


def test_a_face_is_misaligned_alike_whatever_stands_beside_its_store(
    checkpoint_file: Path, face_store: Path, tmp_path: Path
) -> None:
    checkpoint = load_checkpoint(checkpoint_file)
    other = write_store(tmp_path / "other", 3, seed=1)
    alone = evaluate(checkpoint, FaceStores([face_store]), CPU).rows
    beside = evaluate(checkpoint, FaceStores([other, face_store]), CPU, batch_size=3)
    assert [row.row for row in beside.rows] == [0, 1, 2, 0, 1, 2, 3, 4]
    for one, two in zip(alone, beside.rows[3:], strict=True):
        assert (one.store, one.row, one.file, one.angle_deg) == (two.store, two.row, two.file, two.angle_deg)
        assert one.images["mtun"] == pytest.approx(two.images["mtun"], abs=1e-3)
    assert [store["faces"] for store in beside.protocol.stores] == [3, 5]


def test_the_misalignment_is_the_checkpoints_own(face_store: Path, tmp_path: Path) -> None:
    content = checkpoint_content()
    content["hyper_parameters"]["data"]["misalignment"]["rotation"] = 0.0
    torch.save(content, tmp_path / "upright.ckpt")
    evaluation = evaluate(load_checkpoint(tmp_path / "upright.ckpt"), FaceStores([face_store]), CPU)
    assert [row.angle_deg for row in evaluation.rows] == [0.0] * 5
    assert evaluation.protocol.misalignment["rotation"] == 0.0


def test_without_heatmaps_and_stn_their_figures_are_left_out(face_store: Path, tmp_path: Path) -> None:
    bare = LightConfig(
        width=16, blocks16=1, blocks32=1, localisation="none", heb=HEBConfig(enabled=False, resolution=32, depth=2)
    )
    torch.save(checkpoint_content(bare), tmp_path / "bare.ckpt")
    evaluation = evaluate(load_checkpoint(tmp_path / "bare.ckpt"), FaceStores([face_store]), CPU, grid_faces=1)
    assert evaluation.rows[0].peak_px == {}
    assert evaluation.rows[0].angle_error_deg is None
    assert evaluation.protocol.heatmap_side is None
    assert evaluation.grid is not None
    assert evaluation.grid.shape[1] == 4 + 5 * 132


def test_faces_and_grid_are_spread_evenly(checkpoint_file: Path, face_store: Path) -> None:
    assert spread(9, 3).tolist() == [0, 4, 8]
    assert spread(2, 3).tolist() == [0, 1]
    assert spread(9, None).tolist() == list(range(9))
    evaluation = evaluate(load_checkpoint(checkpoint_file), FaceStores([face_store]), CPU, faces=3, grid_faces=2)
    assert [row.row for row in evaluation.rows] == [0, 2, 4]
    assert evaluation.grid is not None
    assert evaluation.grid.shape[0] == 22 + 2 * 132 + 22


def test_maps_that_do_not_fit_the_network(face_store: Path, tmp_path: Path) -> None:
    content = checkpoint_content()
    content["hyper_parameters"]["data"]["heatmaps"]["maps"] = 5
    torch.save(content, tmp_path / "five.ckpt")
    with pytest.raises(UserError, match=r"estimates 4 heatmaps, its data\.heatmaps\.maps is 5"):
        evaluate(load_checkpoint(tmp_path / "five.ckpt"), FaceStores([face_store]), CPU)


def test_a_failed_write_leaves_the_old_report(
    checkpoint_file: Path, face_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = evaluate(load_checkpoint(checkpoint_file), FaceStores([face_store]), CPU)
    write_results(tmp_path, evaluation)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    whole = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if "grid" in path.name:
            whole(path, data[:100])
            raise OSError(28, "No space left on device")
        return whole(path, b"changed")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="No space left"):
        write_results(tmp_path, evaluation)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_command_writes_the_report_and_nothing_else(
    checkpoint_file: Path, face_store: Path, tmp_path: Path
) -> None:
    other = write_store(tmp_path / "stores" / "other", 3, seed=1)
    done = run(
        tmp_path, f"checkpoint={checkpoint_file}", f"data.test=[{face_store},{other}]", "out=report", "device=cpu"
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report", "stores"]  # no outputs/, no .hydra, no log
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "grid.png",
        "metrics.csv",
        "metrics.json",
        "report.md",
    ]
    with (tmp_path / "report" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    values = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert len(rows) == values["faces"] == 8
    mean = sum(float(row["mtun_psnr_rgb"]) for row in rows) / 8
    assert values["methods"]["mtun"]["psnr_rgb"]["mean"] == pytest.approx(mean, abs=1e-3)
    assert f"{mean:.2f}" in done.stdout
    assert "report/report.md" in done.stdout
    assert "Traceback" not in done.stderr
    with Image.open(tmp_path / "report" / "grid.png") as grid:
        assert grid.size == (4 + 6 * 132, 22 + 8 * 132 + 22)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["checkpoint=none.ckpt"], "none.ckpt does not exist"),
        (["data.test=[none]"], "none does not exist"),
        (["data.test=[]"], "data.test is empty"),
        (["batch_size=0"], "batch_size must be 1 or more"),
        (["bathc_size=4"], "did you mean 'batch_size'"),
        (["out=file.txt"], "file.txt is a file"),
    ],
)
def test_mistakes_are_one_line(
    checkpoint_file: Path,
    face_store: Path,
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
    monkeypatch.setattr(sys, "argv", ["evaluate", *overrides, *filled])
    with pytest.raises(SystemExit, match="2"):
        main()
    message = capsys.readouterr().err.strip()
    assert words in message
    assert len(message.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_the_defaults_of_the_schema_are_those_of_the_file() -> None:
    config = compose("evaluate", EvaluateConfig, ["checkpoint=x", "data.test=[y]"])
    assert config == EvaluateConfig("x", config.data)
    assert config.data.test == ("y",)
