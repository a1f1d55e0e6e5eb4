from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from src.model.hourglass import HEBConfig
from src.model.mtun import MTUN, Autoencoder, MTUNConfig
from src.model.parameters import parameter_count

SMALL = MTUNConfig(encoder_widths=(8, 8, 8, 8), decoder_widths=(8, 8, 8, 8), upsampler_widths=(8, 8))


def gmac(network: torch.nn.Module) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, 3, 16, 16))
    return counter.get_total_flops() / 2e9


def test_the_source_texts_network_has_45_0_m_parameters_and_7_0_gmac() -> None:
    network = MTUN()
    assert parameter_count(network) == pytest.approx(45.0e6, rel=0.01)
    assert network.autoencoder is not None
    assert parameter_count(network.autoencoder) == pytest.approx(42.2e6, rel=0.01)
    assert gmac(network) == pytest.approx(7.0, rel=0.01)


def test_the_published_network_has_45_2_m_parameters_and_6_8_gmac() -> None:
    network = MTUN(MTUNConfig(localisation="published", residual="published"))
    assert parameter_count(network) == pytest.approx(45.2e6, rel=0.002)
    assert gmac(network) == pytest.approx(6.8, rel=0.01)


def test_shapes_follow_the_table_of_the_method() -> None:
    network = MTUN().eval()
    seen: dict[str, torch.Size] = {}

    def remember(name: str):  # noqa: ANN202
        return lambda _module, _inputs, output: seen.__setitem__(name, output.shape[1:])

    parts = {"at16": network.autoencoder, "at64": network.upsampler, "aligned": network.align, "fused": network.grow}
    for name, part in parts.items():
        assert part is not None
        part.register_forward_hook(remember(name))
    with torch.no_grad():
        output = network(torch.rand(2, 3, 16, 16) * 2 - 1)
    assert seen == {"at16": (256, 16, 16), "at64": (64, 64, 64), "aligned": (64, 64, 64), "fused": (32, 128, 128)}
    assert output.image.shape == (2, 3, 128, 128)
    assert [maps.shape for maps in output.heatmaps] == [(2, 4, 64, 64)] * 4
    assert torch.allclose(output.matrix, torch.eye(2, 3).expand(2, 2, 3)), "the STN starts at the identity"


@pytest.mark.parametrize("resolution", [16, 32, 64, 128])
@pytest.mark.parametrize("stacks", [1, 4])
def test_the_heatmap_branch_works_at_every_resolution(resolution: int, stacks: int) -> None:
    network = MTUN(replace(SMALL, heb=HEBConfig(resolution=resolution, stacks=stacks, width=8)))
    output = network(torch.zeros(2, 3, 16, 16))
    assert output.image.shape == (2, 3, 128, 128)
    assert [maps.shape for maps in output.heatmaps] == [(2, 4, resolution, resolution)] * stacks


@pytest.mark.parametrize(
    "change",
    [
        {"autoencoder": False},
        {"skip": False},
        {"heb": HEBConfig(enabled=False)},
        {"localisation": "none"},
        {"localisation": "features16"},
        {"localisation": "published"},
        {"heatmaps": 68},
    ],
    ids=str,
)
def test_every_ablation_runs_and_trains(change: dict[str, object]) -> None:
    network = MTUN(replace(SMALL, **change))  # type: ignore[arg-type]
    output = network(torch.rand(2, 3, 16, 16))
    (output.image.square().mean() + sum(maps.square().mean() for maps in output.heatmaps)).backward()
    idle = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert not idle
    assert (output.matrix is None) == (change.get("localisation") == "none")
    assert bool(output.heatmaps) != ("heb" in change)


@pytest.mark.parametrize(("level", "deeper"), [("down8", "down4"), ("down4", "down2"), ("down2", "bottleneck")])
def test_each_level_of_the_autoencoder_has_its_skip(level: str, deeper: str) -> None:
    torch.manual_seed(0)  # of so few channels, all ReLUs of a level may be 0
    network = Autoencoder((4, 4, 4, 4), (4, 4, 4, 4)).eval()
    torch.nn.init.zeros_(getattr(network, deeper)[0].weight)  # the way down carries nothing on
    kept: list[torch.Tensor] = []
    getattr(network, level).register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    gradient = torch.autograd.grad(network(torch.rand(1, 3, 16, 16)).sum(), kept)[0]
    assert gradient.abs().sum() > 0


def test_image_losses_reach_the_heatmap_branch() -> None:
    network = MTUN(SMALL)
    network(torch.rand(2, 3, 16, 16)).image.square().mean().backward()
    assert network.heb is not None
    gradient = network.heb.heads[-1].weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_a_larger_input_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"takes \(B, 3, 16, 16\), not \(1, 3, 32, 32\)"):
        MTUN(SMALL)(torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize("bad", [{"resolution": 48}, {"stacks": 0}, {"resolution": 16, "depth": 5}])
def test_impossible_branches_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"resolution|stacks|depth"):
        HEBConfig(**bad)  # type: ignore[arg-type]
