"""What the configurations of generators without heatmaps and without STN say of themselves."""

from typing import ClassVar

from torch import nn

from src.model.stage import WHOLE, Stage


class Plain:
    """The base of such a configuration."""

    heatmaps: ClassVar[int] = 0
    heatmap_side: ClassVar[int | None] = None
    aligns: ClassVar[bool] = False
    aligns_alone: ClassVar[bool] = False
    stages: ClassVar[tuple[Stage, ...]] = WHOLE

    def parameter_groups(self, generator: nn.Module) -> list[list[nn.Parameter]]:
        """All weights in one group."""
        return [list(generator.parameters())]
