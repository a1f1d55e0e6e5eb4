from pathlib import Path

import pytest
import torch

from src.method.load import load_method
from src.method.trained import load_trained
from src.system.errors import UserError
from tests.helpers.tiny_files import checkpoint_content

CPU = torch.device("cpu")


def test_maps_that_do_not_fit_the_network(tmp_path: Path) -> None:
    content = checkpoint_content()
    content["hyper_parameters"]["data"]["heatmaps"]["maps"] = 5
    torch.save(content, tmp_path / "five.ckpt")
    with pytest.raises(UserError, match=r"estimates 4 heatmaps, its data\.heatmaps\.maps is 5"):
        _ = load_method(str(tmp_path / "five.ckpt"), CPU).facts


def test_a_damaged_data_configuration_is_said(tmp_path: Path) -> None:
    content = checkpoint_content()
    content["hyper_parameters"]["data"]["misalignment"]["rotation"] = 900.0
    torch.save(content, tmp_path / "turned.ckpt")
    with pytest.raises(UserError, match=r"turned\.ckpt: its data configuration is damaged"):
        _ = load_method(str(tmp_path / "turned.ckpt"), CPU).facts


def test_a_checkpoint_says_where_it_came_from(checkpoint_file: Path) -> None:
    method = load_method(str(checkpoint_file), CPU)
    facts = method.facts
    assert (method.name, method.title) == ("tiny", "MTUN-light, tiny")
    assert (facts.experiment, facts.seed, facts.epoch, facts.iterations, facts.weights) == ("tiny", 7, 3, 40, "raw")
    assert (facts.heatmap_side, facts.heatmap_std) == (32, 3.0)
    assert facts.trained_on is not None
    assert facts.trained_on.rotation == 30.0


def test_a_word_that_is_no_method_names_those_that_are() -> None:
    with pytest.raises(UserError, match=r"no method is called 'bicubik'.*bicubic, bicubic_aligned"):
        load_method("bicubik", CPU)


@pytest.mark.parametrize(("name", "shape"), [("photo", (4, 32, 32)), ("photo", (3, 16, 16)), ("photo16x", (3, 16, 16))])
def test_the_transforms_alone_are_those_of_the_whole_network(name: str, shape: tuple[int, ...]) -> None:
    method = load_trained(Path("weights", name), CPU)
    lr = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        whole, alone = method(lr).matrix, method.transforms(lr)
    assert whole is not None
    assert alone is not None
    torch.testing.assert_close(alone, whole)
