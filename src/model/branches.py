"""What the configurations of generators with a heatmap branch and an STN say of the two."""

from typing import ClassVar

from src.model.hourglass import HEBConfig
from src.model.stage import WHOLE, Stage


class Branches:
    """The base of such a configuration, which has these fields."""

    heb: HEBConfig
    localisation: str
    """The STN's localisation net; none: no STN."""
    stages: ClassVar[tuple[Stage, ...]] = WHOLE

    @property
    def heatmap_side(self) -> int | None:
        """R, or None without the heatmap branch."""
        return self.heb.resolution if self.heb.enabled else None

    @property
    def aligns(self) -> bool:
        """Whether there is an STN."""
        return self.localisation != "none"
