from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from src.model.hourglass import HEBConfig
from src.model.light import LightConfig
from src.model.mtun import MTUNConfig
from src.model.recompute import checkpoint_activations, recompute

WIDTHS = (8, 8, 8, 8)
MTUN_TINY = MTUNConfig(
    encoder_widths=WIDTHS, decoder_widths=WIDTHS, upsampler_widths=(8, 8), features=8, heb=HEBConfig(stacks=2, width=8)
)
LIGHT_TINY = LightConfig(width=8, width64=8, blocks16=1, blocks32=1, heb=HEBConfig(True, 32, 1, 8, 2))
MODULATED = replace(LIGHT_TINY, guidance="modulate", heb=HEBConfig(True, 16, 1, 8, 2, gradient=0.0))
CONFIGS = [MTUN_TINY, replace(MTUN_TINY, skip=False, autoencoder=False), LIGHT_TINY, MODULATED]


def step(config: MTUNConfig | LightConfig, on: bool) -> tuple[nn.Module, list[Tensor], int]:
    """A forward and backward pass: the network, what came out, the bytes kept between the passes."""
    torch.manual_seed(0)
    network = config.build()
    checkpoint_activations(network, on)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = network(torch.rand(4, 3, 16, 16) * 2 - 1)
    outputs = [output.image, *output.heatmaps, output.matrix]
    sum(out.square().sum() for out in outputs).backward()
    return network, [out.detach() for out in outputs], sum(kept.values())


@pytest.mark.parametrize("config", CONFIGS)
def test_the_numbers_are_the_same_and_less_is_kept(config: MTUNConfig | LightConfig) -> None:
    plain, expected, much = step(config, on=False)
    network, outputs, little = step(config, on=True)
    assert all(torch.equal(out, other) for out, other in zip(outputs, expected, strict=True))
    for (name, parameter), other in zip(network.named_parameters(), plain.parameters(), strict=True):
        assert parameter.grad is not None, name
        assert torch.equal(parameter.grad, other.grad), name
    assert little < 0.5 * much


@pytest.mark.parametrize("config", CONFIGS)
def test_a_batch_is_noted_once(config: MTUNConfig | LightConfig) -> None:
    # The backward pass computes the parts again; were it to note the statistics too, they would run twice as fast.
    plain, network = step(config, on=False)[0], step(config, on=True)[0]
    for (name, buffer), other in zip(network.named_buffers(), plain.buffers(), strict=True):
        assert torch.equal(buffer, other), name
        if name.endswith("num_batches_tracked"):
            assert buffer == 1, name


def test_the_statistics_stay_the_same_tensors() -> None:
    torch.manual_seed(0)
    network = LIGHT_TINY.build()
    checkpoint_activations(network)
    before = [id(buffer) for buffer in network.buffers()]
    network(torch.rand(4, 3, 16, 16)).image.sum().backward()
    assert [id(buffer) for buffer in network.buffers()] == before, "the guard and the average hold these"


def test_names_stay() -> None:
    network = LIGHT_TINY.build()
    before = list(network.state_dict())
    checkpoint_activations(network)
    assert list(network.state_dict()) == before


def test_a_part_in_evaluation_stays_in_evaluation() -> None:
    part = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)).eval()
    features = torch.rand(2, 2, 4, 4, requires_grad=True)
    part[1].running_mean.fill_(3.0)
    assert torch.equal(recompute(part, features), part(features))
    recompute(part, features).sum().backward()
    assert part[1].num_batches_tracked == 0
    assert part[1].running_mean.tolist() == [3.0, 3.0]
