import math

import pytest
import torch

from src.face.heatmaps import component_heatmaps
from src.loss.terms import (
    LOG_SCALE,
    SMALLEST_ERROR,
    TEMPERATURE,
    adversarial_loss,
    alignment_loss,
    component_weights,
    coordinate_loss,
    discriminator_loss,
    feature_loss,
    multi_class_loss,
    pixel_loss,
    real_logits,
    soft_argmax,
    structure_loss,
    structure_loss_mean,
)


def test_pixel_loss_is_a_mean_square() -> None:
    assert pixel_loss(torch.full((2, 3, 4, 4), 0.5), torch.zeros(2, 3, 4, 4)) == pytest.approx(0.25)


def test_discriminator_loss_is_the_negative_of_eq_7_3() -> None:
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
    expected = -(torch.sigmoid(real).log().mean() + (1 - torch.sigmoid(fake)).log().mean())
    assert discriminator_loss(real, fake) == pytest.approx(expected.item(), rel=1e-5)


def test_the_generator_is_pulled_towards_looking_real() -> None:
    # As printed, Eq. 7.4 would push the logit down; the gradient step must raise it.
    logit = torch.tensor([-2.0], requires_grad=True)
    adversarial_loss(logit).backward()
    assert logit.grad is not None
    assert logit.grad.item() < 0
    assert adversarial_loss(torch.zeros(3)) == pytest.approx(math.log(2))


def test_extreme_logits_stay_finite() -> None:
    wrong = torch.tensor([1e4])
    assert torch.isfinite(discriminator_loss(-wrong, wrong))
    assert torch.isfinite(adversarial_loss(-wrong))


def test_structure_loss_divides_by_the_visible_kernels_and_sums_the_stacks() -> None:
    target = torch.zeros(1, 2, 8, 8)
    estimate = torch.zeros(1, 2, 8, 8)
    estimate[0, 0] = 1.0  # 64 of squared error over 16 kernels: 4
    estimate[0, 1, 0] = 1.0  # 8 over no kernel at all, taken as 1: 8
    loss = structure_loss([estimate, target, estimate], target, torch.tensor([[16, 0]]))
    assert loss == pytest.approx(2 * (4 + 8) / 2)


def test_the_published_structure_loss_is_a_plain_mean() -> None:
    estimate = torch.full((1, 2, 8, 8), 0.5)
    assert structure_loss_mean([estimate] * 4, torch.zeros(1, 2, 8, 8)) == pytest.approx(4 * 0.25)


def test_relative_feature_loss_does_not_depend_on_the_features_scale() -> None:
    sr, hr = torch.rand(2, 5, 3, 3), torch.rand(2, 5, 3, 3)
    small, large = feature_loss(sr, hr, True), feature_loss(1000 * sr, 1000 * hr, True)
    assert small == pytest.approx(large.item(), rel=1e-4)
    assert feature_loss(10 * sr, 10 * hr) == pytest.approx(100 * feature_loss(sr, hr).item(), rel=1e-4)
    assert feature_loss(torch.zeros_like(hr), hr, True) == pytest.approx(1.0)


def test_alignment_loss_is_the_matrices_mean_square() -> None:
    true = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]])
    assert alignment_loss(true + 0.1, true) == pytest.approx(0.01)


def test_terms_are_float32_for_half_precision_outputs() -> None:
    # 1 + 1/512 is not a bfloat16 number: squares summed in bfloat16 would lose it.
    assert pixel_loss(torch.ones(1, 3, 8, 8, dtype=torch.bfloat16), torch.zeros(1, 3, 8, 8)).dtype == torch.float32


def test_two_classes_are_the_binary_loss_and_real_is_the_first() -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(5, 2), torch.randn(5, 2)
    binary = discriminator_loss(real_logits(real), real_logits(fake))
    assert multi_class_loss([real, fake]) == pytest.approx(float(binary), abs=1e-6)
    assert real_logits(torch.tensor([1.0, -2.0])).tolist() == [1.0, -2.0]
    three = torch.randn(4, 3)
    assert torch.allclose(torch.sigmoid(real_logits(three)), three.softmax(1)[:, 0])
    assert torch.allclose(adversarial_loss(real_logits(three)), -three.log_softmax(1)[:, 0].mean())


def test_component_weights_are_highest_at_visible_landmarks_and_1_on_average() -> None:
    landmarks = torch.full((2, 68, 2), 63.5)
    landmarks[:, 0] = torch.tensor([20.5, 90.5])
    visible = torch.ones(2, 68, dtype=torch.bool)
    visible[1, 0] = False
    weights = component_weights(landmarks, visible, 4.0, 128)
    assert weights.shape == (2, 1, 128, 128)
    assert weights.mean() == pytest.approx(1.0, abs=1e-6)
    far = weights[0, 0, 5, 5]
    assert weights[0, 0, 90, 20] / far == pytest.approx(5.0, rel=0.06)  # 1 + 4, x to the right and y down
    assert weights[0, 0, 90, 28] / far == pytest.approx(1 + 4 * math.exp(-(7.5**2) / 2 / 16), rel=0.06)
    assert weights[1, 0, 90, 20] == far
    assert torch.equal(component_weights(landmarks, visible, 0.0, 128), torch.ones(2, 1, 128, 128))


def test_a_weighted_pixel_loss_keeps_its_level_and_finds_the_error() -> None:
    hr, weights = torch.zeros(1, 3, 2, 2), torch.tensor([[[[2.5, 0.5], [0.5, 0.5]]]])
    assert pixel_loss(hr + 0.5, hr, weights) == pytest.approx(0.25)
    sr = hr.clone()
    sr[..., 0, 0] = 1.0  # a quarter of the pixels, at 2.5 times the weight
    assert pixel_loss(sr, hr, weights) == pytest.approx(2.5 / 4)
    assert pixel_loss(sr, hr, weights.expand(1, 1, 2, 2) * 0 + 1) == pytest.approx(float(pixel_loss(sr, hr)))


