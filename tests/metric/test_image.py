import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import color, data, filters, metrics
from torchmetrics.functional.image import structural_similarity_index_measure

from src.image.pixels import to_network
from src.metric.image import IMAGE_METRICS, image_metrics, luma, psnr, ssim


def test_psnr_of_a_known_error() -> None:
    hr = torch.full((2, 3, 16, 16), 0.5)
    sr = hr.clone()
    sr[0] += 0.1  # MSE 0.01: 20 dB
    sr[1, 0] += 0.1  # one channel of three: MSE 0.01 / 3
    assert psnr(sr, hr).tolist() == pytest.approx([20.0, 20 + 10 * math.log10(3)], abs=1e-4)


def test_psnr_is_per_image_not_pooled() -> None:
    hr = torch.full((2, 3, 16, 16), 0.5)
    sr = hr.clone()
    sr[0] += 0.1
    sr[1] += 0.001
    pooled = -10 * math.log10((0.01 + 0.000001) / 2)
    assert psnr(sr, hr).mean().item() == pytest.approx(40.0, abs=1e-3)
    assert pooled == pytest.approx(23.0, abs=0.1)  # what the wrong reading would report


def test_identical_images_have_an_infinite_psnr() -> None:
    image = torch.rand(1, 3, 128, 128)
    assert psnr(image, image).item() == math.inf
    one_level_off = image.clone()
    one_level_off[0, 0, 0, 0] += 1 / 255
    assert psnr(one_level_off, image).item() == pytest.approx(95.1, abs=0.1)


@pytest.mark.parametrize(
    ("rgb", "y"),
    [((0, 0, 0), 16), ((1, 1, 1), 235), ((1, 0, 0), 81.481), ((0, 1, 0), 144.553), ((0, 0, 1), 40.966)],
)
def test_luma_of_known_colours(rgb: tuple[float, float, float], y: float) -> None:
    colour = torch.tensor(rgb, dtype=torch.float64).view(1, 3, 1, 1)
    assert luma(colour).item() * 255 == pytest.approx(y, abs=1e-6)


def test_ssim_equals_torchmetrics_over_whole_windows() -> None:
    torch.manual_seed(0)
    hr = torch.rand(3, 3, 40, 52, dtype=torch.float64)
    sr = (hr + 0.2 * torch.randn_like(hr)).clamp(0, 1)
    # torchmetrics also counts the windows that reach over the border, into a reflection; the paper does not.
    _, full = structural_similarity_index_measure(
        sr, hr, sigma=1.5, data_range=1.0, reduction="none", return_full_image=True
    )
    torch.testing.assert_close(ssim(sr, hr).double(), full[..., 5:-5, 5:-5].mean((1, 2, 3)), atol=1e-6, rtol=0)


def test_ssim_of_two_flat_images_is_its_luminance_term() -> None:
    sr, hr = torch.full((1, 1, 32, 32), 0.4), torch.full((1, 1, 32, 32), 0.6)
    assert ssim(sr, hr).item() == pytest.approx((2 * 0.4 * 0.6 + 1e-4) / (0.16 + 0.36 + 1e-4), abs=1e-5)
    assert ssim(hr, hr).item() == pytest.approx(1.0)


def test_ssim_refuses_images_below_its_window() -> None:
    with pytest.raises(ValueError, match="at least 11"):
        ssim(torch.rand(1, 3, 10, 64), torch.rand(1, 3, 10, 64))


def test_image_metrics_are_those_of_the_8_bit_files() -> None:
    hr = torch.full((1, 3, 16, 16), 1.0)
    above = torch.full((1, 3, 16, 16), 1.7)  # saved, it is white as well
    assert image_metrics(above, hr)["psnr_rgb"].item() == math.inf
    below_half_a_level = torch.full((1, 3, 16, 16), 1.0 - 0.9 / 255)
    assert image_metrics(below_half_a_level, hr)["psnr_rgb"].item() == math.inf


def test_image_metrics_on_y_use_the_studio_range() -> None:
    black, white = torch.full((1, 3, 16, 16), -1.0), torch.full((1, 3, 16, 16), 1.0)
    scores = image_metrics(black, white)
    assert scores["psnr_rgb"].item() == pytest.approx(0.0, abs=1e-5)
    assert scores["psnr_y"].item() == pytest.approx(-20 * math.log10(219 / 255), abs=1e-4)
    assert {name: tuple(values.shape) for name, values in scores.items()} == dict.fromkeys(IMAGE_METRICS, (1,))


def test_image_metrics_do_not_feel_autocast() -> None:
    torch.manual_seed(0)
    sr, hr = torch.rand(2, 3, 32, 32) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1
    plain = image_metrics(sr, hr)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = image_metrics(sr, hr)
    for name, values in plain.items():
        torch.testing.assert_close(mixed[name], values, rtol=0, atol=0)


def photographs() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture and a blurred, noisy one of it, 64x80."""
    hr = data.astronaut()[20:84, 190:270]
    noise = np.random.default_rng(0).normal(0, 6, hr.shape)
    sr = filters.gaussian(hr, 1.2, channel_axis=2, preserve_range=True) + noise
    return sr.clip(0, 255).round().astype(np.uint8), hr


def test_psnr_ssim_and_y_equal_scikit_image_on_a_photograph() -> None:
    """With and without a border, to 1e-4; scikit-image shares none of this project's code."""
    sr, hr = photographs()
    found = image_metrics(to_network(torch.from_numpy(sr)[None]), to_network(torch.from_numpy(hr)[None]))
    how = {"data_range": 1.0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    for border in (0, 8):
        x, y = (image[border : 64 - border, border : 80 - border] / 255 for image in (sr, hr))
        luma_x, luma_y = (color.rgb2ycbcr(image)[..., 0] / 255 for image in (x, y))
        ending = "_border8" if border else ""
        assert found[f"psnr_rgb{ending}"].item() == pytest.approx(
            metrics.peak_signal_noise_ratio(y, x, data_range=1), abs=1e-4
        )
        assert found[f"psnr_y{ending}"].item() == pytest.approx(
            metrics.peak_signal_noise_ratio(luma_y, luma_x, data_range=1), abs=1e-4
        )
        # Its mean crops 5 pixels: whole windows alone.
        assert found[f"ssim_rgb{ending}"].item() == pytest.approx(
            metrics.structural_similarity(x, y, channel_axis=2, **how), abs=1e-4
        )
        assert found[f"ssim_y{ending}"].item() == pytest.approx(
            metrics.structural_similarity(luma_x, luma_y, **how), abs=1e-4
        )


def test_a_small_picture_has_no_border_to_cut() -> None:
    small = torch.rand(1, 3, 26, 40)
    assert set(image_metrics(small, small)) == set(IMAGE_METRICS)
    large = torch.rand(1, 3, 27, 40)
    assert len(image_metrics(large, large)) == 8
