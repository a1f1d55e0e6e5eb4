import csv
import json
import math
from dataclasses import replace
from io import StringIO

import pytest

from src.metric.image import IMAGE_METRICS
from src.metric.load import all_metrics
from src.report.faces_file import faces_csv
from src.report.metrics_json import metrics_json
from src.report.protocol import MethodCard, Protocol
from src.report.report_md import report_md
from src.report.scores import FaceScores, MethodScores, mean_of, summarise
from src.report.table import component_table

NAN = float("nan")
BICUBIC = "bicubic of the unaligned input"
ALIGNED = "bicubic of the input aligned by the known transform"


def images(value: float) -> dict[str, float]:
    return dict(zip(IMAGE_METRICS, (value, value / 100, value + 1, value / 100 + 0.1), strict=True))


def face(
    row: int, store: str = "a", mtun: float = 22.0, nose: float = 2.0, bicubic: float = 14.0, bare: bool = False
) -> FaceScores:
    components = {
        "heatmap_peak_px": {"eyes": 1.0, "nose": nose, "mouth": 3.0, "chin": 4.0},
        "heatmap_centroid_px": {"eyes": 0.5, "nose": nose, "mouth": 0.5, "chin": 0.5},
    }
    trained = MethodScores(images(mtun)) if bare else MethodScores(images(mtun) | {"angle_error_deg": 3.0}, components)
    methods = {
        "bicubic": MethodScores(images(bicubic)),
        "bicubic_aligned": MethodScores(images(18.0)),
        "tiny": trained,
    }
    return FaceScores(store, row, f"x/{row}, left.png", "Ann", 12.5, 0.9, 1.0, -2.0, methods)


TINY = {"checkpoint": "run/last.ckpt", "experiment": "tiny", "seed": 7, "iterations": 40, "heatmap_side": 64}
PROTOCOL = Protocol(
    name="published",
    misalignment={
        "rotation": 30.0,
        "scale_min": 0.85,
        "scale_max": 1.0,
        "shift": 0.05,
        "fill": "black",
        "degradation": "bicubic",
        "seed": 0,
    },
    methods={
        "bicubic": MethodCard(BICUBIC, {}, trained=False),
        "bicubic_aligned": MethodCard(ALIGNED, {}, trained=False),
        "tiny": MethodCard("MTUN-light, tiny", TINY, trained=True),
    },
    metrics=[metric.card for metric in all_metrics()],
    stores=[{"path": "a", "faces": 2, "faces_in_store": 9, "images_sha256": "cd" * 32}],
    device="CPU, 2 threads",
)


def test_a_hidden_component_leaves_the_mean_and_the_count() -> None:
    peak = summarise([face(0, nose=NAN), face(1, nose=2.0), face(2, nose=5.0)]).methods["tiny"].components
    assert (peak["heatmap_peak_px"]["nose"].mean, peak["heatmap_peak_px"]["nose"].faces) == (3.5, 2)
    assert peak["heatmap_peak_px"]["eyes"].faces == 3
    alone = summarise([face(0, nose=NAN)]).methods["tiny"].components
    assert alone["heatmap_peak_px"]["nose"].mean is None


def test_means_are_per_image_with_the_sample_deviation() -> None:
    mean = mean_of([20.0, 24.0])
    assert mean.mean == 22.0
    assert mean.std == pytest.approx(2 * math.sqrt(2))
    assert mean_of([20.0]).std is None


def test_the_gain_is_over_the_better_reference() -> None:
    gain = json.loads(metrics_json([face(0, mtun=20.0), face(1, mtun=23.0)], PROTOCOL))["gain"]["tiny"]
    assert gain["over"] == "bicubic_aligned"
    assert gain["psnr_rgb"] == pytest.approx(3.5)
    text = report_md([face(0, bicubic=19.0)], PROTOCOL)
    assert f"Gain of MTUN-light, tiny over the better reference ({BICUBIC}): PSNR RGB +3.00 dB, SSIM RGB +0.03" in text


def test_a_gain_in_an_error_is_how_much_less_of_it_there_is() -> None:
    row = face(0)
    for name, error in (("bicubic", 5.0), ("bicubic_aligned", 4.0), ("tiny", 3.0)):
        row.methods[name].whole["angle_error_deg"] = error
    assert json.loads(metrics_json([row], PROTOCOL))["gain"]["tiny"]["angle_error_deg"] == 1.0
    assert "angle error +1.00 deg." in report_md([row], PROTOCOL)


def test_without_a_reference_or_a_trained_method_there_is_no_gain() -> None:
    for kept in (["tiny"], ["bicubic", "bicubic_aligned"]):
        rows = [replace(face(0), methods={name: face(0).methods[name] for name in kept})]
        protocol = replace(PROTOCOL, methods={name: PROTOCOL.methods[name] for name in kept})
        assert json.loads(metrics_json(rows, protocol))["gain"] == {}
        assert "Gain" not in report_md(rows, protocol)


def test_the_csv_has_a_row_a_face_that_reads_back() -> None:
    rows = list(csv.DictReader(StringIO(faces_csv([face(0, nose=NAN), face(5, "b, c")]))))
    assert [(row["store"], row["row"], row["file"]) for row in rows] == [
        ("a", "0", "x/0, left.png"),
        ("b, c", "5", "x/5, left.png"),
    ]
    assert rows[0]["tiny_heatmap_peak_px_nose"] == ""
    assert float(rows[1]["tiny_heatmap_peak_px_nose"]) == 2.0
    assert float(rows[0]["tiny_psnr_rgb"]) == 22.0
    assert float(rows[0]["bicubic_aligned_ssim_y"]) == pytest.approx(0.28)
    assert (rows[0]["angle_deg"], rows[0]["shift_y_px"], rows[0]["tiny_angle_error_deg"]) == ("12.5", "-2", "3")
    assert "bicubic_angle_error_deg" not in rows[0]


