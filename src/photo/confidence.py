"""How sure the network is of each component of a face."""

import numpy as np
import torch
from numpy.typing import NDArray

from src.face.points import COMPONENTS
from src.metric.confidence import confidence


def confidence_of(heatmaps: NDArray[np.float32] | None) -> dict[str, float]:
    """Component -> the peak of its map of (M, R, R), 0 to 1; empty without maps. docs/use.md says what it is worth."""
    if heatmaps is None:
        return {}
    peaks = confidence(torch.from_numpy(heatmaps)[None])[0].tolist()
    return dict(zip(COMPONENTS[len(heatmaps)], peaks, strict=True))
