"""PSNR and SSIM of each image, on RGB and Y, with and without a border; the score of a set is their mean."""

from typing import Final, NamedTuple

import torch
from torch import Tensor

from src.data.own_frame import hr_in_own_frame
from src.image.pixels import quantise
from src.image.warp import within_input
from src.metric.metric import Judged, Metric

BORDER: Final = 8
"""Pixels that the border variants cut off each side: one LR pixel at 8x, as works do that shave the scale factor."""
WINDOW: Final = 11
SIGMA: Final = 1.5
"""The Gaussian window of Wang et al. 2004: 11x11 pixels, standard deviation 1.5."""
K1, K2 = 0.01, 0.03  # the same paper's constants

IMAGE_METRICS: Final = ("psnr_rgb", "ssim_rgb", "psnr_y", "ssim_y")


def psnr(sr: Tensor, hr: Tensor, counted: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio of each image in dB, over all its channels.

    Args:
        sr: (B, C, H, W) in [0, 1].
        hr: (B, C, H, W) in [0, 1].
        counted: (B, 1, H, W) bool, the pixels that count; None: all.

    Returns:
        (B,) float32; infinite for identical images, which means leave out and count; NaN where no pixel counts.
    """
    errors = (sr.double() - hr.double()).square()
    if counted is None:
        error = errors.mean((1, 2, 3))
    else:
        error = (errors.mean(1, keepdim=True) * counted).sum((1, 2, 3)) / counted.sum((1, 2, 3))
    return (-10 * torch.log10(error)).float()


def ssim(sr: Tensor, hr: Tensor) -> Tensor:
    """Structural similarity of each image (Wang et al. 2004), the mean over its channels and all whole windows.

    Args:
        sr: (B, C, H, W) in [0, 1], H and W at least 11.
        hr: (B, C, H, W) in [0, 1].

    Returns:
        (B,) float32 in [-1, 1].
    """
    luminance, structure = ssim_maps(sr, hr)
    return (luminance * structure).mean((1, 2, 3)).float()


def ssim_maps(sr: Tensor, hr: Tensor) -> tuple[Tensor, Tensor]:
    """The two factors of SSIM at every whole window: luminance, and contrast with structure.

    Population moments under the Gaussian window, no padding: 118x118 windows of a 128x128 image.

    Args:
        sr: (B, C, H, W) in [0, 1], H and W at least 11.
        hr: (B, C, H, W) in [0, 1].

    Returns:
        (B, C, H - 10, W - 10) float64, twice.
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
    return luminance, structure


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


def unit_images(sr: Tensor, hr: Tensor) -> tuple[Tensor, Tensor]:
    """Images of about [-1, 1] as metrics see them: clamped, rounded to 8 bits, float64 in [0, 1]."""
    x, y = ((quantise(images.detach().double()) + 1) / 2 for images in (sr, hr))
    return x, y


class Compared(NamedTuple):
    """The images of a batch as metrics see them, with the factors of SSIM on RGB."""

    sr: Tensor
    """(B, 3, H, W) float64 in [0, 1]."""
    hr: Tensor
    """Likewise."""
    luminance: Tensor
    """(B, 3, H - 10, W - 10) of `ssim_maps`."""
    structure: Tensor
    """Likewise."""


def compared(judged: Judged) -> Compared:
    """For `Judged.once`: several metrics use it."""
    x, y = unit_images(judged.output.image, judged.pairs.hr)
    return Compared(x, y, *ssim_maps(x, y))


def image_metrics(sr: Tensor, hr: Tensor) -> dict[str, Tensor]:
    """PSNR in dB and SSIM of each image, on RGB and on Y; images are first clamped and rounded to 8 bits.

    Args:
        sr: (B, 3, H, W), about [-1, 1].
        hr: (B, 3, H, W) in [-1, 1].

    Returns:
        The keys of `IMAGE_METRICS`, then the same with `_border8`, which cut `BORDER` pixels off each side (left out
        below 27x27), each (B,) float32.
    """
    x, y = unit_images(sr, hr)
    return _of_compared(Compared(x, y, *ssim_maps(x, y)))


def _of_compared(images: Compared) -> dict[str, Tensor]:
    x, y = images.sr, images.hr
    pictures = {"rgb": (x, y), "y": (luma(x), luma(y))}
    similarity = {"rgb": images.luminance * images.structure, "y": torch.mul(*ssim_maps(*pictures["y"]))}
    scores = {}
    for border in (0, BORDER) if min(x.shape[-2:]) >= WINDOW + 2 * BORDER else (0,):
        for name, pair in pictures.items():
            ending = f"{name}_border{border}" if border else name
            scores[f"psnr_{ending}"] = psnr(*(_cut(image, border) for image in pair))
            # The windows of the cut image are those of the whole image that do not reach the border.
            scores[f"ssim_{ending}"] = _cut(similarity[name], border).mean((1, 2, 3)).float()
    return scores


def _cut(images: Tensor, border: int) -> Tensor:
    return images[..., border : images.shape[-2] - border, border : images.shape[-1] - border]


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
    return _of_compared(judged.once(compared))


def _of_image(key: str, title: str, unit: str, decimals: int, protocol: str, place: int) -> Metric:
    border = key.endswith(f"_border{BORDER}")
    return Metric(
        key,
        title,
        unit,
        decimals,
        protocol,
        lambda judged: judged.once(_image_scores).get(key),
        in_validation=not border,
        place=place,
        aside=border,
    )


_FILES = "Every image is clamped and rounded to 8 bits, then compared over all its pixels."
_PSNR = (
    "PSNR: data range 1, over the three channels of RGB. Identical images have an infinite PSNR: they are kept out of "
    "the mean and counted."
)
_SSIM = (
    "SSIM: Wang et al. 2004, Gaussian window 11x11, standard deviation 1.5, K1 0.01, K2 0.03, whole windows only; "
    "RGB is the mean of the three channels."
)
_LUMA = "Y: BT.601 in studio range (16-235), as MATLAB's rgb2ycbcr, not rounded."
_BORDER = f"Border {BORDER}: the same after cutting {BORDER} pixels off each side of both images."


def _in_own_frame(judged: Judged) -> tuple[Tensor, Tensor] | None:
    """SR and HR in the frame of the estimated transform."""
    if judged.output.matrix is None or judged.pairs.surroundings is None:
        return None
    return unit_images(judged.output.image, hr_in_own_frame(judged.pairs, judged.output.matrix))


def _registered(judged: Judged) -> Tensor | None:
    images = judged.once(_in_own_frame)
    return None if images is None else psnr(*images)


def _registered_shown(judged: Judged) -> Tensor | None:
    images, matrix = judged.once(_in_own_frame), judged.output.matrix
    if images is None or matrix is None:
        return None
    return psnr(*images, within_input(matrix, images[0].shape[-1]))


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
    Metric(
        "psnr_registered_shown",
        "PSNR registered, shown",
        "dB",
        2,
        "PSNR registered, shown: PSNR registered over those pixels alone that lie inside the LR face, by the estimated "
        "transform. The others a method can only guess.",
        _registered_shown,
        place=9,
        aside=True,
    ),
    _of_image("psnr_rgb", "PSNR RGB", "dB", 2, f"{_FILES} {_PSNR}", 0),
    _of_image("ssim_rgb", "SSIM RGB", "", 4, _SSIM, 1),
    _of_image("psnr_y", "PSNR Y", "dB", 2, _LUMA, 2),
    _of_image("ssim_y", "SSIM Y", "", 4, "SSIM Y: SSIM of the Y channel alone.", 3),
    _of_image("psnr_rgb_border8", "PSNR RGB, border 8", "dB", 2, _BORDER, 5),
    _of_image("ssim_rgb_border8", "SSIM RGB, border 8", "", 4, _BORDER, 6),
    _of_image("psnr_y_border8", "PSNR Y, border 8", "dB", 2, _BORDER, 7),
    _of_image("ssim_y_border8", "SSIM Y, border 8", "", 4, _BORDER, 8),
)
