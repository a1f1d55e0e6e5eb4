import logging
from dataclasses import replace

import pytest
import torch

from src.config.compose import compose
from src.trainer import Machine, machine_of
from src.training.config import TrainConfig
from src.training.tuning import FullStep, Setting, fast_bfloat16, settings, tuned
from tests.helpers.tiny_run import TINY

CPU = Machine(gpu=False, devices=1, precision="32-true")
WORDS = [*TINY, "data.train=[a]", "data.val=[a]", "trainer.tune=true"]


@pytest.fixture(scope="module")
def config() -> TrainConfig:
    return compose("train", TrainConfig, WORDS)


def test_both_layouts_are_tried_and_bfloat16_where_the_processor_has_it(config: TrainConfig) -> None:
    tried = settings(config, CPU)
    assert {setting.channels_last for setting in tried} == {False, True}
    assert {setting.precision for setting in tried} == {"32-true"} | ({"bf16-mixed"} if fast_bfloat16(False) else set())
    fixed = replace(config, trainer=replace(config.trainer, precision="bf16-mixed"))
    assert {setting.precision for setting in settings(fixed, machine_of(fixed.trainer))} == {"bf16-mixed"}, (
        "what is said is kept"
    )


def test_the_fastest_is_taken_told_and_nothing_else_changes(
    config: TrainConfig, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with caplog.at_level(logging.INFO, "src.training.tuning"):
        result = tuned(config, CPU)
    assert torch.equal(torch.get_rng_state(), before), "the weights are those of the same run without it"
    chosen = Setting(result.trainer.precision, result.trainer.channels_last)  # type: ignore[arg-type]
    assert chosen in settings(config, CPU)
    speeds = {line.split("tune: ")[1].split("  ")[0]: float(line.split(" faces/s")[0].split()[-1])
              for line in caplog.messages}  # fmt: skip
    assert len(speeds) == len(settings(config, CPU))
    assert speeds[str(chosen)] == max(speeds.values())
    assert next(line for line in caplog.messages if "taken" in line).startswith(f"trainer.tune: {chosen} ")
    same = replace(result.trainer, precision=config.trainer.precision, channels_last=config.trainer.channels_last)
    assert replace(result, trainer=same) == config


def test_a_full_step_moves_both_networks(config: TrainConfig) -> None:
    step = FullStep(config, Setting("32-true", channels_last=True), torch.device("cpu"))
    assert step.discriminator is not None
    networks = (step.generator, step.discriminator)
    before = [[parameter.detach().clone() for parameter in network.parameters()] for network in networks]
    step()
    for network, old in zip(networks, before, strict=True):
        assert any(not torch.equal(a, b) for a, b in zip(network.parameters(), old, strict=True))
    assert all(parameter.requires_grad for parameter in step.discriminator.parameters())
