"""The configurations of all generators and discriminators, and the protocol that each generator's follows."""

import typing
from collections.abc import Mapping
from typing import Any, Final, Protocol

from torch import nn

from src.image.sides import LR_SIDE
from src.model.discriminator import DiscriminatorConfig
from src.model.light import LightConfig
from src.model.mtun import MTUNConfig
from src.model.srresnet import SRGANDiscriminatorConfig, SRResNetConfig
from src.model.stage import Stage
from src.model.stn0 import STN0Config
from src.model.tdae import TDAEConfig
from src.model.urdgn import URDGNConfig
from src.model.xu2017 import Xu2017Config
from src.system.errors import UserError
from src.system.plain import from_plain, variant_for, variants

GeneratorConfig = MTUNConfig | LightConfig | STN0Config | URDGNConfig | SRResNetConfig | Xu2017Config | TDAEConfig
"""Every generator's configuration. This is their only list: the command line and checkpoints are parsed with it."""

AnyDiscriminatorConfig = DiscriminatorConfig | SRGANDiscriminatorConfig
"""Every discriminator's configuration, likewise."""


SETTINGS_IN_USE: Final = (
    "heb.gradient",
    "aligner.passes",
    "aligner.dead_band",
    "passes",
    "dead_band",
    "mirror",
    "back_projection",
)
"""Settings of a generator that leave the meaning of its weights alone: a fine-tuning run may have others."""


class AnyGeneratorConfig(Protocol):
    """What each member of `GeneratorConfig` has; training, evaluation and checkpoints use nothing else.

    Members are frozen dataclasses; their fields are the keys of `model.generator`.
    """

    @property
    def name(self) -> str:
        """Its value of `model.generator.name`: a field of type `Literal` with that one word."""

    @property
    def title(self) -> str:
        """Its name in tables."""

    @property
    def heatmaps(self) -> int:
        """M, the number of component heatmaps; meaningless if `heatmap_side` is None."""

    @property
    def heatmap_side(self) -> int | None:
        """R, the side of the heatmaps in pixels; None for a generator that estimates none."""

    @property
    def aligns(self) -> bool:
        """Whether the generator estimates a transform, which `loss.alignment` needs."""

    @property
    def aligns_alone(self) -> bool:
        """Whether `generator.stn(lr)` gives the transform, so that it can learn before the rest does."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages in which it learns, at least one; `WHOLE` if all of it learns from the start."""

    def build(self) -> nn.Module:
        """The network: (B, 3, 16, 16) in [-1, 1] to `Upscaled`; see `lr_side_of` for one that takes more."""

    def parameter_groups(self, generator: nn.Module) -> list[list[nn.Parameter]]:
        """The weights outside the STN; then those of the STN, which may learn at another rate."""


def lr_side_of(config: AnyGeneratorConfig) -> int:
    """Side of the LR faces that a generator takes: its `lr_side`; 16 where it has none."""
    side: int = getattr(config, "lr_side", LR_SIDE)
    return side


def generator_config(values: Mapping[str, Any]) -> GeneratorConfig:
    """A generator's configuration from plain values, as a checkpoint stores them.

    Raises:
        UserError: no generator has that name, or it has no such key.
    """
    schema = variant_for(GeneratorConfig, values)
    if schema is None:
        known = ", ".join(repr(getattr(variant, "name", "?")) for variant in variants(GeneratorConfig))
        raise UserError(f"no generator is called {values.get('name')!r}: this version knows {known}")
    return typing.cast("GeneratorConfig", from_plain(schema, values))
