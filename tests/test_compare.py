import csv
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from src.compare import main
from src.evaluation.compare import metrics_config
from src.metric.image import psnr, unit_images
from src.report.read import read_results
from src.system.errors import UserError
from tests.helpers.tiny_onnx import constant_detector, constant_network


def save(folder: Path, pictures: Mapping[str, NDArray[np.uint8]], ending: str = "png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        Image.fromarray(picture).save(folder / f"{name}.{ending}")
    return folder


def noisy(pictures: Mapping[str, NDArray[np.uint8]], strength: float) -> dict[str, NDArray[np.uint8]]:
    random = np.random.default_rng(1)
    return {
        name: (picture + random.normal(0, strength, picture.shape)).clip(0, 255).astype(np.uint8)
        for name, picture in pictures.items()
    }


@pytest.fixture
def pictures() -> dict[str, NDArray[np.uint8]]:
    """Three smooth pictures, one of another size."""
    y, x = np.mgrid[:64, :64]
    waves = [np.stack([x * k, y * k, (x + y) * k], -1).astype(float) for k in (1.0, 1.5, 0.7)]
    found = {name: (wave % 256).astype(np.uint8) for name, wave in zip("abc", waves, strict=True)}
    return {**found, "c": found["c"][:40, :30]}


def test_folders_are_measured_as_faces_are(
    pictures: dict[str, NDArray[np.uint8]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hr = save(tmp_path / "hr", pictures, "bmp")
    good, bad = noisy(pictures, 4), noisy(pictures, 12)
    good["b"] = pictures["b"]  # identical
    folders = [save(tmp_path / "x" / "sr", good), save(tmp_path / "y" / "sr", bad)]
    save(folders[0], {"a_heatmaps": pictures["a"]})
    code = main([*map(str, folders), "--hr", str(hr), "--out", str(tmp_path / "report"), "--metrics", "ms_ssim=true"])
    assert code == 0
    written = read_results(tmp_path / "report")
    assert [row.file for row in written.rows] == ["a.bmp", "b.bmp", "c.bmp"]
    assert list(written.protocol.methods) == ["sr", "sr_2"]
    means = written.values["methods"]
    assert (means["sr"]["psnr_rgb"]["faces"], means["sr"]["psnr_rgb"]["infinite"]) == (2, 1)
    assert means["sr_2"]["ms_ssim_rgb"]["faces"] == 3
    x, y = (torch.from_numpy(one["c"]).permute(2, 0, 1)[None] / 127.5 - 1 for one in (bad, pictures))
    assert written.rows[2].methods["sr_2"].whole["psnr_rgb"] == pytest.approx(psnr(*unit_images(x, y)).item(), abs=1e-3)
    (paired,) = (one for one in written.values["paired"] if one["metric"] == "psnr_y")
    assert paired["faces"] == 2
    assert paired["high"] < 0
    text = (tmp_path / "report" / "report.md").read_text()
    assert "Pictures of equal names are compared with those of" in text
    assert "rotated" not in text
    assert (tmp_path / "report" / "report.html").read_text().count("data:image/png;base64,") == 3 * 3
    assert "1 images are identical to HR" in capsys.readouterr().out
    assert written.values["bins"] == {"own_size": {}, "yaw": {}, "misalignment": {}}
    assert not (tmp_path / "report" / "grid.png").exists()  # of several sizes


def test_nme_takes_the_given_landmarks_else_those_of_the_backend(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(0.3, 0.7, (68, 2)).astype(np.float32)
    weights = tmp_path / "weights"
    weights.mkdir()
    constant_network(weights / "network.onnx", points)
    constant_detector(weights / "detector.onnx", [(0.2, 0.2, 0.8, 0.8)], [0.9], (32, 32))
    same = {name: np.full((128, 128, 3), 90, np.uint8) for name in ("one", "two")}
    hr, sr = save(tmp_path / "hr", same), save(tmp_path / "sr", noisy(same, 9))
    common = [str(sr), "--hr", str(hr), "--metrics", "landmarks=onnx", f"landmarks_weights={weights}"]
    assert main([*common, "--out", str(tmp_path / "own")]) == 0
    own = json.loads((tmp_path / "own" / "metrics.json").read_text())["methods"]["sr"]
    assert own["nme_percent"]["faces"] == 2
    assert "nme_hr_percent" not in own
    table = tmp_path / "landmarks.npz"
    np.savez(table, names=np.array(["images/two.jpg", "three"]), landmarks=np.stack([points * 128] * 2))
    assert main([*common, "--out", str(tmp_path / "given"), "--landmarks", str(table)]) == 0
    with (tmp_path / "given" / "metrics.csv").open() as file:
        one, two = csv.DictReader(file)
    assert (one["sr_nme_percent"], one["yaw_deg"]) == ("", "")
    assert float(two["sr_nme_percent"]) > 0
    assert two["sr_nme_percent"] == two["sr_nme_hr_percent"]  # the network answers the same whatever it sees
    assert (tmp_path / "given" / "grid.png").is_file()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("lacks", r"sr lacks 1 of the 3 pictures of .*hr: b$"),
        ("more", r"sr has 1 pictures that .*hr lacks: d; names are compared without their ending"),
        ("size", r"sr: 1 of 3 pictures differ in size from those of HR: b is 32x32, not 64x64$"),
        ("twice", r"sr has a.jpg and a.png: one picture a name"),
        ("empty", r"sr holds no picture"),
        ("gone", r"sr does not exist: give a folder of pictures"),
        ("broken", r"b.png: damaged or cut short"),
        ("small", r"c.png is 30x8: SSIM needs at least 11 pixels"),
        ("landmarks", r"--landmarks .*names none of the 3 pictures"),
    ],
)
def test_mistakes_are_a_line_and_nothing_is_written(
    pictures: dict[str, NDArray[np.uint8]],
    tmp_path: Path,
    change: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hr, sr = save(tmp_path / "hr", pictures), save(tmp_path / "sr", pictures)
    more = []
    match change:
        case "lacks":
            (sr / "b.png").unlink()
        case "more":
            save(sr, {"d": pictures["a"]})
        case "size":
            save(sr, {"b": pictures["b"][:32, :32]})
        case "twice":
            save(sr, {"a": pictures["a"]}, "jpg")
        case "empty":
            for path in sr.iterdir():
                path.unlink()
        case "gone":
            shutil.rmtree(sr)
        case "broken":
            (sr / "b.png").write_bytes((sr / "b.png").read_bytes()[:60])
        case "small":
            save(hr, {"c": pictures["c"][:8]})
        case "landmarks":
            np.savez(tmp_path / "x.npz", names=np.array(["z"]), landmarks=np.zeros((1, 68, 2)))
            more = ["--landmarks", str(tmp_path / "x.npz")]
    assert main([str(sr), "--hr", str(hr), "--out", str(tmp_path / "report"), *more]) == 2
    error = capsys.readouterr().err
    assert all(line.startswith("error: ") for line in error.splitlines())
    assert re.search(words.removesuffix("$"), error)
    assert not (tmp_path / "report").exists()


def test_names_that_are_no_text_are_written_in_words(pictures: dict[str, NDArray[np.uint8]], tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff<i>")
    named = {odd: pictures["a"], "b": pictures["b"]}
    hr, sr = save(tmp_path / f"hr{odd}", named), save(tmp_path / f"sr{odd}", noisy(named, 5))
    assert main([str(sr), "--hr", str(hr), "--out", str(tmp_path / "report")]) == 0
    written = read_results(tmp_path / "report")
    assert sorted(row.file for row in written.rows) == ["\\udcff<i>.png", "b.png"]
    assert list(written.protocol.methods) == ["sr\\udcff<i>"]
    assert "\\udcff&lt;i&gt;.png" in (tmp_path / "report" / "report.html").read_text()


def test_one_picture_has_no_interval(pictures: dict[str, NDArray[np.uint8]], tmp_path: Path) -> None:
    one = {"a": pictures["a"]}
    hr, sr = save(tmp_path / "hr", one), save(tmp_path / "sr", noisy(one, 5))
    assert main([str(sr), "--hr", str(hr), "--out", str(tmp_path / "report")]) == 0
    mean = read_results(tmp_path / "report").values["methods"]["sr"]["psnr_rgb"]
    assert (mean["faces"], mean["low"], mean["high"], mean["std"]) == (1, None, None, None)
    assert mean["mean"] > 20


def test_the_metrics_are_those_of_evaluate() -> None:
    assert metrics_config(["lpips=squeeze", "metrics.identity_std=128"]).identity_std == 128.0
    for words, message in (
        (["lpisp=alex"], "did you mean 'lpips'"),
        (["lpips"], "write KEY=VALUE"),
        (["lpips=resnet"], "--metrics lpips: "),
        (["identity_std=0"], "identity_std must be above 0"),
    ):
        with pytest.raises(UserError, match=message):
            metrics_config(words)
