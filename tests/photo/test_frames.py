import math

import numpy as np
import pytest
import torch

from src.image.crop import Square, crop_square
from src.image.pixels import to_network
from src.image.warp import similarity_matrix, warp
from src.photo.frames import cut, moved, side_of, square_of, upright_square
from src.photo.inputs import to_lr
from tests.helpers.drawn_faces import noise_picture


def test_a_square_has_whole_pixels_and_lies_below_the_middle_of_the_box() -> None:
    square = square_of((100.2, 50, 109.2, 66))
    assert side_of(square) == 18  # 1.5 x 12
    assert square.box == (96, 51, 114, 69)  # centre 104.7, 58 + 0.12 x 16
    assert side_of(square_of((5, 5, 5.1, 5.1))) == 1


@pytest.mark.parametrize(("lr_side", "own"), [(16, 16), (16, 30), (32, 12), (32, 32), (32, 40)])
def test_a_cut_is_the_input_that_the_crop_itself_gives(lr_side: int, own: int) -> None:
    image = noise_picture(90, 80) // 2 + 64  # Pillow clips between its two passes
    lr = cut(image, [Square((20, 10, 20 + own, 10 + own))], lr_side)
    crop = image[10 : 10 + own, 20 : 20 + own]
    assert lr.shape == (1, 3 if lr_side == 16 else 4, lr_side, lr_side)
    inner = slice(7, -7) if own < lr_side else slice(3, -3)  # at the border, the cut sees what surrounds the crop
    wanted = to_lr(crop, lr_side)
    assert (lr - wanted)[0, :3, inner, inner].abs().max() <= 1.01 / 127.5
    if lr_side == 32:
        assert torch.equal(lr[:, 3], wanted[:, 3])


def test_a_size_beyond_the_training_is_told_as_its_nearest() -> None:
    image = noise_picture(90, 90)
    squares = [Square((0, 0, side, side)) for side in (9, 20, 80)]
    assert (2 ** cut(image, squares, 32, (12, 40))[:, 3, 0, 0] * 16).tolist() == pytest.approx([12, 20, 40])


@pytest.mark.parametrize("roll", [0.0, 0.3, -1.0])
def test_the_upright_square_is_where_the_networks_transform_looks(roll: float) -> None:
    """Sampling the network's input through its matrix gives the same as cutting the upright square."""
    y, x = np.mgrid[:120, :120]
    image = np.stack([128 + 100 * np.sin(x / 9), 128 + 100 * np.cos(y / 7), 128 + 100 * np.sin((x + y) / 11)], -1)
    image = image.round().astype(np.uint8)
    seen = Square((30, 40, 70, 80), roll)
    matrix = similarity_matrix(*torch.tensor([[0.4], [0.8], [0.1], [-0.15]]))
    place = upright_square(seen, matrix[0].numpy())
    assert side_of(place) == pytest.approx(32, rel=1e-5)
    assert place.roll == pytest.approx(roll + 0.4, abs=1e-6)
    whole = to_network(torch.from_numpy(crop_square(image, seen, 160).copy())[None])
    expected = warp(whole, matrix, side=64)
    found = to_network(torch.from_numpy(crop_square(image, place, 64).copy())[None])
    inside = slice(8, -8)  # whose samples lie within the square that was seen
    assert (expected - found)[0, :, inside, inside].abs().max() < 0.06


def test_corners_that_do_not_move_and_that_do() -> None:
    square = Square((0, 0, 10, 10))
    assert moved(square, square) == 0
    assert moved(square, Square((3, 4, 13, 14))) == pytest.approx(0.5)
    assert moved(square, Square((0, 0, 10, 10), math.pi)) == pytest.approx(math.sqrt(2))
