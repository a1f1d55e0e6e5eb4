import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from src.config.compose import compose
from src.model.hourglass import HEBConfig
from src.model.light import LightConfig, LightMTUN
from src.model.parameters import parameter_count
from src.training.config import TrainConfig


def test_the_experiment_keeps_to_its_budget() -> None:
    config = compose("train", TrainConfig, ["experiment=celeba16x_light", "data.train=[a]", "data.val=[a]"])
    network = config.model.generator.build().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output = network(torch.zeros(1, 3, 16, 16))
    assert parameter_count(network) <= 3.5e6
    assert counter.get_total_flops() / 2 <= 0.7e9  # of which the aligner, which looks twice, has 0.08e9
    assert output.image.shape == (1, 3, 128, 128)
    assert [maps.shape for maps in output.heatmaps] == [(1, 4, 32, 32)] * 2


@pytest.mark.parametrize(
    "config", [LightConfig(heb=HEBConfig(enabled=False, resolution=32, depth=3)), LightConfig(localisation="none")]
)
def test_its_ablations_train(config: LightConfig) -> None:
    network = LightMTUN(config)
    network(torch.rand(2, 3, 16, 16)).image.square().mean().backward()
    idle = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    # Heads before the last feed the losses through the next stack.
    assert not idle


def test_heatmaps_elsewhere_than_32_are_refused() -> None:
    with pytest.raises(ValueError, match="must be 32"):
        LightConfig(heb=HEBConfig(resolution=64))
