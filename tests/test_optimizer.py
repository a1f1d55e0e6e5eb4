import copy

import pytest
import torch
from torch import nn

from src.model.light import LightConfig, LightMTUN
from src.model.mtun import MTUN
from src.optimizer import (
    AdamConfig,
    RMSpropConfig,
    ScheduleConfig,
    base_lr,
    build_optimizer,
    lr_factor,
    restore_constants,
    set_rate,
)


def test_the_source_texts_rate_decays_by_a_hundredth_an_epoch() -> None:
    schedule = ScheduleConfig()
    assert lr_factor(schedule, 0, 0, 0.0) == 1.0
    assert lr_factor(schedule, 5000, 10, 0.5) == pytest.approx(0.99**10)


def test_the_published_warm_up_is_50_updates_at_a_50th_then_50_at_a_fifth() -> None:
    schedule = ScheduleConfig(floor=0.001, warmup=((50, 50), (50, 5)))
    factors = [lr_factor(schedule, update, 0, 0.0) for update in (0, 49, 50, 99, 100)]
    assert factors == pytest.approx([0.02, 0.02, 0.2, 0.2, 1.0])
    assert lr_factor(schedule, 10**6, 2000, 0.0) == 0.001


def test_the_cool_down_reaches_0_at_the_end() -> None:
    schedule = ScheduleConfig(epoch_decay=1.0, cooldown=0.3)
    assert [lr_factor(schedule, 0, 0, p) for p in (0.0, 0.7, 0.85, 1.0)] == pytest.approx([1.0, 1.0, 0.5, 0.0])


def test_rmsprop_keeps_99_percent_of_the_squared_gradients_past() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = build_optimizer(RMSpropConfig(), [weight])
    weight.grad = torch.full((1,), 2.0)
    optimizer.step()
    # First update: -lr g / (sqrt((1 - alpha) g^2) + eps) = -lr / sqrt(0.01).
    assert weight.item() == pytest.approx(-1e-3 / 0.1, rel=1e-4)


def test_the_discriminator_may_have_a_rate_of_its_own() -> None:
    assert base_lr(AdamConfig(lr=1e-3, discriminator_lr=2e-4), discriminator=True) == 2e-4
    assert base_lr(AdamConfig(lr=1e-3), discriminator=True) == 1e-3


@pytest.mark.parametrize("generator", [MTUN(), LightMTUN()], ids=["mtun", "light"])
def test_the_localisation_net_has_a_rate_of_its_own(generator: MTUN | LightMTUN) -> None:
    optimizer = build_optimizer(RMSpropConfig(), generator.config.parameter_groups(generator))
    set_rate(optimizer, 1e-3, 0.1)
    rates = {id(weight): group["lr"] for group in optimizer.param_groups for weight in group["params"]}
    assert len(rates) == len(list(generator.parameters())), "every weight once"
    for name, weight in generator.named_parameters():
        assert rates[id(weight)] == pytest.approx(1e-4 if name.startswith("stn.") else 1e-3), name


def test_without_an_stn_all_weights_are_alike() -> None:
    config = LightConfig(localisation="none")
    network = config.build()
    [group] = config.parameter_groups(network)
    assert len(group) == len(list(network.parameters()))


@pytest.mark.parametrize("share", [0.0, 1.1])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="localisation must be above 0 and at most 1"):
        RMSpropConfig(localisation=share)


def test_a_state_of_the_other_memory_layout_moves_the_same_weights() -> None:
    """A fused step walks through memory: the moments of a channels-last run must be laid out as the weights are."""

    def steps(network: nn.Conv2d, optimizer: torch.optim.Optimizer, count: int) -> None:
        for number in range(count):
            network.weight.grad = torch.empty_like(network.weight).copy_(
                torch.arange(network.weight.numel()).reshape(network.weight.shape) * 0.01 - number
            )
            optimizer.step()

    torch.manual_seed(0)
    first = nn.Conv2d(3, 5, 3, bias=False).to(memory_format=torch.channels_last)
    optimizer = build_optimizer(AdamConfig(lr=1e-2), [[first.weight]])
    steps(first, optimizer, 2)
    other = nn.Conv2d(3, 5, 3, bias=False)
    other.load_state_dict(first.state_dict())
    resumed = build_optimizer(AdamConfig(lr=1e-2), [[other.weight]])
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    restore_constants(resumed)
    steps(first, optimizer, 3)
    steps(other, resumed, 3)
    assert torch.allclose(first.weight, other.weight, atol=1e-7)
