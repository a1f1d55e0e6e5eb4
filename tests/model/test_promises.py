"""What every generator promises: each file of `conf/model`, built and called."""

from itertools import chain

import pytest
import torch

from src.config.compose import compose
from src.config.overrides import options
from src.model.config import GeneratorConfig, generator_config
from src.system.plain import to_plain
from src.training.config import TrainConfig


def of_file(name: str, *overrides: str) -> GeneratorConfig:
    words = [f"model={name}", "data.train=[a]", "data.val=[a]", *overrides]
    return compose("train", TrainConfig, words).model.generator


@pytest.mark.parametrize("name", options("model"))
def test_the_file_has_the_defaults_of_the_class(name: str) -> None:
    config = of_file(name)
    assert config.name == name
    assert config == type(config)()


@pytest.mark.parametrize("name", options("model"))
def test_a_checkpoint_knows_it_again(name: str) -> None:
    config = of_file(name)
    assert generator_config(to_plain(config)) == config


@pytest.mark.parametrize("name", options("model"))
def test_it_gives_back_what_its_configuration_says(name: str) -> None:
    config = of_file(name, "data.heatmaps.maps=5")
    with torch.no_grad():
        image, heatmaps, matrix = config.build().eval()(torch.rand(2, 3, 16, 16) * 2 - 1)
    assert image.shape == (2, 3, 128, 128)
    side = config.heatmap_side
    assert {tuple(maps.shape) for maps in heatmaps} == (set() if side is None else {(2, 5, side, side)})
    assert (None if matrix is None else tuple(matrix.shape)) == ((2, 2, 3) if config.aligns else None)


@pytest.mark.parametrize("name", options("model"))
def test_each_weight_is_in_one_parameter_group(name: str) -> None:
    config = of_file(name)
    with torch.device("meta"):
        network = config.build()
    grouped = [id(weight) for weight in chain(*config.parameter_groups(network))]
    assert sorted(grouped) == sorted(id(weight) for weight in network.parameters())
