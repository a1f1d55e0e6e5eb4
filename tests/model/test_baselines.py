"""What is special in the compared networks."""

import torch
from torch import nn

from src.model.discriminator import DiscriminatorConfig
from src.model.srresnet import SRGANDiscriminatorConfig, SRResNetConfig
from src.model.urdgn import URDGNConfig


def layers(network: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, kind)]


def test_urdgn_has_the_convolutions_of_the_public_code() -> None:
    convolutions = [(c.in_channels, c.out_channels) for c in layers(URDGNConfig().build(), nn.Conv2d)]  # type: ignore[attr-defined]
    assert convolutions == [(3, 16), (16, 64), (64, 128), (128, 256), (256, 3)]


def test_srresnet_has_16_blocks_with_a_skip_around_them() -> None:
    network = SRResNetConfig(width=4).build().eval()
    assert len(layers(network, nn.BatchNorm2d)) == 33
    assert len(layers(network, nn.PixelShuffle)) == 3
    lr = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        network.blocks[-1].weight.zero_()  # the last normalisation: nothing but the skip is left
        network.blocks[-1].bias.zero_()
        assert network(lr).image.equal(network.tail(network.stem(lr)))


def test_the_discriminator_of_srgan_halves_the_side_four_times() -> None:
    network = SRGANDiscriminatorConfig(widths=(4, 8, 8, 8), hidden=4).build()
    convolutions = layers(network, nn.Conv2d)
    assert [c.stride[0] for c in convolutions] == [1, 2] * 4  # type: ignore[index]
    assert len(layers(network, nn.BatchNorm2d)) == 7, "none after the first convolution"
    assert network(torch.rand(2, 3, 128, 128)).shape == (2,)


def test_a_third_class_has_logits_of_its_own() -> None:
    network = DiscriminatorConfig((4, 4, 4, 4), 8, not_a_face=True).build()
    assert network(torch.rand(2, 3, 128, 128)).shape == (2, 3)
