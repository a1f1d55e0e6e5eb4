import numpy as np

from src.data.augment import Photometric, PhotometricConfig

PICTURE = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)


def test_the_same_random_numbers_give_the_same_light() -> None:
    first, second = (Photometric(PhotometricConfig(probability=1.0)) for _ in range(2))
    second(PICTURE, np.random.default_rng(9))  # what came before must not matter
    changed = first(PICTURE, np.random.default_rng(3))
    assert np.array_equal(changed, second(PICTURE, np.random.default_rng(3)))
    assert not np.array_equal(changed, PICTURE)
    assert changed.dtype == np.uint8


def test_probability_0_leaves_the_picture() -> None:
    assert np.array_equal(Photometric(PhotometricConfig(probability=0.0))(PICTURE, np.random.default_rng(1)), PICTURE)


def test_gray_takes_the_colour() -> None:
    changed = Photometric(PhotometricConfig(probability=1.0, gray=1.0))(PICTURE, np.random.default_rng(1))
    assert np.array_equal(changed[..., 0], changed[..., 1])
    assert changed.shape == PICTURE.shape


def test_geometry_is_never_touched() -> None:
    dot = np.full((64, 64, 3), 100, np.uint8)
    dot[20:24, 40:44] = 200
    changed = Photometric(PhotometricConfig(probability=1.0))(dot, np.random.default_rng(5)).astype(int)
    inside = changed[20:24, 40:44]
    outside = np.delete(changed.reshape(-1, 3), [y * 64 + x for y in range(20, 24) for x in range(40, 44)], 0)
    assert (inside.min(axis=(0, 1)) > outside.max(axis=0)).all()
