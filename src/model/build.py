"""Networks from their configuration: dataclasses in training, plain dicts out of a checkpoint."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from torch import nn

from src.model.backbone import Backbone
from src.model.discriminator import Discriminator, DiscriminatorConfig
from src.model.hourglass import HeatmapEstimation
from src.model.light import LightConfig, LightMTUN
from src.model.mtun import MTUN, MTUNConfig
from src.system.errors import UserError

GeneratorConfig = MTUNConfig | LightConfig
Dataclass = TypeVar("Dataclass")


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


def from_plain(schema: type[Dataclass], values: Mapping[str, Any]) -> Dataclass:
    """A dataclass out of nested dicts and lists (lists become tuples); UserError for a key it does not have."""
    hints = typing.get_type_hints(schema)
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            raise UserError(f"{schema.__name__} has no key '{key}': written by another version of this project")
        if isinstance(value, Mapping):
            value = from_plain(hints[key], value)
        arguments[key] = tuple(value) if isinstance(value, list) else value
    return schema(**arguments)


def parameter_count(network: nn.Module) -> int:
    """Trainable and frozen parameters of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def to_plain(config: Any) -> dict[str, Any]:
    """Nested dicts and lists out of a dataclass: what a checkpoint may hold (`weights_only=True`)."""
    return {key: _plain(value) for key, value in dataclasses.asdict(config).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
