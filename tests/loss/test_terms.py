import math

import pytest
import torch

from src.loss.terms import (
    adversarial_loss,
    alignment_loss,
    discriminator_loss,
    feature_loss,
    multi_class_loss,
    pixel_loss,
    real_logits,
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
