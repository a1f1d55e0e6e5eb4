"""MS-SSIM of each image on RGB (Wang, Simoncelli and Bovik 2003), on as many scales as the images have windows for."""

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from src.metric.image import WINDOW, compared, ssim_maps
from src.metric.metric import Judged, Metric

WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the paper's five scales, from fine to coarse."""


def scales_of(side: int) -> int:
    """How many of the five scales a side in pixels allows: each halves it, and 11 pixels must remain."""
    return sum(side // 2**scale >= WINDOW for scale in range(len(WEIGHTS)))


def ms_ssim(sr: Tensor, hr: Tensor, finest: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Multi-scale structural similarity of each image, the mean over its channels at every scale.

    # Our choice: 128 pixels allow four of the five scales; their exponents are divided by their sum.

    Args:
        sr: (B, C, H, W) in [0, 1], H and W at least 11.
        hr: (B, C, H, W) in [0, 1].
        finest: `ssim_maps` of them, if they are known.

    Returns:
        (B,) float32 in [0, 1]; negative factors count as 0.
    """
    x, y = sr.double(), hr.double()
    weights = torch.tensor(WEIGHTS[: max(1, scales_of(min(x.shape[-2:])))], dtype=torch.float64, device=x.device)
    weights = weights / weights.sum()
    result = torch.ones(len(x), dtype=torch.float64, device=x.device)
    for scale, weight in enumerate(weights):
        luminance, structure = finest if finest is not None and scale == 0 else ssim_maps(x, y)
        coarsest = scale == len(weights) - 1
        factor = (luminance * structure if coarsest else structure).mean((1, 2, 3))
        result = result * factor.clamp(min=0) ** weight
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return result.float()


def _measure(judged: Judged) -> Tensor:
    images = judged.once(compared)
    return ms_ssim(images.sr, images.hr, (images.luminance, images.structure))


EXTRA: Final = Metric(
    "ms_ssim_rgb",
    "MS-SSIM RGB",
    "",
    4,
    "MS-SSIM: Wang et al. 2003 on RGB with the window of SSIM; 128 pixels allow four of the five scales, whose "
    "exponents are divided by their sum.",
    _measure,
    place=20,
)
"""Measured where `metrics.ms_ssim` asks for it."""
