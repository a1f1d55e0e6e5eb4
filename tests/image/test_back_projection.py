import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from src.image.back_projection import back_projected
from src.image.warp import invert, similarity_matrix, warp


def reduced(image: Tensor) -> Tensor:
    return F.interpolate(image, (16, 16), mode="bicubic", align_corners=False, antialias=True)


def smooth(seed: int) -> Tensor:
    noise = torch.rand(3, 3, 24, 24, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return F.interpolate(noise, (128, 128), mode="bicubic", align_corners=False)


def transforms(*angles: float) -> Tensor:
    angle = torch.tensor(angles)
    return similarity_matrix(angle, torch.full_like(angle, 0.9), 0.05 * torch.ones_like(angle), -angle / 10)


def test_an_upright_face_reduced_again_is_its_lr_face() -> None:
    lr = reduced(smooth(1))
    image = back_projected(smooth(2), lr, None)
    assert torch.allclose(reduced(image), lr, atol=1e-5)
    assert torch.allclose(back_projected(image, lr, None), image, atol=1e-5)  # nothing is missing now


def test_an_upright_face_is_changed_by_what_the_lr_face_shows_alone() -> None:
    image, lr = smooth(2), reduced(smooth(1))
    change = back_projected(image, lr, None) - image
    detail = smooth(3)
    detail = detail - (back_projected(torch.zeros_like(detail), reduced(detail), None))  # what LR does not show
    assert detail.abs().amax() > 0.1
    assert torch.allclose(back_projected(image + detail, lr, None) - (image + detail), change, atol=1e-4)


def test_a_misaligned_face_gives_its_lr_face_where_that_shows_the_face() -> None:
    matrix = transforms(0.3, -0.2, 0.0)
    to_face = invert(matrix)
    lr = reduced(warp(smooth(1), to_face, "bicubic", "border"))
    image = smooth(2)

    def missing(face: Tensor) -> Tensor:
        seen = warp(face, to_face, "bicubic", "border")
        return (reduced(seen) - lr)[:, :, 4:12, 4:12].square().mean((1, 2, 3))

    before, after = missing(image), missing(back_projected(image, lr, matrix))
    assert (after < before / 100).all()
    # Turned the other way it is another face, which stays as wrong as it was.
    assert (missing(back_projected(image, lr, to_face))[:2] > before[:2] / 4).all()


def test_pixels_that_see_beyond_the_face_correct_nothing() -> None:
    matrix = transforms(0.5, 0.5, 0.5)  # 29 degrees: the frame's corners see beyond the face
    lr = reduced(warp(smooth(1), invert(matrix), "bicubic", "border"))
    inside = reduced(warp(torch.ones(3, 1, 128, 128), invert(matrix)))
    beyond = (inside - 1).abs() > 0.01
    assert 0.1 < beyond.float().mean() < 0.5
    assert (beyond & (inside > 0.95)).any()  # bicubic weights below 0 make up for what is missing
    black = torch.where(beyond, -1.0, lr)
    assert torch.equal(back_projected(smooth(2), black, matrix), back_projected(smooth(2), lr, matrix))


@pytest.mark.parametrize("matrix", [None, transforms(0.3, -0.2, 0.0)])
def test_it_computes_in_float32_under_autocast(matrix: Tensor | None) -> None:
    image, lr = smooth(2).bfloat16(), reduced(smooth(1))
    expected = back_projected(image.float(), lr, matrix)
    with torch.autocast("cpu", torch.bfloat16):
        image = back_projected(image, lr, matrix)
    assert image.dtype == torch.float32
    assert torch.equal(image, expected)
