"""Networks from their configuration: dataclasses in training, plain dicts out of a checkpoint."""

import typing
from collections.abc import Mapping
from typing import Any

from torch import nn

from src.loss.backbone import Backbone
from src.model.discriminator import Discriminator, DiscriminatorConfig
from src.model.hourglass import HeatmapEstimation
from src.model.light import LightConfig, LightMTUN
from src.model.mtun import MTUN, MTUNConfig
from src.system.errors import UserError
from src.system.plain import from_plain

GeneratorConfig = MTUNConfig | LightConfig


def build_generator(config: GeneratorConfig) -> nn.Module:
    """The generator that a configuration describes."""
    return MTUN(config) if isinstance(config, MTUNConfig) else LightMTUN(config)


def build_discriminator(config: DiscriminatorConfig) -> Discriminator:
    """The discriminator that a configuration describes."""
    return Discriminator(config)


def checkpoint_activations(network: nn.Module, on: bool = True) -> None:
    """Let a generator, or the objective's feature network, keep less for its backward pass; see `recompute`."""
    for module in network.modules():
        if isinstance(module, MTUN | LightMTUN | HeatmapEstimation | Backbone):
            module.checkpoint_activations = on


def generator_config(values: Mapping[str, Any]) -> GeneratorConfig:
    """A generator's configuration out of plain values, as a checkpoint stores them.

    Raises:
        UserError: no generator has that name, or a key is not one of its own.
    """
    name = values.get("name")
    for schema in typing.get_args(GeneratorConfig):
        if schema.name == name:
            return typing.cast("GeneratorConfig", from_plain(schema, values))
    raise UserError(f"no generator is called {name!r}: this version knows 'mtun' and 'light'")


def parameter_count(network: nn.Module) -> int:
    """Trainable and frozen parameters of a network."""
    return sum(parameter.numel() for parameter in network.parameters())
