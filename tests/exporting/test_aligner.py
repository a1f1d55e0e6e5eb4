"""An export with the average of two trainings' aligners."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from src.exporting.config import ExportConfig
from src.exporting.run import export
from src.model.aligner import AlignerConfig
from src.model.checkpoint import load_checkpoint
from src.model.config import GeneratorConfig
from src.model.release import load_generator
from src.system.errors import UserError
from tests.helpers.tiny_files import TINY, checkpoint_content

ALIGNED = replace(TINY, localisation="aligner", aligner=AlignerConfig(width=4, hidden=8, dead_band=1.5))


def written(path: Path, config: GeneratorConfig, shift: float = 0.0) -> Path:
    """A checkpoint, all of its floating-point tensors moved by `shift`."""
    content = checkpoint_content(config)
    content["state_dict"] = {
        name: value + shift if value.is_floating_point() else value for name, value in content["state_dict"].items()
    }
    torch.save(content, path)
    return path


def averaged(whole: Path, alone: Path, out: Path, share: float) -> Path:
    list(export(ExportConfig(str(whole), str(out), "safetensors", aligner=str(alone), aligner_share=share, faces=2)))
    return out


def test_the_aligner_alone_is_averaged(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.ckpt", ALIGNED)
    other = replace(ALIGNED, aligner=replace(ALIGNED.aligner, dead_band=0.0, passes=2))
    out = averaged(whole, written(tmp_path / "alone.ckpt", other, shift=0.5), tmp_path / "both.safetensors", 0.3)
    new, old = load_generator(out), load_checkpoint(whole).generator.state_dict()
    assert new.config == ALIGNED
    for name, value in new.generator.state_dict().items():
        moved = 0.15 if name.startswith("stn.") and value.is_floating_point() else 0.0
        torch.testing.assert_close(value, old[name] + moved if moved else old[name], msg=name)
    assert load_checkpoint(whole).generator.stn.head.bias.tolist() == [0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (TINY, "alone.ckpt has none; it needs model.generator.localisation=aligner"),
        (replace(ALIGNED, aligner=AlignerConfig(width=8, hidden=8)), "has an aligner of other layers than"),
    ],
)
def test_an_aligner_that_does_not_fit_is_one_line(tmp_path: Path, config: GeneratorConfig, words: str) -> None:
    whole, alone = written(tmp_path / "whole.ckpt", ALIGNED), written(tmp_path / "alone.ckpt", config)
    with pytest.raises(UserError, match=words) as caught:
        averaged(whole, alone, tmp_path / "both.safetensors", 0.5)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "both.safetensors").exists()
