import numpy as np
import pytest

from src.image.crop import crop_box, crop_image, points_in_crop, replicated_share
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
def test_a_dot_lands_where_its_landmark_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    side = float(np.exp(rng.uniform(np.log(40), np.log(500))))
    x0, y0 = rng.uniform(-0.2 * side, 0.2 * side, 2)
    box = (x0, y0, x0 + side, y0 + side)
    point = rng.uniform(0.4 * side, 0.7 * side, 2)
    picture = dot_picture(int(1.2 * side), int(1.2 * side), *point, spread=3 * side / 128)
    expected = points_in_crop(point[None].astype(np.float32), box)[0]
    assert centroid(crop_image(picture, box)) == pytest.approx(expected, abs=0.05)


def test_a_box_of_the_whole_picture_changes_nothing() -> None:
    picture, points = noise_picture(128, 128), schematic_face()
    assert np.array_equal(crop_image(picture, (0, 0, 128, 128)), picture)
    assert np.array_equal(points_in_crop(points, (0, 0, 128, 128)), points)


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
