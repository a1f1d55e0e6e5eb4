"""Scores of the validation faces and their means, for any generator."""

from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor

from src.data.batch import Pairs
from src.metric.heatmap import angle_error, peak_error
from src.metric.image import image_metrics
from src.model.output import Upscaled


class FaceMeans:
    """Collects scores face by face, then logs their means over the faces of all processes.

    Args:
        maps: component heatmaps M.
    """

    def __init__(self, maps: int) -> None:
        self._maps = maps
        self._scores: list[dict[str, Tensor]] = []

    def add(self, output: Upscaled, pairs: Pairs) -> None:
        """Score a batch."""
        scores = image_metrics(output.image, pairs.hr)
        if output.matrix is not None:
            scores["angle_error_deg"] = angle_error(output.matrix, pairs.matrix)
        if output.heatmaps:
            peaks = peak_error(output.heatmaps[-1], pairs.landmarks, pairs.visible, self._maps)
            scores["heatmap_peak_px"] = peaks.nanmean(1)
        self._scores.append(scores)

    def log(self, module: LightningModule, prefix: str) -> None:
        """Log the means as `prefix/NAME` and start anew."""
        for name in self._scores[0] if self._scores else ():
            values = torch.cat([scores[name].float() for scores in self._scores])
            # A face whose components are all hidden has no peak; any other NaN must show.
            known = values[~values.isnan()] if name == "heatmap_peak_px" else values
            totals = torch.stack([known.sum(), torch.tensor(float(len(known)), device=known.device)])
            if module.trainer.world_size > 1:
                gathered: Any = module.all_gather(totals)
                totals = gathered.sum(0)
            shown = prefix == "val" and name == "psnr_rgb"
            module.log(f"{prefix}/{name}", totals[0] / totals[1].clamp(min=1), prog_bar=shown)
        self._scores.clear()
