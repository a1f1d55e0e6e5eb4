"""Stretched training faces."""

import numpy as np
import pytest
import torch

from src.config.compose import compose
from src.data.batch import FaceBatch
from src.data.dataset import FaceDataset
from src.data.pairs import MisalignmentConfig
from src.data.stretch import MOST_STRETCH, draw_stretch, stretched
from src.face.level import eye_roll
from src.face.mean_face import MEAN_FACE
from src.image.crop import level_square
from src.image.sides import SIDE
from src.store.read import FaceStores
from src.system.errors import UserError
from src.training.config import TrainConfig
from tests.helpers.tiny_files import write_store

ALL = np.ones(68, bool)
MARGIN = 48


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> FaceStores:
    return FaceStores([write_store(tmp_path_factory.mktemp("stretch") / "faces", 8, margin=MARGIN)])


def face(roll: float = 0.0) -> np.ndarray:
    """The mean face in the frame of the crop rule, turned clockwise by `roll` radians about the middle."""
    points = MEAN_FACE[:, :2].astype(np.float32)
    points = level_square(points).moved(points)
    cos, sin = np.cos(roll), np.sin(roll)
    middle = (SIDE - 1) / 2
    return ((points - middle) @ np.array([[cos, sin], [-sin, cos]]) + middle).astype(np.float32)


def dots(points: np.ndarray) -> np.ndarray:
    """A picture with a soft white dot at every landmark."""
    side = SIDE + 2 * MARGIN
    y, x = np.mgrid[:side, :side]
    far = ((np.stack([x, y], -1) - MARGIN)[None] - points[:, None, None]).astype(np.float64)
    picture = np.exp(-np.square(far).sum(-1) / 8).max(0)
    return (255 * picture).round().astype(np.uint8)[..., None].repeat(3, 2)


def test_a_stretch_of_one_changes_nothing() -> None:
    points = face(0.1)
    image, places = stretched(dots(points), points, ALL, 1.0)
    assert np.abs(image.astype(int) - dots(points)).max() <= 1
    np.testing.assert_allclose(places, points, atol=1e-3)


@pytest.mark.parametrize("stretch", [0.8, 1.3])
def test_the_picture_moves_with_its_landmarks(stretch: float) -> None:
    points = face()
    image, places = stretched(dots(points), points, ALL, stretch)
    assert np.abs(places - points).max() > 4
    x, y = np.rint(places + MARGIN).astype(int).T
    assert image[y, x].min() > 220, "a dot is 1 pixel wide and more"


@pytest.mark.parametrize("stretch", [0.8, 1.3])
def test_the_new_face_lies_in_its_own_upright_frame(stretch: float) -> None:
    _, places = stretched(dots(face()), face(), ALL, stretch)
    assert abs(eye_roll(places[None].astype(np.float64), ALL[None])[0]) < 1e-3
    np.testing.assert_allclose(level_square(places).box, (0, 0, SIDE, SIDE), atol=1e-2)


def test_a_store_of_another_crop_rule_keeps_its_rule() -> None:
    """Where the stored frame is the level one turned and moved, the new frame is so too."""
    turned = face(0.2) + np.array([5, -3], np.float32)
    _, places = stretched(dots(turned), turned, ALL, 1.2)
    roll = eye_roll(places[None].astype(np.float64), ALL[None])[0]
    assert roll == pytest.approx(0.2, abs=1e-3)
    before, after = (level_square(points, roll).box for points in (turned, places))
    np.testing.assert_allclose(after, before, atol=1e-2)


@pytest.mark.parametrize("stretch", [0.8, 1.25])
@pytest.mark.parametrize("roll", [0.0, 0.4])
def test_it_is_wider_along_the_line_of_the_eyes(stretch: float, roll: float) -> None:
    _, places = stretched(dots(face(roll)), face(roll), ALL, stretch)
    cos, sin = np.cos(roll), np.sin(roll)
    before, after = (np.ptp(points @ np.array([[cos, -sin], [sin, cos]]), axis=0) for points in (face(roll), places))
    assert (after[0] / after[1]) / (before[0] / before[1]) == pytest.approx(stretch, rel=1e-3)


def test_unknown_landmarks_stay_unknown() -> None:
    points = face()
    points[:17] = np.nan
    _, places = stretched(dots(face()), points, ~np.isnan(points[:, 0]), 1.2)
    assert np.array_equal(np.isnan(places), np.isnan(points))


def test_hidden_eyes_and_faces_without_surroundings() -> None:
    """With both eyes hidden the roll is not known: the face is taken for level, as the crop rule takes it."""
    points, hidden = face(), ALL.copy()
    hidden[36:48] = False
    image, places = stretched(dots(points)[MARGIN:-MARGIN, MARGIN:-MARGIN], points, hidden, 0.8)
    assert image.shape == (SIDE, SIDE, 3)
    np.testing.assert_allclose(places, stretched(dots(points), points, ALL, 0.8)[1], atol=0.1)
    white, _ = stretched(np.full((SIDE, SIDE, 3), 255, np.uint8), points, ALL, 0.7)
    assert white.min() == 255, "border pixels, and no black ones, beside a narrower face"


def test_stretches_are_drawn_both_ways_to_the_most() -> None:
    random = np.random.default_rng(0)
    draws = np.array([draw_stretch(0.25, random) for _ in range(2000)])
    assert 0.8 <= draws.min() < 0.81
    assert 1.24 < draws.max() <= 1.25
    assert abs(np.log(draws).mean()) < 0.01


def batches(stores: FaceStores, stretch: float) -> FaceBatch:
    faces = FaceDataset(
        stores,
        MisalignmentConfig(fill="context"),
        3,
        mirror=True,
        black_share=0.4,
        upright_share=0.4,
        blend_share=0.5,
        stretch=stretch,
    )
    return faces.__getitems__([(epoch, index) for epoch in range(5) for index in range(8)])


def test_no_other_draw_moves(stores: FaceStores) -> None:
    some, none = batches(stores, 0.2), batches(stores, 0.0)
    for name in ("misalignment", "mirror", "black", "visible"):
        assert torch.equal(getattr(some, name), getattr(none, name)), name
    moved = (some.landmarks - none.landmarks).abs().amax((1, 2))
    assert (moved > 0.05).all(), "upright or not, blended or not"
    assert (some.images != none.images).flatten(1).any(1).all(), "the pictures too"


def test_a_face_has_another_shape_in_each_epoch(stores: FaceStores) -> None:
    faces = FaceDataset(stores, MisalignmentConfig(fill="context"), 3, stretch=0.2)
    places = faces.__getitems__([(epoch, 2) for epoch in range(5)]).landmarks
    assert torch.pdist(places.flatten(1)).min() > 0.1


def test_a_stretch_needs_surroundings() -> None:
    words = ["experiment=demo", "data.train=[a]", "data.val=[a]", "data.stretch=0.2"]
    with pytest.raises(UserError, match=r"stretch=0.2 is for misalignment.fill=context"):
        compose("train", TrainConfig, [*words, "data.misalignment.fill=border"])


@pytest.mark.parametrize("most", [-0.1, MOST_STRETCH + 0.1])
def test_a_stretch_out_of_range_is_refused(most: float) -> None:
    with pytest.raises(UserError, match=r"stretch must be 0-0.5, not (0\.6|-0\.1)"):
        compose("train", TrainConfig, ["experiment=demo", "data.train=[a]", "data.val=[a]", f"data.stretch={most:g}"])