def test_the_json_is_strict_and_whole() -> None:
    def no_constants(text: str) -> None:
        raise AssertionError(text)

    text = metrics_json([face(0, nose=NAN), face(1, "b")], PROTOCOL)
    values = json.loads(text, parse_constant=no_constants)
    assert values["faces"] == 2
    assert values["methods"]["tiny"]["psnr_rgb"] == {
        "mean": 22.0, "std": 0.0, "faces": 2, "low": 22.0, "high": 22.0, "infinite": 0,
    }  # fmt: skip
    assert values["gain"]["tiny"]["psnr_rgb"] == pytest.approx(4.0)
    assert values["methods"]["tiny"]["heatmap_peak_px"]["nose"]["faces"] == 1
    assert set(values["stores"]) == {"a", "b"}
    assert values["stores"]["a"]["methods"]["tiny"]["heatmap_peak_px"]["nose"]["mean"] is None
    assert values["data"][0]["images_sha256"] == "cd" * 32
    assert values["about"]["tiny"]["seed"] == 7
    assert (values["protocol"]["name"], values["protocol"]["rotation"]) == ("published", 30.0)


def test_the_report_has_the_table_and_the_protocol() -> None:
    text = report_md([face(0), face(1)], PROTOCOL)
    assert "| method | PSNR RGB (dB) | SSIM RGB | PSNR Y (dB) | SSIM Y | angle error (deg) |" in text
    assert (
        "| MTUN-light, tiny | 22.00 [22.00, 22.00] | 0.2200 [0.2200, 0.2200] | 23.00 [23.00, 23.00] "
        "| 0.3200 [0.3200, 0.3200] | 3.00 [3.00, 3.00] |" in text
    )
    assert f"| {ALIGNED} | 18.00 [18.00, 18.00] | 0.1800 [0.1800, 0.1800] |" in text
    assert "| - |" in text
    assert "| MTUN-light, tiny | heatmap peak error (px) | 1.00 | 2.00 | 3.00 | 4.00 | 2.50 |" in text
    for words in ("Per-image means over 2 faces", "within 30 degrees", "0.85-1", "within 0.05 of the side", "11x11",
                  "empty corners black", "protocol `published`", "Angle error: the angle between"):  # fmt: skip
        assert words in text
    assert "- MTUN-light, tiny: checkpoint run/last.ckpt, experiment tiny, seed 7, iterations 40" in text
    assert "All 2 faces" not in text


def test_several_stores_have_a_table_each() -> None:
    text = report_md([face(0, mtun=20.0), face(1, mtun=22.0), face(0, "b", mtun=27.0)], PROTOCOL)
    sections = text.split("\n## ")
    assert [section.splitlines()[0] for section in sections[1:]] == [
        "All 3 faces",
        "`a`: 2 faces",
        "`b`: 1 faces",
        "Differences to MTUN-light, tiny, the method of the highest mean PSNR",
        "Methods",
        "Protocol",
    ]
    assert [
        "| MTUN-light, tiny | 23.00 [20.00, 27.00] |" in sections[1],
        "| MTUN-light, tiny | 21.00 [20.00, 22.00] |" in sections[2],
        "| MTUN-light, tiny | 27.00 |" in sections[3],
    ] == [True] * 3


def test_without_heatmaps_or_stn_their_columns_and_sentences_are_left_out() -> None:
    bare = [face(0, bare=True)]
    card = MethodCard("bare", {"experiment": None}, trained=True)
    protocol = replace(PROTOCOL, methods=PROTOCOL.methods | {"tiny": card})
    text = report_md(bare, protocol)
    assert "eatmap" not in text
    assert "ngle error" not in text
    assert "experiment" not in text
    assert "peak" not in faces_csv(bare)
    assert "angle_error_deg" not in json.loads(metrics_json(bare, protocol))["methods"]["tiny"]


def test_methods_of_other_components_keep_their_columns() -> None:
    def peaks(names: list[str], value: float) -> MethodScores:
        return MethodScores(images(20.0), {"heatmap_peak_px": dict.fromkeys(names, value)})

    five = ["brows", "eyes", "nose", "mouth", "chin"]
    methods = {
        "four": peaks(five[1:], 4.0),
        "five": peaks(five, 5.0),
        "all": peaks([str(point) for point in range(68)], 6.0),
        "none": MethodScores(images(20.0)),
    }
    rows = [replace(face(0), methods=methods)]
    protocol = replace(PROTOCOL, methods={name: MethodCard(name, {}, trained=True) for name in methods})
    table = component_table(rows, protocol)
    assert table == [
        ["method", "metric", "eyes", "nose", "mouth", "chin", "brows", "mean of components"],
        ["four", "heatmap peak error (px)", "4.00", "4.00", "4.00", "4.00", "-", "4.00"],
        ["five", "heatmap peak error (px)", "5.00", "5.00", "5.00", "5.00", "5.00", "5.00"],
        ["all", "heatmap peak error (px)", "-", "-", "-", "-", "-", "6.00"],
    ]


def test_a_title_with_a_bar_stays_in_its_cell() -> None:
    protocol = replace(PROTOCOL, methods=PROTOCOL.methods | {"tiny": MethodCard("a|b", TINY, trained=True)})
    assert "| a\\|b | 22.00 |" in report_md([face(0)], protocol)
