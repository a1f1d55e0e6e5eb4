"""ONNX files as methods: they compute what torch computes, and others are refused."""

import hashlib
import json
from pathlib import Path

import onnx
import pytest
import torch

from src.face.mirror import mirror_table
from src.image.pixels import quantise
from src.image.warp import moved_px
from src.method.load import load_file, load_method, load_methods
from src.method.onnx import load_onnx
from src.method.trained import load_trained
from src.model.aligner import AlignerConfig
from src.model.light import LightConfig
from src.model.onnx_file import PRECISION, with_metadata
from src.system.errors import UserError
from tests.helpers.tiny_files import checkpoint_content
from tests.helpers.tiny_onnx import constant_network

CPU = torch.device("cpu")


@pytest.mark.parametrize("uint8", [False, True])
@pytest.mark.parametrize("faces", [1, 2, 5])
def test_it_is_the_network_for_any_batch(
    onnx_files: dict[bool, Path], busy_file: Path, uint8: bool, faces: int
) -> None:
    lr = quantise(torch.rand(faces, 3, 16, 16, generator=torch.Generator().manual_seed(faces)) * 2 - 1)
    mine, eager = load_file(onnx_files[uint8], CPU)(lr), load_trained(busy_file, CPU)(lr)
    image = quantise(eager.image) if uint8 else eager.image
    assert (mine.image - image).abs().max() <= (2.02 / 255 if uint8 else 1e-4)
    assert mine.matrix is not None
    torch.testing.assert_close(mine.matrix, eager.matrix, atol=1e-5, rtol=0)
    torch.testing.assert_close(mine.heatmaps[-1], eager.heatmaps[-1], atol=1e-5, rtol=0)


def test_its_facts_are_those_of_the_checkpoint(onnx_files: dict[bool, Path], busy_file: Path) -> None:
    path = onnx_files[True]
    mine, trained = load_onnx(path, CPU), load_trained(busy_file, CPU)
    facts, wanted = mine.facts, trained.facts
    assert facts.checkpoint_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts.runtime == "ONNX Runtime float32, 8-bit images"
    for key in ("experiment", "seed", "epoch", "iterations", "weights", "parameters", "heatmap_side", "trained_on"):
        assert getattr(facts, key) == getattr(wanted, key), key
    assert (mine.name, mine.title) == ("tiny", f"{trained.title} (ONNX Runtime float32, 8-bit images)")


def test_no_path_of_the_machine_is_in_it(onnx_files: dict[bool, Path]) -> None:
    assert str(Path(__file__).parents[2]).encode() not in onnx_files[False].read_bytes()


def test_a_checkpoint_runs_in_onnx_runtime(busy_file: Path) -> None:
    [torch_one, onnx_one] = [load_method(str(busy_file), CPU, runtime=kind) for kind in ("torch", "onnxruntime")]
    lr = torch.zeros(2, 3, 16, 16)
    torch.testing.assert_close(onnx_one(lr).image, torch_one(lr).image, atol=1e-4, rtol=0)
    assert onnx_one.facts.checkpoint_sha256 == torch_one.facts.checkpoint_sha256
    assert (onnx_one.facts.runtime, torch_one.facts.runtime) == ("ONNX Runtime float32", None)


def test_one_that_looks_into_the_mirror_leaves_nothing_of_its_tracing_behind(tmp_path: Path) -> None:
    torch.manual_seed(0)
    # The dead band lies between the least of these faces' moves and half of it, so the moves are blends.
    aligner = AlignerConfig(width=8, hidden=8, passes=2, dead_band=2)
    config = LightConfig(
        width=8, heatmaps=68, localisation="aligner", aligner=aligner, mirror=True, back_projection=True
    )
    content = checkpoint_content(config)
    torch.nn.init.normal_(content["state_dict"]["generator.stn.head.weight"], std=0.1)
    torch.save(content, tmp_path / "mirror.ckpt")
    mirror_table.cache_clear()  # as in a process that has seen no landmarks yet
    method = load_method(str(tmp_path / "mirror.ckpt"), CPU, runtime="onnxruntime")
    assert type(mirror_table(CPU)) is torch.Tensor
    lr = torch.rand(2, 3, 16, 16) * 2 - 1
    mine, eager = method(lr), load_trained(tmp_path / "mirror.ckpt", CPU)(lr)
    torch.testing.assert_close(mine.image, eager.image, atol=1e-4, rtol=0)
    torch.testing.assert_close(mine.heatmaps[-1], eager.heatmaps[-1], atol=1e-5, rtol=0)
    assert mine.matrix is not None
    torch.testing.assert_close(mine.matrix, eager.matrix, atol=1e-5, rtol=0)
    assert 0.3 < float(moved_px(mine.matrix).min()) < 4, "between the identity and the whole move"


def test_one_beside_its_checkpoint_has_a_name_of_its_own(onnx_files: dict[bool, Path], busy_file: Path) -> None:
    methods = load_methods([str(onnx_files[False]), str(busy_file)], CPU)
    assert [method.name for method in methods] == ["tiny", "tiny_2"]


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_onnx(path, CPU)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_that_are_no_generators_are_refused(onnx_files: dict[bool, Path], tmp_path: Path) -> None:
    content = onnx_files[False].read_bytes()
    path = tmp_path / "bad.onnx"
    assert "cannot be read: No such file" in refused(path)
    for bad in (b"", b"text", content[: len(content) // 2]):
        path.write_bytes(bad)
        assert "is no ONNX model, or is damaged" in refused(path) or "something else" in refused(path)
    assert "is an ONNX model of something else" in refused(constant_network(path, [0.0, 0.0]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mtun": "{"}, "is no JSON"),
        ({"mtun": '{"layout": 9}'}, "is not of layout 1"),
        ({PRECISION: "float8"}, "is an ONNX model of something else"),
    ],
)
def test_what_it_says_of_itself_must_fit(
    onnx_files: dict[bool, Path], tmp_path: Path, change: dict[str, str], words: str
) -> None:
    model = onnx.load(onnx_files[False])
    said = {entry.key: entry.value for entry in model.metadata_props}
    path = tmp_path / "other.onnx"
    path.write_bytes(with_metadata(model, {**said, **change}))
    assert words in refused(path)


def test_another_network_than_it_says_is_refused(onnx_files: dict[bool, Path], tmp_path: Path) -> None:
    model = onnx.load(onnx_files[False])
    said = {entry.key: entry.value for entry in model.metadata_props}
    values = json.loads(said["mtun"])
    values["training"]["model"]["generator"]["lr_side"] = 32
    path = tmp_path / "other.onnx"
    path.write_bytes(with_metadata(model, {**said, "mtun": json.dumps(values)}))
    assert "is no generator that src.export wrote" in refused(path)
