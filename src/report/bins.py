"""Faces in bins: by the turn of the head, by the size of the misalignment, and by the face's size in the photograph."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from src.report.scores import FaceScores


@dataclass(frozen=True)
class Binning:
    """One way to sort faces into bins.

    Attributes:
        key: its name in `metrics.json`.
        title: its heading in reports.
        unit: of the value.
        edges: of the bins, ascending; a value beyond the last edge is in the last bin.
        value: of a face, 0 or more; NaN where not known.
        metrics: those that a report shows bin by bin; `metrics.json` has all.
    """

    key: str
    title: str
    unit: str
    edges: tuple[float, ...]
    value: Callable[[FaceScores], float]
    metrics: tuple[str, ...] = ("psnr_rgb", "nme_percent")

    @property
    def names(self) -> list[str]:
        """The bins' names: "0-15"; "30 or more" where there is no upper end."""
        return [
            f"{low:g} or more" if math.isinf(high) else f"{low:g}-{high:g}"
            for low, high in itertools.pairwise(self.edges)
        ]

    def sort(self, rows: Sequence[FaceScores]) -> dict[str, list[FaceScores]]:
        """The faces of each bin that has any; a face on an edge is in the upper bin."""
        found: dict[str, list[FaceScores]] = {name: [] for name in self.names}
        for row in rows:
            value = self.value(row)
            if not math.isnan(value):
                found[self.names[sum(value >= edge for edge in self.edges[1:-1])]].append(row)
        return {name: mine for name, mine in found.items() if mine}


OWN_SIZE: Final = Binning(
    "own_size",
    "By own size",
    "px, the side of the face in its photograph",
    (8, 12, 16, 20, 28, 36, math.inf),
    lambda row: row.own_size_px,
    ("psnr_rgb", "psnr_registered", "nme_percent", "angle_error_deg"),
)
BINNINGS: Final = (
    OWN_SIZE,
    Binning("yaw", "By pose", "degrees of yaw to either side", (0, 15, 45, 90), lambda row: abs(row.yaw_deg)),
    Binning(
        "misalignment",
        "By size of the misalignment",
        "px that it moves the face's corners, of 128",
        (0, 15, 30, math.inf),
        lambda row: row.misalignment_px,
    ),
)
