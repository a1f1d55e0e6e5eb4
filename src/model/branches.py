"""What the configurations of generators with a heatmap branch and an STN say of the two."""

from src.model.hourglass import HEBConfig


class Branches:
    """The base of such a configuration, which has these fields."""

    heb: HEBConfig
    localisation: str
    """The STN's localisation net; none: no STN."""

    @property
    def heatmap_side(self) -> int | None:
        """R, or None without the heatmap branch."""
        return self.heb.resolution if self.heb.enabled else None

    @property
    def aligns(self) -> bool:
        """Whether there is an STN."""
        return self.localisation != "none"
