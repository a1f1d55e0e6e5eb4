import math

import pytest
import torch

from src.image.warp import align_small, angle_of, invert, similarity_matrix, warp, within_input


def matrix(angle: float = 0.0, scale: float = 1.0, x: float = 0.0, y: float = 0.0) -> torch.Tensor:
    return similarity_matrix(*(torch.tensor([value]) for value in (angle, scale, x, y)))


def test_a_transform_moves_a_point_as_its_words_say() -> None:
    # A quarter turn takes the right-hand point (1, 0) to the bottom (0, 1); doubled, then shifted by (0.1, 0.2).
    moved = matrix(math.pi / 2, 2.0, 0.1, 0.2)[0] @ torch.tensor([1.0, 0.0, 1.0])
    assert torch.allclose(moved, torch.tensor([0.1, 2.2]), atol=1e-6)


def test_the_inverse_undoes_the_transform() -> None:
    forth = matrix(0.4, 0.87, -0.08, 0.05)
    row = torch.tensor([[[0.0, 0.0, 1.0]]])
    both = torch.cat([forth, row], 1) @ torch.cat([invert(forth), row], 1)
    assert torch.allclose(both[0], torch.eye(3), atol=1e-6)


def test_the_angle_comes_back_with_its_sign() -> None:
    assert angle_of(matrix(-0.5, 0.9))[0] == pytest.approx(-0.5)


def test_the_identity_leaves_every_pixel() -> None:
    image = torch.rand(1, 3, 16, 16)
    assert torch.allclose(warp(image, matrix()), image, atol=1e-6)


def test_a_shift_of_one_pixel_is_two_over_the_side() -> None:
    image = torch.rand(1, 1, 8, 8)
    shifted = warp(image, matrix(x=2 / 8))
    assert torch.allclose(shifted[..., :-1], image[..., 1:], atol=1e-6)
    assert torch.all(shifted[..., -1] == 0)


def test_sampling_is_float32_under_autocast() -> None:
    # bfloat16 coordinates would be off by up to 1/4 pixel at the border of 128.
    image = torch.arange(128.0).repeat(1, 1, 128, 1)
    with torch.autocast("cpu", torch.bfloat16):
        shifted, within = warp(image, matrix(x=2 / 128)), within_input(matrix(0.3, 0.95), 128)
    assert torch.allclose(shifted[..., :-1], image[..., 1:], atol=1e-3)
    assert within.equal(within_input(matrix(0.3, 0.95), 128))


def test_a_small_face_is_aligned_by_bicubic_samples_with_its_border_beyond_it() -> None:
    grey, dot = torch.full((1, 3, 16, 16), 0.5), torch.zeros(1, 3, 16, 16)
    assert torch.allclose(align_small(grey, matrix(0.5, 1.3)), grey), "no black corner"
    dot[:, :, 8, 8] = 1.0
    moved = align_small(dot, matrix(x=1 / 16))[0, 0, 8, 6:10]  # by half a pixel
    assert moved.tolist() == pytest.approx([-0.09375, 0.59375, 0.59375, -0.09375], abs=1e-4)