def test_the_logarithmic_pixel_loss_is_the_mean_psnr_but_for_a_factor() -> None:
    hr, off = torch.zeros(2, 3, 4, 4), torch.tensor([0.2, 0.02])[:, None, None, None]
    loss = pixel_loss(hr + off, hr, log=True)
    assert loss == pytest.approx(LOG_SCALE * math.log((0.04 / SMALLEST_ERROR + 1) * (0.0004 / SMALLEST_ERROR + 1)) / 2)
    assert pixel_loss(hr, hr, log=True) == 0
    better = pixel_loss(hr + 0.5 / 10 ** (1 / 20), hr, log=True)  # by 1 dB
    assert pixel_loss(hr + 0.5, hr, log=True) - better == pytest.approx(LOG_SCALE * math.log(10) / 10, rel=1e-3)


def test_faces_of_any_error_pull_equally_on_the_logarithmic_pixel_loss() -> None:
    sr, off = torch.zeros(2, 3, 4, 4, requires_grad=True), torch.tensor([0.8, 0.2])[:, None, None, None]
    pixel_loss(sr + off, torch.zeros(2, 3, 4, 4), log=True).backward()
    assert sr.grad is not None
    # The gradient of a face is that of its squared error over this error, so the product with the difference is equal.
    assert torch.allclose((sr.grad * off).sum((1, 2, 3)) / LOG_SCALE, torch.ones(2), rtol=5e-3)
    weights = torch.tensor([2.0, 0.5])[:, None, None, None].expand(2, 1, 4, 4)
    weighted = pixel_loss(sr.detach() + off, torch.zeros(2, 3, 4, 4), weights, log=True)
    expected = math.log((1.28 / SMALLEST_ERROR + 1) * (0.02 / SMALLEST_ERROR + 1)) / 2
    assert weighted == pytest.approx(LOG_SCALE * expected)


def test_where_the_error_is_the_scale_both_pixel_losses_have_the_same_gradient() -> None:
    gradients = []
    for log in (False, True):
        sr = torch.full((2, 3, 4, 4), LOG_SCALE**0.5, requires_grad=True)
        pixel_loss(sr, torch.zeros(2, 3, 4, 4), log=log).backward()
        gradients.append(sr.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0.01, atol=0)


def test_the_soft_argmax_of_a_map_worked_by_hand() -> None:
    # exp(H / T) is 3 at x = 0, y = 1 and 1 at the other three of the four pixels: shares 1/2 and 1/6.
    maps = torch.zeros(1, 1, 2, 2)
    maps[0, 0, 1, 0] = TEMPERATURE * math.log(3)
    x, y = soft_argmax(maps)[0, 0].tolist()
    assert x == pytest.approx((3 + 1) / 6 * 0.25 + 2 / 6 * 0.75)
    assert y == pytest.approx(2 / 6 * 0.25 + (3 + 1) / 6 * 0.75)


@pytest.mark.parametrize(("side", "std", "limit"), [(32, 4.0, 0.012), (64, 3.0, 0.01), (16, 8.0, 0.025)])
def test_the_soft_argmax_of_one_kernel_is_its_landmark(side: int, std: float, limit: float) -> None:
    torch.manual_seed(0)
    landmarks = torch.rand(8, 68, 2) * 90 + 19
    maps, _ = component_heatmaps(landmarks, torch.ones(8, 68, dtype=torch.bool), 68, side, std)
    assert (soft_argmax(maps) - (landmarks + 0.5) / 128).norm(dim=-1).max() < limit


@pytest.mark.parametrize("maps", [4, 68])
def test_coordinate_loss_is_the_shift_and_skips_what_the_true_maps_lack(maps: int) -> None:
    torch.manual_seed(0)
    landmarks, visible = torch.rand(2, 68, 2) * 60 + 30, torch.ones(2, 68, dtype=torch.bool)
    visible[0, :17] = False  # of 4 maps the last, of 68 the first 17
    target, _ = component_heatmaps(landmarks, visible, maps, 32, 4.0)
    moved, _ = component_heatmaps(landmarks + torch.tensor([12.0, -16.0]), visible, maps, 32, 4.0)  # 20 px
    assert coordinate_loss(target, target) == 0
    assert coordinate_loss(moved, target) == pytest.approx(20 / 128, rel=0.01)
    wild = torch.where(target.amax((2, 3), keepdim=True) > 0.25, moved, torch.rand_like(moved))
    assert coordinate_loss(wild, target) == pytest.approx(20 / 128, rel=0.01)
    assert coordinate_loss(moved, torch.zeros_like(target)) == 0


def test_a_step_down_the_coordinate_loss_moves_the_place_to_the_true_one() -> None:
    target, estimate = torch.zeros(1, 1, 8, 8), torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    target[0, 0, 6, 1] = 1.0
    estimate.requires_grad_()
    before = coordinate_loss(estimate, target)
    (gradient,) = torch.autograd.grad(before, estimate)
    assert coordinate_loss(estimate - 0.01 * gradient / gradient.abs().max(), target) < before


def test_perfect_heatmaps_have_finite_gradients() -> None:
    target = torch.zeros(1, 2, 8, 8)
    target[0, 0, 3, 3] = 1.0
    estimate = target.clone().requires_grad_()
    coordinate_loss(estimate, target).backward()
    assert estimate.grad is not None
    assert estimate.grad.isfinite().all()
