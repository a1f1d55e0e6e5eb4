from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from src.data.pairs import (
    VALIDATION_EPOCH,
    VALIDATION_SEED,
    MisalignmentConfig,
    draw_misalignment,
    face_random,
    make_pair,
)
from src.evaluation.config import BASELINES, ProtocolConfig
from src.evaluation.run import Evaluation, evaluate
from src.image.pixels import to_network, upsample_bicubic
from src.method.load import load_methods
from src.method.method import Facts
from src.metric.image import image_metrics
from src.metric.load import all_metrics
from src.metric.metric import Judged, Metric
from src.model.checkpoint import load_checkpoint
from src.model.hourglass import HEBConfig
from src.model.light import LightConfig
from src.model.output import Upscaled
from src.report.report_md import report_md
from src.store.read import FaceStores, spread
from tests.helpers.tiny_files import checkpoint_content, write_store

CPU = torch.device("cpu")


def measured(
    checkpoint: Path, stores: Sequence[Path], protocol: ProtocolConfig | None = None, **how: Any
) -> Evaluation:
    methods = load_methods([*BASELINES, str(checkpoint)], CPU)
    return evaluate(methods, FaceStores(stores), protocol or ProtocolConfig(), CPU, **how)


def test_the_rows_are_those_of_a_face_measured_by_hand(checkpoint_file: Path, face_store: Path) -> None:
    rows = measured(checkpoint_file, [face_store], batch_size=2).rows
    assert [row.row for row in rows] == list(range(5))
    row = 3
    hr = to_network(torch.from_numpy(FaceStores([face_store]).images([row], margin=0)))
    drawn = draw_misalignment(MisalignmentConfig(), face_random(VALIDATION_SEED, VALIDATION_EPOCH, row))
    lr, _ = make_pair(hr, torch.from_numpy(drawn)[None])
    generator = load_checkpoint(checkpoint_file).generator
    for method, image in (("bicubic", upsample_bicubic(lr, 128)), ("tiny", generator(lr).image)):
        wanted = {name: float(value) for name, value in image_metrics(image.detach(), hr).items()}
        found = rows[row].methods[method].whole
        assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=1e-3)
    assert rows[row].angle_deg == pytest.approx(np.rad2deg(drawn[0]), abs=1e-4)
    assert rows[row].shift_x_px == pytest.approx(drawn[2] * 64, abs=1e-4)
    assert rows[row].identity == "person 1"
    assert set(rows[row].methods["tiny"].components["heatmap_peak_px"]) == {"eyes", "nose", "mouth", "chin"}


def test_the_known_transform_helps_and_an_untrained_stn_is_off_by_the_rotation(
    checkpoint_file: Path, face_store: Path
) -> None:
    for row in measured(checkpoint_file, [face_store]).rows:
        aligned, plain = (row.methods[name].whole["psnr_rgb"] for name in ("bicubic_aligned", "bicubic"))
        assert aligned > plain
        assert row.methods["tiny"].whole["angle_error_deg"] == pytest.approx(abs(row.angle_deg), abs=1e-3)
        assert "angle_error_deg" not in row.methods["bicubic"].whole


def test_a_face_is_misaligned_alike_whatever_stands_beside_its_store(
    checkpoint_file: Path, face_store: Path, tmp_path: Path
) -> None:
    other = write_store(tmp_path / "other", 3, seed=1)
    alone = measured(checkpoint_file, [face_store]).rows
    beside = measured(checkpoint_file, [other, face_store], batch_size=3)
    assert [row.row for row in beside.rows] == [0, 1, 2, 0, 1, 2, 3, 4]
    for one, two in zip(alone, beside.rows[3:], strict=True):
        assert (one.store, one.row, one.file, one.angle_deg) == (two.store, two.row, two.file, two.angle_deg)
        assert one.methods["tiny"].whole == pytest.approx(two.methods["tiny"].whole, abs=1e-3)
    assert [store["faces"] for store in beside.protocol.stores] == [3, 5]


def test_the_misalignment_is_the_protocols_and_not_the_checkpoints(face_store: Path, tmp_path: Path) -> None:
    content = checkpoint_content()
    content["hyper_parameters"]["data"]["misalignment"]["rotation"] = 0.0
    torch.save(content, tmp_path / "upright.ckpt")
    evaluation = measured(tmp_path / "upright.ckpt", [face_store])
    assert all(abs(row.angle_deg) > 0.1 for row in evaluation.rows)
    assert evaluation.protocol.misalignment["rotation"] == 30.0
    assert evaluation.protocol.methods["tiny"].facts["trained_on"]["rotation"] == 0.0
    assert "trained on inputs rotated uniformly within 0 degrees" in report_md(evaluation.rows, evaluation.protocol)
    upright = measured(tmp_path / "upright.ckpt", [face_store], ProtocolConfig(rotation=0.0))
    assert [row.angle_deg for row in upright.rows] == [0.0] * 5


