"""How sure a network is of each facial component, and how far off it is where it looks.

The peak of a heatmap is 1 on a true kernel; a network that hesitates between places spreads it, and the peak sinks.
"""

from typing import Final

from torch import Tensor

from src.data.own_frame import landmarks_in_own_frame
from src.metric.heatmap import peak_error
from src.metric.metric import Judged, Metric

PEAK: Final = "heatmap_peak"
OWN_ERROR: Final = "heatmap_own_px"


def confidence(heatmaps: Tensor) -> Tensor:
    """The peak of each map, (B, M, R, R) -> (B, M) in 0 to 1."""
    return heatmaps.detach().float().amax((2, 3)).clamp(0, 1)


def _peak(judged: Judged) -> Tensor | None:
    if not judged.output.heatmaps:
        return None
    hidden = judged.once(_own_error).isnan()  # type: ignore[union-attr]
    return confidence(judged.output.heatmaps[-1]).masked_fill(hidden, float("nan"))


def _own_error(judged: Judged) -> Tensor | None:
    if not judged.output.heatmaps:
        return None
    pairs, matrix = judged.pairs, judged.output.matrix
    landmarks = pairs.landmarks if matrix is None else landmarks_in_own_frame(pairs, matrix)
    return peak_error(judged.output.heatmaps[-1], landmarks, pairs.visible, pairs.hr.shape[-1])


METRICS: Final = (
    Metric(
        PEAK,
        "heatmap peak",
        "",
        3,
        "Heatmap peak: the highest value of the last stack's map, from 0 to 1; hidden components are left out.",
        _peak,
        by_component=True,
        compared=False,
        place=63,
    ),
    Metric(
        OWN_ERROR,
        "heatmap peak error, own frame",
        "px",
        2,
        "Heatmap peak error in the own frame: likewise, but against the landmarks as the method's own transform places "
        "them; in a photograph this is how far off a component is found.",
        lambda judged: judged.once(_own_error),
        by_component=True,
        higher_is_better=False,
        place=64,
    ),
)
