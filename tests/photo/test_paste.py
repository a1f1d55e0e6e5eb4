import numpy as np
import pytest
from PIL import Image

from src.image.crop import RESAMPLER, Square, crop_square
from src.photo.faces import UpscaledFace
from src.photo.paste import mask, matched, paste, whole_face_scale
from tests.helpers.drawn_faces import noise_picture


def face_at(square: Square, image: np.ndarray) -> UpscaledFace:
    return UpscaledFace(image, None, (0, 0, 1, 1), 1.0, 20, square, {})


def smooth(width: int, height: int) -> np.ndarray:
    """A picture without detail finer than the place of a face."""
    return np.asarray(Image.fromarray(noise_picture(width // 12, height // 12)).resize((width, height), RESAMPLER))


@pytest.mark.parametrize("roll", [0.0, 0.5, -2.0])
@pytest.mark.parametrize("scale", [1.0, 2.5, 6.0])
def test_a_face_cut_from_the_photograph_goes_back_where_it_was(roll: float, scale: float) -> None:
    """An upright face that is the photograph itself leaves it as the enlargement alone has it."""
    image = smooth(120, 96)
    square = Square((40.3, 30.7, 64.3, 54.7), roll)
    plain = paste(image, [], scale)
    assert plain.shape == (round(96 * scale), round(120 * scale), 3)
    pasted = paste(image, [face_at(square, crop_square(image, square))], scale)
    assert np.abs(pasted.astype(int) - plain).max() <= 6


def test_only_the_place_of_a_face_changes_and_its_detail_arrives() -> None:
    image = smooth(120, 96)
    board = np.full((128, 128, 3), 90, np.uint8)
    board[::2] = 170  # detail that no colour match removes
    change = np.abs(
        paste(image, [face_at(Square((40, 30, 64, 54)), board)], 128 / 24).astype(int) - paste(image, [], 128 / 24)
    )
    scale = 128 / 24
    outside = np.ones(change.shape[:2], bool)
    outside[int(30 * scale) : int(54 * scale) + 1, int(40 * scale) : int(64 * scale) + 1] = False
    assert change[outside].max() == 0
    assert change[int(42 * scale) - 5 : int(42 * scale) + 5, int(52 * scale) - 5 : int(52 * scale) + 5].mean() > 20


def test_the_colours_are_those_of_the_place() -> None:
    image = np.full((60, 60, 3), (200, 120, 40), np.uint8)
    face = face_at(Square((10, 10, 40, 40)), noise_picture(128, 128) // 4 + 90)
    assert abs(matched(face, image).mean((0, 1)) - (200, 120, 40)).max() < 6


def test_the_mask_ends_within_the_square() -> None:
    found = mask(128)
    assert found[0].max() == found[-1].max() == found[:, 0].max() == found[:, -1].max() == 0
    assert (found[40:88, 40:88] == 1).all()
    assert np.abs(np.diff(found, axis=0)).max() < 0.12


@pytest.mark.parametrize("box", [(-15, -15, 9, 9), (-30, -30, -6, -6), (100, 80, 140, 120)])
def test_a_face_at_or_beyond_the_border_is_pasted_as_far_as_it_is_there(box: tuple[float, ...]) -> None:
    assert paste(smooth(108, 96), [face_at(Square(box), noise_picture(128, 128))], 2).shape == (192, 216, 3)


def test_the_scale_keeps_the_smallest_face_whole_within_limits() -> None:
    image, face = np.zeros((100, 200, 3), np.uint8), noise_picture(128, 128)
    faces = [face_at(Square((0, 0, side, side)), face) for side in (40, 20)]
    assert whole_face_scale(image, faces) == pytest.approx(6.4, abs=0.01)
    assert whole_face_scale(image, [face_at(Square((0, 0, 300, 300)), face)]) == 1
    assert whole_face_scale(image, [face_at(Square((0, 0, 5, 5)), face)]) == pytest.approx(10, abs=0.01)
    assert whole_face_scale(np.zeros((4000, 6000, 3), np.uint8), faces) == pytest.approx(1.41, abs=0.01)
    assert whole_face_scale(image, []) == 1