def test_the_protocols_seed_and_fill_change_the_inputs_of_all_methods(checkpoint_file: Path, face_store: Path) -> None:
    plain, other, filled = (
        measured(checkpoint_file, [face_store], protocol).rows
        for protocol in (ProtocolConfig(), ProtocolConfig(seed=1), ProtocolConfig(fill="border"))
    )
    assert [row.angle_deg for row in plain] != [row.angle_deg for row in other]
    assert [row.angle_deg for row in plain] == [row.angle_deg for row in filled]
    for name in ("bicubic", "tiny"):
        assert plain[0].methods[name].whole["psnr_rgb"] != filled[0].methods[name].whole["psnr_rgb"]


def test_without_heatmaps_and_stn_their_figures_are_left_out(face_store: Path, tmp_path: Path) -> None:
    bare = LightConfig(
        width=16, blocks16=1, blocks32=1, localisation="none", heb=HEBConfig(enabled=False, resolution=32, depth=2)
    )
    torch.save(checkpoint_content(bare), tmp_path / "bare.ckpt")
    evaluation = measured(tmp_path / "bare.ckpt", [face_store], grid_faces=1)
    assert evaluation.rows[0].methods["tiny"].components == {}
    figures = evaluation.rows[0].methods["tiny"].whole
    assert {"psnr_rgb", "ssim_rgb", "psnr_y", "ssim_y"} <= figures.keys()
    assert "angle_error_deg" not in figures
    assert evaluation.protocol.methods["tiny"].facts["heatmap_side"] is None
    assert evaluation.grid is not None
    assert evaluation.grid.shape[1] == 4 + 5 * 132


def test_faces_and_grid_are_spread_evenly(checkpoint_file: Path, face_store: Path) -> None:
    assert spread(9, 3).tolist() == [0, 4, 8]
    assert spread(2, 3).tolist() == [0, 1]
    assert spread(9, None).tolist() == list(range(9))
    evaluation = measured(checkpoint_file, [face_store], faces=3, grid_faces=2)
    assert [row.row for row in evaluation.rows] == [0, 2, 4]
    assert evaluation.grid is not None
    assert evaluation.grid.shape[0] == 22 + 2 * 132 + 22


def test_two_checkpoints_of_one_experiment_are_told_apart(checkpoint_file: Path, face_store: Path) -> None:
    methods = load_methods([str(checkpoint_file), str(checkpoint_file), "bicubic"], CPU)
    evaluation = evaluate(methods, FaceStores([face_store]), ProtocolConfig(), CPU, faces=2)
    assert list(evaluation.rows[0].methods) == ["tiny", "tiny_2", "bicubic"]
    assert evaluation.rows[0].methods["tiny"] == evaluation.rows[0].methods["tiny_2"]
    titles = [card.title for card in evaluation.protocol.methods.values()]
    assert titles == [f"MTUN-light, tiny ({checkpoint_file})"] * 2 + ["bicubic of the unaligned input"]


def test_no_name_is_given_twice(tmp_path: Path) -> None:
    paths = []
    for number, name in enumerate(("a", "a_2", "a")):
        content = checkpoint_content()
        content["hyper_parameters"]["name"] = name
        paths.append(str(tmp_path / f"{number}.ckpt"))
        torch.save(content, paths[-1])
    assert [method.name for method in load_methods(paths, CPU)] == ["a", "a_2", "a_3"]


class Grey:
    """A method from outside: whatever goes in, a grey face comes out, and a transform of 10 degrees."""

    name, title, facts = "grey", "a grey face", Facts()

    def __call__(self, lr: Tensor) -> Upscaled:
        turn = torch.deg2rad(torch.tensor(10.0))
        matrix = torch.stack([torch.stack([turn.cos(), -turn.sin()]), torch.stack([turn.sin(), turn.cos()])])
        matrix = torch.cat([matrix, torch.zeros(2, 1)], 1)
        return Upscaled(torch.zeros(len(lr), 3, 128, 128), [], matrix.expand(len(lr), 2, 3))


def brightness(judged: Judged) -> Tensor:
    return judged.output.image.mean((1, 2, 3))


def test_a_method_and_a_metric_from_outside_stand_in_the_table(face_store: Path) -> None:
    mine = Metric("brightness", "brightness", "", 1, "Brightness: the mean over all pixels, -1 to 1.", brightness)
    evaluation = evaluate(
        [*load_methods(["bicubic"], CPU), Grey()], FaceStores([face_store]), ProtocolConfig(), CPU,
        metrics=[*all_metrics(), mine],
    )  # fmt: skip
    scores = evaluation.rows[0].methods["grey"].whole
    assert scores["brightness"] == 0.0
    assert scores["angle_error_deg"] == pytest.approx(abs(evaluation.rows[0].angle_deg - 10), abs=1e-3)
    text = report_md(evaluation.rows, evaluation.protocol)
    assert "| corner error (px) | brightness |" in text
    assert "| a grey face |" in text
    assert "Brightness: the mean over all pixels, -1 to 1." in text
