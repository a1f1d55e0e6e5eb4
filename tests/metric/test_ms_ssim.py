import pytest
import torch
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from src.metric.image import ssim
from src.metric.ms_ssim import WEIGHTS, ms_ssim, scales_of


def pictures(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    coarse = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    hr = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    return (hr + 0.1 * torch.randn_like(hr)).clamp(0, 1), hr


def test_five_scales_are_those_of_torchmetrics() -> None:
    sr, hr = pictures(192)
    wanted = multiscale_structural_similarity_index_measure(
        sr, hr, data_range=1.0, reduction="none", sigma=1.5, betas=WEIGHTS
    )
    # torchmetrics' exponents do not sum to 1 by 1e-4.
    torch.testing.assert_close(ms_ssim(sr, hr).double(), wanted, atol=2e-4, rtol=0)


def test_a_face_has_four_scales_whose_exponents_sum_to_one() -> None:
    assert [scales_of(side) for side in (128, 176, 175, 11)] == [4, 5, 4, 1]
    sr, hr = pictures(128)
    betas = tuple(weight / sum(WEIGHTS[:4]) for weight in WEIGHTS[:4])
    wanted = multiscale_structural_similarity_index_measure(
        sr, hr, data_range=1.0, reduction="none", sigma=1.5, betas=betas
    )
    # torchmetrics also counts the windows that reach over the border.
    torch.testing.assert_close(ms_ssim(sr, hr).double(), wanted, atol=1e-4, rtol=0)
    assert ms_ssim(hr, hr).tolist() == pytest.approx([1.0, 1.0])


def test_a_small_picture_has_one_scale_which_is_ssim() -> None:
    sr, hr = (image[..., :20, :20] for image in pictures(128))
    torch.testing.assert_close(ms_ssim(sr, hr), ssim(sr, hr))
