import math

import numpy as np
import pytest

from src.image.crop import Square, crop_box, crop_image, crop_square, level_square, replicated_share
from tests.helpers.drawn_faces import noise_picture, schematic_face


def dot_picture(width: int, height: int, x: float, y: float, spread: float) -> np.ndarray:
    """A white Gaussian dot whose centre is at (x, y), pixel centres at integers."""
    rows, columns = np.mgrid[:height, :width]
    dot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2))
    return np.repeat(dot.round().astype(np.uint8)[..., None], 3, 2)


def centroid(image: np.ndarray) -> np.ndarray:
    weights = image[..., 0].astype(float)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


def test_box_is_the_formula() -> None:
    points = np.full((68, 2), np.nan, np.float32)
    points[:2] = [[10, 20], [40, 80]]
    assert crop_box(points) == (25.5 - 45, 50.5 - 45, 25.5 + 45, 50.5 + 45)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("turned", [False, True])
def test_a_dot_lands_where_its_landmark_says(seed: int, turned: bool) -> None:
    rng = np.random.default_rng(seed)
    side = float(np.exp(rng.uniform(np.log(40), np.log(500))))
    x0, y0 = rng.uniform(-0.2 * side, 0.2 * side, 2)
    square = Square((x0, y0, x0 + side, y0 + side), rng.uniform(-3, 3) if turned else 0.0)
    point = rng.uniform(0.4 * side, 0.7 * side, 2)
    picture = dot_picture(int(1.2 * side), int(1.2 * side), *point, spread=3 * side / 128)
    expected = square.moved(point[None].astype(np.float32))[0]
    assert centroid(crop_square(picture, square)) == pytest.approx(expected, abs=0.05)


def test_a_square_of_the_whole_picture_changes_nothing() -> None:
    picture, points = noise_picture(128, 128), schematic_face()
    whole = Square((0, 0, 128, 128))
    assert np.array_equal(crop_square(picture, whole), picture)
    assert np.allclose(whole.moved(points), points, atol=1e-5)


def test_a_half_turn_is_the_picture_upside_down() -> None:
    picture = noise_picture(128, 128)
    turned = crop_square(picture, Square((0, 0, 128, 128), math.pi)).astype(int)
    assert np.abs(turned - picture[::-1, ::-1]).max() <= 1


def test_a_turned_square_is_the_upright_one_of_the_turned_picture() -> None:
    """Landmarks rolled by 20 degrees in the picture stand in the crop as those of the face that is level."""
    level, leaning = schematic_face(centre=(300, 260), size=160), schematic_face(centre=(300, 260), size=160, roll=20)
    roll = math.radians(20)
    assert np.allclose(level_square(level).moved(level), level_square(leaning, roll).moved(leaning), atol=1e-3)


def test_a_grown_square_keeps_its_scale_and_its_middle() -> None:
    square = Square((10, 20, 110, 120), 0.3)
    points = np.array([[40, 50], [90, 100]], np.float32)
    assert np.allclose(square.grown(48).moved(points, 224), square.moved(points) + 48, atol=1e-3)


def test_what_of_a_turned_square_lies_outside_is_counted() -> None:
    assert Square((0, 0, 100, 100), 0.0).outside(50, 100) == 0.5
    assert Square((0, 0, 100, 100), math.pi / 2).outside(50, 100) == pytest.approx(0.5, abs=0.01)
    corner = (2 - math.sqrt(2)) ** 2 / 4 * 2  # of the unit square turned by 45 degrees, beyond its own outline
    assert Square((0, 0, 100, 100), math.pi / 4).outside(100, 100) == pytest.approx(corner, abs=0.01)


def test_border_is_replicated_and_measured() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, 0], picture[:, -1] = (255, 0, 0), (0, 0, 255)
    left = crop_image(picture, (-64, -14, 64, 114))
    assert (left[:, :60] == (255, 0, 0)).all()
    assert replicated_share((-64, -14, 64, 114), 200, 100) == pytest.approx(1 - 64 * 100 / 128**2)
    assert replicated_share((10, 10, 60, 60), 200, 100) == 0
    assert replicated_share((-50, 0, 0, 50), 200, 100) == 1
    assert (crop_image(picture, (-300, 0, -200, 100)) == (255, 0, 0)).all()
    assert (crop_image(picture, (300, 0, 400, 100)) == (0, 0, 255)).all()


def test_shrinking_is_anti_aliased() -> None:
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = crop_image(stripes, (0, 0, 1024, 1024)).astype(int)
    assert np.abs(crop[:, 2:-2] - 127.5).max() <= 2  # at the border one stripe is replicated


def test_the_crop_sees_the_picture_beyond_its_box() -> None:
    """The kernel reaches over the box's edge, so a crop is a piece of the resized whole."""
    picture = noise_picture(512, 512)
    whole = crop_image(picture, (0, 0, 512, 512), side=256)
    piece = crop_image(picture, (128, 128, 384, 384), side=128)
    assert np.array_equal(piece, whole[64:192, 64:192])


def test_the_share_of_the_margin_that_the_picture_covers() -> None:
    face = Square((48.0, 48.0, 176.0, 176.0))
    assert face.margin_inside(48, 224, 224) == 1
    assert face.margin_inside(0, 10, 10) == 1
    assert Square((0.0, 0.0, 128.0, 128.0)).margin_inside(48, 128, 128) == 0
    assert face.margin_inside(48, 224, 176) == pytest.approx(1 - 48 * 224 / (224**2 - 128**2))
