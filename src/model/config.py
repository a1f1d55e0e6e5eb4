"""The generators that a run can have, and what it must know of one before it is built."""

import typing
from collections.abc import Mapping
from typing import Any, Protocol

from torch import nn

from src.model.light import LightConfig
from src.model.mtun import MTUNConfig
from src.system.errors import UserError
from src.system.plain import from_plain, variant_for, variants

GeneratorConfig = MTUNConfig | LightConfig
"""Every generator's configuration. This is the one list of them: the command line and checkpoints are read by it."""


class AnyGeneratorConfig(Protocol):
    """What each member of `GeneratorConfig` has; training, evaluation and checkpoints ask for nothing else.

    They are frozen dataclasses, whose fields are the keys of `model.generator`.
    """

    @property
    def name(self) -> str:
        """Its value of `model.generator.name`: a field, a `Literal` of that one word."""

    @property
    def title(self) -> str:
        """Its words in tables."""

    @property
    def heatmaps(self) -> int:
        """M, the number of component heatmaps; without meaning where `heatmap_side` is None."""

    @property
    def heatmap_side(self) -> int | None:
        """R, the side of the heatmaps in pixels; None for a generator that estimates none."""

    @property
    def aligns(self) -> bool:
        """Whether the generator estimates a transform, which `loss.alignment` needs."""

    def build(self) -> nn.Module:
        """The network: (B, 3, 16, 16) in [-1, 1] to `Upscaled`."""

    def parameter_groups(self, generator: nn.Module) -> list[list[nn.Parameter]]:
        """The network's weights; then, where they may learn at another rate, those of its localisation net."""


def generator_config(values: Mapping[str, Any]) -> GeneratorConfig:
    """A generator's configuration out of plain values, as a checkpoint stores them.

    Raises:
        UserError: no generator has that name, or a key is not one of its own.
    """
    schema = variant_for(GeneratorConfig, values)
    if schema is None:
        known = ", ".join(repr(getattr(variant, "name", "?")) for variant in variants(GeneratorConfig))
        raise UserError(f"no generator is called {values.get('name')!r}: this version knows {known}")
    return typing.cast("GeneratorConfig", from_plain(schema, values))
