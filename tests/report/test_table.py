import csv
import json
import math
from io import StringIO
from typing import Any

import pytest

from src.metric.image import IMAGE_METRICS
from src.report.scores import FaceScores, faces_csv, mean_of, summarise
from src.report.table import Protocol, metrics_json, report_md

NAN = float("nan")


def face(row: int, store: str = "a", mtun: float = 22.0, nose: float = 2.0, **changes: Any) -> FaceScores:
    def images(value: float) -> dict[str, float]:
        return dict(zip(IMAGE_METRICS, (value, value / 100, value + 1, value / 100 + 0.1), strict=True))

    values: dict[str, Any] = {
        "store": store,
        "row": row,
        "file": f"x/{row}, left.png",
        "identity": "Ann",
        "angle_deg": 12.5,
        "scale": 0.9,
        "shift_x_px": 1.0,
        "shift_y_px": -2.0,
        "images": {"bicubic": images(14.0), "bicubic_aligned": images(18.0), "mtun": images(mtun)},
        "peak_px": {"eyes": 1.0, "nose": nose, "mouth": 3.0, "chin": 4.0},
        "centroid_px": {"eyes": 0.5, "nose": nose, "mouth": 0.5, "chin": 0.5},
        "angle_error_deg": 3.0,
    }
    return FaceScores(**(values | changes))


PROTOCOL = Protocol(
    checkpoint="run/last.ckpt",
    checkpoint_sha256="ab" * 32,
    experiment="tiny",
    seed=7,
    epoch=3,
    iterations=40,
    parameters=1_250_000,
    stores=[{"path": "a", "faces": 2, "faces_in_store": 9, "images_sha256": "cd" * 32}],
    misalignment={"rotation": 30.0, "scale_min": 0.85, "scale_max": 1.0, "shift": 0.05},
    heatmap_side=64,
    device="CPU, 2 threads",
)


def test_a_hidden_component_leaves_the_mean_and_the_count() -> None:
    summary = summarise([face(0, nose=NAN), face(1, nose=2.0), face(2, nose=5.0)])
    assert (summary.peak_px["nose"].mean, summary.peak_px["nose"].faces) == (3.5, 2)
    assert summary.peak_px["eyes"].faces == 3
    assert summarise([face(0, nose=NAN)]).peak_px["nose"].mean is None


def test_means_are_per_image_with_the_sample_deviation() -> None:
    mean = mean_of([20.0, 24.0])
    assert mean.mean == 22.0
    assert mean.std == pytest.approx(2 * math.sqrt(2))
    assert mean_of([20.0]).std is None


def test_the_gain_is_over_the_better_bicubic_row() -> None:
    summary = summarise([face(0, mtun=20.0), face(1, mtun=23.0)])
    assert summary.better_bicubic == "bicubic_aligned"
    assert summary.gain("psnr_rgb") == pytest.approx(3.5)
    worse = face(0)
    worse.images["bicubic"]["psnr_rgb"] = 19.0
    assert summarise([worse]).better_bicubic == "bicubic"
    assert "Gain over the better bicubic row (bicubic of the unaligned input): +3.00 dB" in report_md([worse], PROTOCOL)


def test_the_csv_has_a_row_a_face_that_reads_back() -> None:
    rows = list(csv.DictReader(StringIO(faces_csv([face(0, nose=NAN), face(5, "b, c")]))))
    assert [(row["store"], row["row"], row["file"]) for row in rows] == [
        ("a", "0", "x/0, left.png"),
        ("b, c", "5", "x/5, left.png"),
    ]
    assert rows[0]["peak_px_nose"] == ""
    assert float(rows[1]["peak_px_nose"]) == 2.0
    assert float(rows[0]["mtun_psnr_rgb"]) == 22.0
    assert float(rows[0]["bicubic_aligned_ssim_y"]) == pytest.approx(0.28)
    assert (rows[0]["angle_deg"], rows[0]["shift_y_px"], rows[0]["angle_error_deg"]) == ("12.5", "-2", "3")


def test_the_json_is_strict_and_whole() -> None:
    def no_constants(text: str) -> None:
        raise AssertionError(text)

    text = metrics_json([face(0, nose=NAN), face(1, "b")], PROTOCOL)
    values = json.loads(text, parse_constant=no_constants)
    assert values["faces"] == 2
    assert values["methods"]["mtun"]["psnr_rgb"] == {"mean": 22.0, "std": 0.0, "faces": 2}
    assert values["gain"]["psnr_rgb"] == pytest.approx(4.0)
    assert values["heatmap_peak_px"]["nose"]["faces"] == 1
    assert set(values["stores"]) == {"a", "b"}
    assert values["stores"]["a"]["heatmap_peak_px"]["nose"]["mean"] is None
    assert values["data"][0]["images_sha256"] == "cd" * 32
    assert (values["experiment"], values["seed"], values["iterations"]) == ("tiny", 7, 40)


def test_the_report_has_the_table_and_the_protocol() -> None:
    text = report_md([face(0), face(1)], PROTOCOL)
    assert "| MTUN | 22.00 | 0.2200 | 23.00 | 0.3200 |" in text
    assert "| bicubic of the input aligned by the known transform | 18.00 |" in text
    assert "| peak | 1.00 | 2.00 | 3.00 | 4.00 | 2.50 |" in text
    assert "angle error of the STN: 3.00 degrees" in text
    for words in ("Per-image means over 2 faces", "within 30 degrees", "0.85-1", "within 0.05 of the side", "11x11"):
        assert words in text
    assert "experiment tiny, epoch (from 0) 3, training batches 40, seed 7, 1.25 M parameters" in text
    assert "All 2 faces" not in text


def test_several_stores_have_a_table_each() -> None:
    text = report_md([face(0, mtun=20.0), face(1, mtun=22.0), face(0, "b", mtun=27.0)], PROTOCOL)
    sections = text.split("\n## ")
    assert [section.splitlines()[0] for section in sections[1:]] == [
        "All 3 faces",
        "`a`: 2 faces",
        "`b`: 1 faces",
        "Protocol",
    ]
    assert [
        "| MTUN | 23.00 |" in sections[1],
        "| MTUN | 21.00 |" in sections[2],
        "| MTUN | 27.00 |" in sections[3],
    ] == [True] * 3


def test_without_heatmaps_or_stn_their_columns_are_left_out() -> None:
    bare = [face(0, peak_px={}, centroid_px={}, angle_error_deg=None)]
    protocol = Protocol(**(vars(PROTOCOL) | {"heatmap_side": None, "experiment": None}))
    text = report_md(bare, protocol)
    assert "eatmap" not in text
    assert "angle error" not in text
    assert "experiment" not in text
    assert "peak" not in faces_csv(bare)
    assert json.loads(metrics_json(bare, protocol))["angle_error_deg"] is None
