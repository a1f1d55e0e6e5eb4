"""An export is written only if it computes what eager torch computes, and never over what is there."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import src.exporting.run
from src.evaluation.config import ProtocolConfig
from src.evaluation.run import evaluate
from src.evaluation.write import write_results
from src.exporting.config import ExportConfig, ExportData
from src.exporting.run import export
from src.method.load import load_file, load_methods
from src.model.light import LightConfig
from src.model.output import Upscaled
from src.model.release import load_release
from src.report.card import Notes
from src.store.read import FaceStores
from src.system.errors import UserError
from tests.helpers.tiny_files import TINY, checkpoint_content

CPU = torch.device("cpu")


def exported(checkpoint: Path, out: Path, **more: Any) -> list[str]:
    return list(export(ExportConfig(str(checkpoint), str(out), **{"faces": 3, **more})))


def refused(checkpoint: Path, out: Path, **more: Any) -> str:
    with pytest.raises(UserError) as caught:
        exported(checkpoint, out, **more)
    return str(caught.value)


def test_int8_is_written_with_its_cost_and_is_a_method(busy_file: Path, face_store: Path, tmp_path: Path) -> None:
    out, stores = tmp_path / "new" / "small.onnx", ExportData((str(face_store),))
    said = exported(busy_file, out, int8=True, data=stores, most_cost=5.0)
    assert said[0].startswith("image: at most ")
    assert said[0].endswith("over 3 store faces")
    assert any(line.startswith("int8: PSNR ") and " dB, cost " in line for line in said)
    assert said[-1] == f"{out}: {out.stat().st_size:,} bytes"
    method, whole = load_file(out, CPU), load_file(busy_file, CPU)
    assert method.facts.runtime == "ONNX Runtime int8"
    lr = torch.zeros(2, 3, 16, 16)
    torch.testing.assert_close(method(lr).matrix, whole(lr).matrix, atol=2e-3, rtol=0)
    assert (method(lr).heatmaps[-1] - whole(lr).heatmaps[-1]).abs().max() > 1e-4, "nothing was quantised"


@pytest.mark.parametrize("uint8", [False, True])
def test_a_program_is_checked_as_it_was_written(busy_file: Path, tmp_path: Path, uint8: bool) -> None:
    said = exported(busy_file, tmp_path / "a.pt2", format="torch_export", uint8=uint8)
    assert [line.split(":")[0] for line in said[:3]] == ["image", "heatmaps", "matrix"]
    assert load_file(tmp_path / "a.pt2", CPU).name == "tiny"


def test_a_failed_check_writes_nothing(busy_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(lr: torch.Tensor) -> Upscaled:
        good = load_file(busy_file, CPU)(lr)
        return good._replace(heatmaps=[good.heatmaps[-1] + 0.01])

    monkeypatch.setattr(src.exporting.run, "single_content", lambda *words: (b"content", wrong))
    out = tmp_path / "a.safetensors"
    assert "nothing is written: heatmaps of the export is 0.01 from" in refused(busy_file, out, format="safetensors")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays_unless_it_may_be_replaced(busy_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    out.write_bytes(b"mine")
    assert "is there already" in refused(busy_file, out, format="safetensors")
    assert out.read_bytes() == b"mine"
    exported(busy_file, out, format="safetensors", overwrite=True)
    assert load_file(out, CPU).name == "tiny"
    assert "holds other files" in refused(busy_file, tmp_path, format="release", overwrite=True)
    assert "is a file" in refused(busy_file, out, format="release")
    release = tmp_path / "release"
    exported(busy_file, release, format="release")
    assert "holds a release already" in refused(busy_file, release, format="release")
    exported(busy_file, release, format="release", overwrite=True)
    assert "is a folder" in refused(busy_file, (tmp_path / "b.onnx").mkdir() or tmp_path / "b.onnx")
    assert "is a file" in refused(busy_file, out / "below.onnx")
    assert "is an export" in refused(tmp_path / "x.onnx", tmp_path / "y.onnx")
    whole, both = tmp_path / "x.ckpt", tmp_path / "y.safetensors"
    assert "z.onnx is an export" in refused(whole, both, format="safetensors", aligner="z.onnx")


def test_bfloat16_says_what_it_costs(busy_file: Path, face_store: Path, tmp_path: Path) -> None:
    said = exported(busy_file, tmp_path / "a.safetensors", format="safetensors", precision="bfloat16",
                    data=ExportData((str(face_store),)))  # fmt: skip
    assert said[0].startswith("bfloat16: PSNR ")
    assert said[1].startswith("image: at most 0, on average 0 ")


def test_the_card_has_the_numbers_of_this_generator(busy_file: Path, face_store: Path, tmp_path: Path) -> None:
    methods = load_methods([str(busy_file), "bicubic"], CPU)
    write_results(tmp_path / "ev", evaluate(methods, FaceStores([str(face_store)]), ProtocolConfig(), CPU))
    folders = (str(tmp_path / "ev"),)
    exported(busy_file, tmp_path / "release", format="release", card=Notes(data="Drawn, José"), evaluations=folders)
    card = (tmp_path / "release/README.md").read_text(encoding="utf-8")
    mean = json.loads((tmp_path / "ev/metrics.json").read_text())["methods"]["tiny"]["psnr_rgb"]
    assert f"{mean['mean']:.2f} [{mean['low']:.2f}, {mean['high']:.2f}]" in card
    for words in ("Training data: Drawn, José", "Terms: Not known", "no evidence of who somebody is", "By pose",
                  "Protocol `published`, 5 faces", "40 batches", "`five` (5 faces)"):  # fmt: skip
        assert words in card, words
    assert str(tmp_path) not in card
    assert str(face_store.parent) not in card
    assert "on black" not in card
    assert load_release(tmp_path / "release").weights == "raw"
    write_results(tmp_path / "other", evaluate(methods[1:], FaceStores([str(face_store)]), ProtocolConfig(), CPU))
    said = refused(busy_file, tmp_path / "b", format="release", evaluations=(str(tmp_path / "other"),))
    assert "none of which is this generator" in said
    assert not (tmp_path / "b").exists()


def test_the_card_says_which_faces_were_made_otherwise(busy_file: Path, tmp_path: Path) -> None:
    content = torch.load(busy_file, weights_only=True)
    data = content["hyper_parameters"]["data"]
    data["misalignment"]["fill"] = "context"
    data |= {"degradation": "bicubic", "black_share": 0.4, "upright_share": 0.15, "blend_share": 0.8, "stretch": 0.2}
    torch.save(content, tmp_path / "other.ckpt")
    exported(tmp_path / "other.ckpt", tmp_path / "release", format="release")
    card = (tmp_path / "release/README.md").read_text(encoding="utf-8")
    shares = "a share of 0.4 on black, a share of 0.15 upright already, a share of 0.8 averaged with another one"
    shares += ", each up to 1.2 times as wide or narrow for its height"
    assert f"filled with the true surroundings, {shares}; then" in card


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (TINY, "pixels, with heatmaps of its components and the transform that turned it upright."),
        (replace(TINY, localisation="none"), "pixels, with heatmaps of its components."),
        (replace(TINY, heb=replace(TINY.heb, enabled=False)), "pixels, with the transform that turned it upright."),
        (
            replace(TINY, localisation="none", heb=replace(TINY.heb, enabled=False)),
            "the upright face of 128x128 pixels.",
        ),
    ],
)
def test_the_card_says_what_the_network_gives(tmp_path: Path, config: LightConfig, words: str) -> None:
    torch.save(checkpoint_content(config), tmp_path / "a.ckpt")
    exported(tmp_path / "a.ckpt", tmp_path / "release", format="release")
    assert words in (tmp_path / "release/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"int8": True}, "needs faces to calibrate on"),
        ({"int8": True, "format": "torch_export", "out": "a.pt2"}, "needs format=onnx"),
        ({"uint8": True, "format": "release"}, "holds weights alone"),
        ({"precision": "bfloat16"}, "needs format=safetensors or release"),
        ({"push": "a/b"}, "need format=release"),
        ({"out": "model.pt"}, "must end in .onnx"),
        ({"aligner": "a.ckpt"}, "aligner= needs format=safetensors, not onnx: write the average as .safetensors first"),
        ({"aligner_share": 0.0}, "aligner_share must be above 0 and at most 1"),
        ({"aligner_share": 1.5}, "aligner_share must be above 0 and at most 1"),
        ({"aligner_share": 0.5}, "aligner_share= needs aligner=FILE"),
        ({"soup": "a.ckpt"}, "soup= needs format=safetensors, not onnx: write the average as .safetensors first"),
        ({"soup": "a", "aligner": "b", "format": "safetensors", "out": "c.safetensors"}, "are two exports"),
        ({"soup_share": 1.0}, "soup_share must be above 0 and below 1"),
        ({"soup_share": 0.3}, "soup_share= needs soup=FILE"),
        ({"faces": 1}, "faces must be 2 or more"),
        ({"tolerance": 0.0}, "tolerance must be above 0"),
    ],
)
def test_what_does_not_go_together_is_an_error(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ExportConfig(**{"checkpoint": "x", "out": "a.onnx", **more})
