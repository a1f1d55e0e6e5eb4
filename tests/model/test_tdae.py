"""TDAE: its layers, its three parts in a row, the noise, its stages."""

import math

import pytest
import torch
from torch import nn

from src.image.warp import angle_of
from src.model.parameters import parameter_count
from src.model.tdae import TDAE, TDAEConfig
from src.system.errors import UserError
from tests.test_baseline_experiments import config_of

SMALL = TDAEConfig(entry=(4,), decoder_widths=(4, 4, 4, 4), encoder_widths=(4, 4, 4, 4))


def convolutions(network: nn.Module) -> list[tuple[int, int, int]]:
    """Inputs, outputs and kernel of the convolutions outside the STNs."""
    found = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    return [(c.in_channels, c.out_channels, c.kernel_size[0]) for name, c in found if "stn" not in name]


def test_it_has_the_convolutions_of_the_public_code() -> None:
    with torch.device("meta"):
        network = TDAEConfig().build()
    assert isinstance(network, TDAE)
    tail = [(512, 256, 3), (256, 128, 5), (128, 64, 5), (64, 3, 5)]
    assert convolutions(network.first) == [(3, 64, 5), (64, 128, 3), (128, 512, 3), *tail]
    assert convolutions(network.second) == [(3, 512, 3), *tail]
    assert convolutions(network.encoder) == [(3, 32, 5), (32, 64, 5), (64, 128, 3), (128, 256, 3), (256, 3, 3)]
    assert [parameter_count(part) for part in network.children()] == [4_038_291, 646_083, 2_225_155]


def test_each_part_takes_the_face_of_the_one_before() -> None:
    network, lr = TDAE(SMALL).eval(), torch.rand(2, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        face, small, result = network.hallucinate(lr).image, network.encode(lr).image, network(lr).image
        assert (face.shape, small.shape) == ((2, 3, 128, 128), (2, 3, 16, 16))
        assert small.equal(network.encoder(face.clamp(-1, 1))[0])
        assert result.equal(network.second(small.clamp(-1, 1))[0])


@pytest.mark.parametrize(("second_stns", "stns"), [(False, 4), (True, 6)])
def test_its_transform_is_that_of_all_stns_in_a_row(second_stns: bool, stns: int) -> None:
    config = TDAEConfig(entry=(), decoder_widths=(4, 4, 4, 4), encoder_widths=(4, 4, 4, 4), second_stns=second_stns)
    network = TDAE(config).eval()
    heads = [module for name, module in network.named_modules() if name.endswith(".head")]
    assert len(heads) == stns
    with torch.no_grad():
        for head in heads:
            head.bias[0] = 0.1  # type: ignore[index, operator]
        matrix = network(torch.rand(1, 3, 16, 16)).matrix
    assert matrix is not None
    assert float(angle_of(matrix)) == pytest.approx(0.1 * stns, abs=1e-5)


def test_the_optimiser_may_give_the_stns_a_rate_of_their_own() -> None:
    network = SMALL.build()
    others, stns = SMALL.parameter_groups(network)
    names = {id(weight): name for name, weight in network.named_parameters()}
    assert all(".stn" in names[id(weight)] for weight in stns)
    assert not any(".stn" in names[id(weight)] for weight in others)


def test_only_training_faces_get_noise_of_the_configured_size() -> None:
    network, lr = TDAE(SMALL), torch.zeros(64, 3, 16, 16)
    seen: list[torch.Tensor] = []
    network.first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    torch.manual_seed(0)
    with torch.no_grad():
        network.hallucinate(lr)
        network.eval().hallucinate(lr)
    assert seen[0].std() == pytest.approx(0.2, rel=0.02), "a tenth of the range from -1 to 1"
    assert seen[1].equal(lr)


def test_the_stages_follow_the_shares() -> None:
    assert [(stage.until, stage.learns) for stage in TDAEConfig().stages] == [
        (pytest.approx(0.4), ("first",)), (pytest.approx(0.55), ("encoder",)), (pytest.approx(0.9), ("second",)),
        (1.0, ()),
    ]  # fmt: skip
    separate = TDAEConfig(shares=(0.5, 0.2, 0.3, 0.0)).stages
    assert [(stage.until, stage.learns) for stage in separate][-1] == (1.0, ("second",))
    assert len(separate) == 3


@pytest.mark.parametrize("shares", ["[0.5,0.2,0.2,0.2]", "[1.2,0,0,-0.2]"])
def test_shares_that_are_none_are_said(shares: str) -> None:
    with pytest.raises(UserError, match="shares must be 0 or more and add up to 1"):
        config_of("tdae", f"model.generator.shares={shares}")


def test_an_input_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="TDAE takes"):
        TDAE(SMALL)(torch.zeros(1, 3, 32, 32))


def test_gradients_of_the_last_face_reach_the_first_decoder() -> None:
    torch.manual_seed(0)
    network = TDAE(SMALL)
    image = network(torch.rand(4, 3, 16, 16) * 2 - 1).image
    image.square().mean().backward()
    gradient = next(network.first.parameters()).grad
    assert gradient is not None
    assert math.isfinite(float(gradient.norm()))
    assert float(gradient.norm()) > 0
