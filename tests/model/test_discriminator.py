import pytest
import torch
from torch import nn

from src.model.discriminator import Discriminator
from src.model.parameters import parameter_count


def test_the_published_discriminator_has_6_9_m_parameters_and_no_batch_norm() -> None:
    network = Discriminator()
    assert parameter_count(network) == pytest.approx(6.9e6, rel=0.01)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_it_gives_one_logit_an_image_that_is_no_probability() -> None:
    network = Discriminator().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(10.0)
        logits = network(torch.rand(3, 3, 128, 128))
    assert logits.shape == (3,)
    assert logits.abs().max() > 1


def test_images_of_a_batch_do_not_mix() -> None:
    network, images = Discriminator().eval(), torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        assert torch.allclose(network(images)[:1], network(images[:1]), atol=1e-5)
