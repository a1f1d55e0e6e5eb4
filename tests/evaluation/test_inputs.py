"""Methods of 16 and of 32 pixels on the same faces, by the size that the faces have in their photographs."""

import math
from pathlib import Path

import pytest
import torch

from src.config.compose import compose
from src.data.own_size import OwnSizes
from src.evaluation.config import EvaluateConfig, ProtocolConfig
from src.evaluation.inputs import DrawnFaces
from src.evaluation.run import Evaluation, evaluate
from src.evaluation.shown_faces import show_faces
from src.image.pixels import upsample_bicubic
from src.method.load import load_methods
from src.method.trained import load_trained
from src.model.hourglass import HEBConfig
from src.model.light import LightConfig
from src.model.output import Upscaled
from src.report.bins import OWN_SIZE
from src.report.read import read_results
from src.report.report_md import report_md
from src.store.read import FaceStores
from tests.helpers.tiny_files import checkpoint_content, write_store

CPU = torch.device("cpu")
SMALL = HEBConfig(resolution=32, stacks=1, width=16, depth=2)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FaceStores:
    return FaceStores([write_store(tmp_path_factory.mktemp("faces") / "a", 12, margin=80)])


@pytest.fixture(scope="module")
def methods(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder, paths = tmp_path_factory.mktemp("checkpoints"), []
    for name, side in (("small", 16), ("own", 32)):
        content = checkpoint_content(LightConfig(lr_side=side, width=16, blocks16=1, blocks32=1, heb=SMALL))
        content["hyper_parameters"]["name"] = name
        if side == 32:
            content["hyper_parameters"]["data"]["own_size"] = [12, 40]
        torch.save(content, folder / f"{name}.ckpt")
        paths.append(str(folder / f"{name}.ckpt"))
    return [*paths, "bicubic", "bicubic_aligned"]


def photo(own_size: OwnSizes | None = (12, 40)) -> ProtocolConfig:
    words = [] if own_size is None else [f"protocol.own_size={list(own_size)}".replace(" ", "")]
    config = compose("evaluate", EvaluateConfig, ["protocol=photo", "checkpoint=a", *words])
    return config.protocol


def measured(methods: list[str], store: FaceStores, protocol: ProtocolConfig, batch: int = 5) -> Evaluation:
    return evaluate(load_methods(methods, CPU), store, protocol, CPU, batch, grid_faces=2)


def test_both_are_in_one_table_by_own_size(methods: list[str], store: FaceStores) -> None:
    evaluation = measured(methods, store, photo())
    rows = evaluation.rows
    sizes = {row.own_size_px for row in rows}
    assert len(sizes) > 5
    assert all(12 <= size <= 40 for size in sizes)
    text = report_md(rows, evaluation.protocol)
    for title in ("PSNR", "PSNR registered", "angle error"):
        assert f"By own size: {title}" in text, title
    lines = text.partition("By own size: PSNR registered")[2].partition("##")[0]
    assert "small" in lines
    assert "own" in lines
    assert sum(map(len, OWN_SIZE.sort(rows).values())) == 12
    assert "12x12-40x40 to 128x128, protocol `photo`" in text
    assert "as a camera makes them 12x12-40x40, a side for each face" in text
    assert "lr side 32" in text
    assert "own size 12-40 px" in text
    assert evaluation.grid is not None


def test_all_see_the_same_photographs_at_the_side_that_they_take(methods: list[str], store: FaceStores) -> None:
    inputs = DrawnFaces(store, photo(), CPU).inputs([0, 3, 5])
    assert inputs.pairs.lr.shape == (3, 4, 32, 32)
    assert inputs.batch.own_size is not None
    assert torch.allclose(inputs.pairs.lr[:, 3, 0, 0].exp2() * 16, inputs.batch.own_size.float())
    seen: dict[str, torch.Tensor] = {}
    for method in load_methods(methods[:3], CPU):

        class Spy:
            name, title, facts = method.name, method.title, method.facts

            def __call__(self, lr: torch.Tensor) -> Upscaled:
                seen[self.name] = lr
                return Upscaled(torch.zeros(len(lr), 3, 128, 128), [], None)

        inputs.output(Spy())
    assert {name: tuple(lr.shape[1:]) for name, lr in seen.items()} == {
        "small": (3, 16, 16), "own": (4, 32, 32), "bicubic": (4, 32, 32),
    }  # fmt: skip
    # The same faces: both, enlarged, differ by the detail that 16 pixels cannot hold.
    small, own = (upsample_bicubic(seen[name][:, :3], 128) for name in ("small", "own"))
    assert (small - own).abs().mean() < 0.05


def test_a_single_size_has_the_same_draws_but_for_its_pixels(methods: list[str], store: FaceStores) -> None:
    small, large = (measured(methods, store, photo((size, size))).rows for size in (12, 40))
    assert {row.own_size_px for row in small} == {12}
    assert [row.angle_deg for row in small] == [row.angle_deg for row in large]
    means = [
        sum(row.methods["bicubic_aligned"].whole["psnr_rgb"] for row in rows) / len(rows) for rows in (small, large)
    ]
    assert means[1] > means[0] + 1, "a face of 40 pixels shows more than one of 12"


def test_the_rows_do_not_depend_on_the_batch(methods: list[str], store: FaceStores) -> None:
    for one, two in zip(*(measured(methods, store, photo(), batch).rows for batch in (12, 5)), strict=True):
        assert one.own_size_px == two.own_size_px
        assert one.methods["own"].whole == pytest.approx(two.methods["own"].whole, abs=0.05)


def test_under_other_protocols_a_network_for_many_sizes_gets_faces_of_16(methods: list[str], store: FaceStores) -> None:
    evaluation = measured(methods, store, ProtocolConfig(), 12)
    assert all(math.isnan(row.own_size_px) for row in evaluation.rows)
    text = report_md(evaluation.rows, evaluation.protocol)
    assert "By own size" not in text
    assert "lr side" not in text
    assert evaluation.rows[0].methods["own"].whole["psnr_rgb"] > 5
    method = load_trained(Path(methods[1]), CPU)
    assert (method.own_size, method.facts.own_size) == ((12, 40), "12-40 px")
    behind = load_methods(["bicubic@known", f"{methods[1]}@known"], CPU)
    assert [one.facts.lr_side for one in behind] == [None, None]


def test_the_report_has_pictures_and_reads_back(
    methods: list[str], store: FaceStores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from src.evaluate import main

    words = [f"method=[{','.join(methods)}]", f"data.test=[{store.stores[0].path}]", "protocol=photo", "device=cpu"]
    monkeypatch.setattr("sys.argv", ["evaluate", *words, f"out={tmp_path}"])
    main()
    found = read_results(tmp_path)
    assert found.protocol.misalignment["own_size"] == [12, 40]
    assert found.values["bins"]["own_size"].keys() <= set(OWN_SIZE.names)
    assert {row.own_size_px for row in found.rows} == {
        row.own_size_px for row in measured(methods[2:], store, photo()).rows
    }
    config = compose("evaluate", EvaluateConfig, [*words, f"out={tmp_path}"])
    shown = show_faces(load_methods(methods, CPU), store, config, CPU, found.rows)
    first = next(iter(shown.faces.values()))
    assert first.lr is not None
    assert first.lr.shape == (32, 32, 3)
