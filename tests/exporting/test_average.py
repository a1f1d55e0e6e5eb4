"""An export with the average of two trainings' networks, or of their aligners."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from src.evaluation.config import ProtocolConfig
from src.evaluation.run import evaluate
from src.evaluation.write import write_results
from src.exporting.average import soup, with_aligner
from src.exporting.config import ExportConfig
from src.exporting.run import export
from src.method.load import load_methods
from src.model.aligner import AlignerConfig
from src.model.checkpoint import load_checkpoint
from src.model.config import GeneratorConfig
from src.model.release import load_generator
from src.model.stn0 import STN0Config
from src.store.read import FaceStores
from src.system.errors import UserError
from tests.helpers.tiny_files import TINY, checkpoint_content

ALIGNED = replace(TINY, localisation="aligner", aligner=AlignerConfig(width=4, hidden=8, dead_band=1.5))


def written(path: Path, config: GeneratorConfig, averaged: float | None = None) -> Path:
    """A checkpoint; with averaged weights that are the raw ones plus a number, their counters too."""
    content: dict[str, Any] = checkpoint_content(config)
    prefix = "generator."
    if averaged is not None:
        raw = {name: value for name, value in content["state_dict"].items() if name.startswith(prefix)}
        moved = {name.removeprefix(prefix): _moved(value, averaged) for name, value in raw.items()}
        content["averaged"] = {"updates": 1, "generator": moved}
    torch.save(content, path)
    return path


def _moved(value: Tensor, by: float) -> Tensor:
    return value + by if value.is_floating_point() else value + 7


def average(whole: Path, alone: Path, out: Path, share: float, **more: Any) -> list[str]:
    return list(
        export(ExportConfig(str(whole), str(out), aligner=str(alone), aligner_share=share, faces=2,
                            **{"format": "safetensors", **more}))
    )  # fmt: skip


def test_the_aligner_alone_is_averaged(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.ckpt", ALIGNED)
    other = replace(ALIGNED, aligner=replace(ALIGNED.aligner, dead_band=0.0, passes=2))
    alone = written(tmp_path / "alone.ckpt", other, averaged=0.5)
    out = tmp_path / "both.safetensors"
    assert average(whole, alone, out, 0.3)[0] == f"aligner: 0.7 of its own weights, 0.3 of those in {alone}"
    new, old = load_generator(out), load_checkpoint(whole)
    assert new.config == ALIGNED
    for name, value in new.generator.state_dict().items():
        before = old.generator.state_dict()[name]
        moved = name.startswith("stn.") and value.is_floating_point()
        torch.testing.assert_close(value, before + 0.15 if moved else before, msg=name)
    before = {name: value.clone() for name, value in old.generator.state_dict().items()}
    with_aligner(old, load_checkpoint(alone), 1.0)
    assert all(torch.equal(value, before[name]) for name, value in old.generator.state_dict().items())


def test_a_soup_averages_all_weights_and_keeps_the_settings(tmp_path: Path) -> None:
    one = written(tmp_path / "one.ckpt", ALIGNED, averaged=0.0)
    other = replace(ALIGNED, mirror=True, aligner=replace(ALIGNED.aligner, dead_band=0.0))
    two, out = written(tmp_path / "two.ckpt", other, averaged=0.5), tmp_path / "both.safetensors"
    config = ExportConfig(str(one), str(out), "safetensors", soup=str(two), soup_share=0.3, faces=2)
    first, *_ = export(config)
    assert first == f"soup: 0.7 of its own weights, 0.3 of those in {two}"
    new, old = load_generator(out), load_checkpoint(one)
    assert new.config == ALIGNED
    assert new.iterations is None
    for name, value in new.generator.state_dict().items():
        before = old.generator.state_dict()[name]
        torch.testing.assert_close(value, before + 0.15 if value.is_floating_point() else before, msg=name)
    before = {name: value.clone() for name, value in old.generator.state_dict().items()}
    soup(old, load_checkpoint(two), 0.5)
    assert all(torch.equal(value, before[name]) for name, value in old.generator.state_dict().items())


@pytest.mark.parametrize(
    ("other", "averaged", "words"),
    [
        (TINY, None, r"two\.ckpt is another network than .*one\.ckpt: model\.generator\.aligner\.hidden differs"),
        (replace(ALIGNED, leak=0.1), None, r"two\.ckpt is another network than .*: model\.generator\.leak differs"),
        (ALIGNED, 0.5, r"one\.ckpt gives raw weights, .*two\.ckpt averaged ones: set weights=raw"),
    ],
)
def test_another_network_and_other_weights_make_no_soup(
    tmp_path: Path, other: GeneratorConfig, averaged: float | None, words: str
) -> None:
    one, two = written(tmp_path / "one.ckpt", ALIGNED), written(tmp_path / "two.ckpt", other, averaged)
    out = tmp_path / "both.safetensors"
    with pytest.raises(UserError, match=f"soup: .*{words}") as caught:
        list(export(ExportConfig(str(one), str(out), "safetensors", soup=str(two), faces=2)))
    assert "\n" not in str(caught.value)
    assert not out.exists()


def test_weights_says_which_of_both_are_taken(tmp_path: Path) -> None:
    whole, alone = (written(tmp_path / f"{name}.ckpt", ALIGNED, averaged=0.5) for name in ("whole", "alone"))
    average(whole, alone, tmp_path / "both.safetensors", 0.3, weights="raw")
    raw = load_checkpoint(whole, "raw").generator.state_dict()
    new = load_generator(tmp_path / "both.safetensors").generator.state_dict()
    assert all(torch.equal(value, raw[name]) for name, value in new.items())


def test_an_evaluation_of_one_training_is_none_of_the_average(tmp_path: Path, face_store: Path) -> None:
    whole = written(tmp_path / "whole.ckpt", ALIGNED)
    both = tmp_path / "both.safetensors"
    average(whole, written(tmp_path / "alone.ckpt", ALIGNED, averaged=0.01), both, 0.3)
    for file in (whole, both):
        found = evaluate(load_methods([str(file)], torch.device("cpu")), FaceStores([str(face_store)]),
                         ProtocolConfig(), torch.device("cpu"))  # fmt: skip
        write_results(tmp_path / file.stem, found)
    release = ExportConfig(str(both), str(tmp_path / "release"), "release", faces=2)
    with pytest.raises(UserError, match="none of which is this generator"):
        list(export(replace(release, evaluations=(str(tmp_path / "whole"),))))
    list(export(replace(release, evaluations=(str(tmp_path / "both"),))))
    assert "Protocol `published`, 5 faces" in (tmp_path / "release/README.md").read_text()


SMALL = AlignerConfig(width=8, hidden=8)


@pytest.mark.parametrize(
    ("whole", "alone", "words"),
    [
        (ALIGNED, TINY, "alone.ckpt has none; it needs model.generator.localisation=aligner"),
        (TINY, ALIGNED, "whole.ckpt has none; it needs model.generator.localisation=aligner"),
        (ALIGNED, replace(ALIGNED, aligner=SMALL), "alone.ckpt has an aligner of other layers than .*whole.ckpt"),
        (ALIGNED, STN0Config(), "alone.ckpt is an STN0: give a training of the same network"),
    ],
)
def test_an_aligner_that_does_not_fit_is_one_line(
    tmp_path: Path, whole: GeneratorConfig, alone: GeneratorConfig, words: str
) -> None:
    paths = written(tmp_path / "whole.ckpt", whole), written(tmp_path / "alone.ckpt", alone)
    with pytest.raises(UserError, match=words) as caught:
        average(*paths, tmp_path / "both.safetensors", 0.5)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "both.safetensors").exists()
