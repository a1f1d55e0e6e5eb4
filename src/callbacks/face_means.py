"""The scores of the validation faces and their means over all processes, for any generator."""

from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor

from src.data.batch import Pairs
from src.metric.load import all_metrics
from src.metric.metric import Judged, score
from src.model.output import Upscaled

VALIDATED = tuple(metric for metric in all_metrics() if metric.in_validation)


class FaceMeans:
    """Collects scores face by face, then logs their means over the faces of all processes."""

    def __init__(self) -> None:
        self._scores: list[dict[str, Tensor]] = []

    def add(self, output: Upscaled, pairs: Pairs) -> None:
        """Score a batch."""
        self._scores.append(score(Judged(output, pairs), VALIDATED))

    def log(self, module: LightningModule, prefix: str) -> None:
        """Log the means as `prefix/KEY` and start over."""
        for metric in VALIDATED if self._scores else ():
            batches = [scores[metric.key].float() for scores in self._scores if metric.key in scores]
            if not batches:
                continue
            values = torch.cat(batches)
            if metric.by_component:
                # A face whose components are all hidden has no score. In other metrics a NaN must show.
                values = values.nanmean(1)
                values = values[~values.isnan()]
            identical = values.isposinf()  # PSNR of identical images: no part of a mean
            finite = values[~identical]
            counts = torch.tensor([float(len(finite)), float(len(values) - len(finite))], device=values.device)
            totals = torch.cat([finite.sum()[None], counts])
            if module.trainer.world_size > 1:
                gathered: Any = module.all_gather(totals)
                totals = gathered.sum(0)
            shown = prefix == "val" and metric.key == "psnr_rgb"
            mean = totals[2] * torch.inf if totals[1] == 0 < totals[2] else totals[0] / totals[1].clamp(min=1)
            module.log(f"{prefix}/{metric.key}", mean, prog_bar=shown)
        self._scores.clear()
