"""PSNR and SSIM of each image; the score of a set is their mean, never computed on pooled pixels."""

from typing import Final

import torch
from torch import Tensor

from src.data.own_frame import hr_in_own_frame
from src.image.pixels import quantise
from src.metric.metric import Judged, Metric

PSNR_CAP: Final = 100.0
"""dB. Identical images have no finite PSNR and would make a mean infinite. Our choice: 100, above the 95.1 dB of
128x128 RGB images that differ by one level in one channel of one pixel."""
WINDOW: Final = 11
SIGMA: Final = 1.5
"""The Gaussian window of Wang et al. 2004: 11x11 pixels, standard deviation 1.5."""
K1, K2 = 0.01, 0.03  # the same paper's constants

IMAGE_METRICS: Final = ("psnr_rgb", "ssim_rgb", "psnr_y", "ssim_y")


def psnr(sr: Tensor, hr: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image in dB, over all its channels, capped at `PSNR_CAP`.

    Args:
        sr: (B, C, H, W) in [0, 1].
        hr: (B, C, H, W) in [0, 1].

    Returns:
        (B,) float32.
    """
    error = (sr.double() - hr.double()).square().mean((1, 2, 3))
    return (-10 * torch.log10(error)).clamp(max=PSNR_CAP).float()


def ssim(sr: Tensor, hr: Tensor) -> Tensor:
    """Structural similarity of each image (Wang et al. 2004), the mean over its channels and all whole windows.

    Population moments under the Gaussian window, no padding: 118x118 windows of a 128x128 image.

    Args:
        sr: (B, C, H, W) in [0, 1], H and W at least 11.
        hr: (B, C, H, W) in [0, 1].

    Returns:
        (B,) float32 in [-1, 1].
    """
    # float64: the variances are differences of close numbers, and no autocast or TF32 setting reaches it.
    x, y = sr.double(), hr.double()
    # The window is separable: one banded matrix per side is several times faster here than a convolution.
    rows, columns = _windows(x.shape[-2], x.device), _windows(x.shape[-1], x.device).T
    mean_x, mean_y, square_x, square_y, product = (
        rows @ moment @ columns for moment in (x, y, x.square(), y.square(), x * y)
    )  # (B, C, H - 10, W - 10)
    variance_x, variance_y = square_x - mean_x.square(), square_y - mean_y.square()
    covariance = product - mean_x * mean_y
    c1, c2 = K1**2, K2**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    similarity: Tensor = (luminance * structure).mean((1, 2, 3))
    return similarity.float()


def luma(rgb: Tensor) -> Tensor:
    """Y of BT.601 in studio range as MATLAB's `rgb2ycbcr`: black is 16/255, white 235/255; not rounded.

    Args:
        rgb: (B, 3, H, W) in [0, 1].

    Returns:
        (B, 1, H, W).
    """
    red, green, blue = rgb.split(1, 1)
    y: Tensor = (65.481 * red + 128.553 * green + 24.966 * blue + 16) / 255
    return y


def image_metrics(sr: Tensor, hr: Tensor) -> dict[str, Tensor]:
    """PSNR in dB and SSIM of each image, on RGB and on Y; images are first clamped and rounded to 8 bits.

    Args:
        sr: (B, 3, H, W), about [-1, 1].
        hr: (B, 3, H, W) in [-1, 1].

    Returns:
        The keys of `IMAGE_METRICS`, each (B,) float32.
    """
    x, y = ((quantise(images.detach().double()) + 1) / 2 for images in (sr, hr))
    luma_x, luma_y = luma(x), luma(y)
    return {
        "psnr_rgb": psnr(x, y),
        "ssim_rgb": ssim(x, y),
        "psnr_y": psnr(luma_x, luma_y),
        "ssim_y": ssim(luma_x, luma_y),
    }


def _windows(side: int, device: torch.device) -> Tensor:
    """The Gaussian window at each of its positions along a side: (side - 10, side) float64, rows that sum to 1."""
    if side < WINDOW:
        raise ValueError(f"SSIM needs images of at least {WINDOW} pixels a side, not {side}")
    distance = torch.arange(WINDOW, device=device, dtype=torch.float64) - WINDOW // 2
    weights = torch.exp(-0.5 * (distance / SIGMA).square())
    band = torch.zeros(side - WINDOW + 1, side, device=device, dtype=torch.float64)
    starts = torch.arange(side - WINDOW + 1, device=device)[:, None]
    return band.scatter_(
        1, starts + torch.arange(WINDOW, device=device), (weights / weights.sum()).expand(len(band), -1)
    )


def _image_scores(judged: Judged) -> dict[str, Tensor]:
    return image_metrics(judged.output.image, judged.pairs.hr)


def _of_image(key: str, title: str, unit: str, decimals: int, protocol: str, place: int) -> Metric:
    return Metric(
        key,
        title,
        unit,
        decimals,
        protocol,
        lambda judged: judged.once(_image_scores)[key],
        in_validation=True,
        place=place,
    )


_FILES = "Every image is clamped and rounded to 8 bits, then compared over all 128x128 pixels; no border is cropped."
_PSNR = f"PSNR: data range 1, over the three channels of RGB; capped at {PSNR_CAP:g} dB (identical images)."
_SSIM = (
    "SSIM: Wang et al. 2004, Gaussian window 11x11, standard deviation 1.5, K1 0.01, K2 0.03, whole windows only; "
    "RGB is the mean of the three channels."
)
_LUMA = "Y: BT.601 in studio range (16-235), as MATLAB's rgb2ycbcr, not rounded."


def _registered(judged: Judged) -> Tensor | None:
    if judged.output.matrix is None or judged.pairs.surroundings is None:
        return None
    hr = hr_in_own_frame(judged.pairs, judged.output.matrix)
    sr, hr = ((quantise(images.detach().double()) + 1) / 2 for images in (judged.output.image, hr))
    return psnr(sr, hr)


METRICS: Final = (
    Metric(
        "psnr_registered",
        "PSNR registered",
        "dB",
        2,
        "PSNR registered: PSNR RGB against the HR face as sampled from its surroundings in the frame of the estimated "
        "transform, so that errors of alignment do not count.",
        _registered,
        in_validation=True,
        place=4,
    ),
    _of_image("psnr_rgb", "PSNR RGB", "dB", 2, f"{_FILES} {_PSNR}", 0),
    _of_image("ssim_rgb", "SSIM RGB", "", 4, _SSIM, 1),
    _of_image("psnr_y", "PSNR Y", "dB", 2, _LUMA, 2),
    _of_image("ssim_y", "SSIM Y", "", 4, "SSIM Y: SSIM of the Y channel alone.", 3),
)
