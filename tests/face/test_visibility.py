import functools

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.visibility import Views, agreement, noisy, views
from src.face.points import COMPONENTS, MIRROR
from src.face.pose import rotation_of
from src.face.visibility import estimate_visibility, visible_landmarks

PEOPLE = 60


def flags(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> NDArray[np.bool_]:
    return visible_landmarks(rotation_of(yaw, pitch, roll)[None])[0]


@functools.cache
def drawn(yaw: float) -> Views:
    return views(yaw, PEOPLE, seed=1)


def known(people: int = PEOPLE) -> NDArray[np.bool_]:
    return np.ones((people, 68), bool)


def test_all_of_a_frontal_face_is_seen() -> None:
    for pitch in (-5, 0, 10):
        for yaw in (-5, 0, 5):
            assert flags(yaw, pitch).all()


@pytest.mark.parametrize("roll", [0.0, 60.0])
def test_a_face_turned_to_image_right_hides_its_image_right_side(roll: float) -> None:
    hidden = ~flags(90, 0, roll)
    assert hidden[[*range(9, 17), *range(22, 27), *range(42, 48), 35, 54]].all()
    assert not hidden[[*range(8), *range(17, 22), *range(36, 39), 31, 48]].any()


def test_a_small_turn_hides_the_far_edge_of_the_jaw_alone() -> None:
    assert set(np.flatnonzero(~flags(20))) <= set(range(9, 17))
    assert not flags(20)[16]


def test_the_nose_hides_the_far_corner_of_the_eye() -> None:
    """Its skin still faces the camera, by 20 degrees in the mean: the normal alone would not tell."""
    assert flags(40)[42]
    assert not flags(60)[42]
    assert flags(60)[39]


def test_the_underside_of_the_nose_is_seen_from_below() -> None:
    assert not flags(0, -25)[[32, 33, 34]].any()
    assert flags(0, 25)[[32, 33, 34]].all()


def test_mirrored_poses_have_mirrored_flags() -> None:
    rng = np.random.default_rng(0)
    for yaw, pitch in zip(rng.uniform(-100, 100, 200), rng.uniform(-40, 40, 200), strict=True):
        np.testing.assert_array_equal(flags(-yaw, pitch), flags(yaw, pitch)[MIRROR])


def test_mirrored_points_have_mirrored_flags() -> None:
    points = drawn(30).points
    mirrored = (points * [-1, 1] + [127, 0])[:, MIRROR]
    np.testing.assert_array_equal(
        estimate_visibility(mirrored, known()), estimate_visibility(points, known())[:, MIRROR]
    )


@pytest.mark.parametrize("component", list(COMPONENTS[4]))
@pytest.mark.parametrize("yaw", [0, 30, -30, 60, -60, 75, -75])
def test_the_flags_are_those_of_drawn_faces(yaw: float, component: str) -> None:
    seen = drawn(yaw)
    assert agreement(seen, estimate_visibility(seen.points, known()), seen.clear)[component] >= 90
    assert agreement(seen, estimate_visibility(seen.points, known()), known())[component] >= 88  # also grazing


@pytest.mark.parametrize("yaw", [0, -30, 60, 75])
def test_a_detectors_error_costs_little(yaw: float) -> None:
    seen = drawn(yaw)
    found = estimate_visibility(noisy(seen, np.random.default_rng(0)), known())
    assert min(agreement(seen, found, seen.clear).values()) >= 90


@pytest.mark.parametrize("yaw", [0, 30, -60, 75])
def test_points_with_depth_do_as_well(yaw: float) -> None:
    seen = drawn(yaw)
    found = estimate_visibility(seen.points, known(), seen.depth)
    assert min(agreement(seen, found, seen.clear).values()) >= 90


def test_depth_counts_away_from_the_camera() -> None:
    seen = drawn(60)
    assert min(agreement(seen, estimate_visibility(seen.points, known(), -seen.depth), seen.clear).values()) < 80


def test_an_unknown_landmark_is_not_visible_and_the_others_are_told_without_it() -> None:
    seen = drawn(60)
    some = np.random.default_rng(0).random((PEOPLE, 68)) > 0.3
    points = np.where(some[..., None], seen.points, np.nan)
    found = estimate_visibility(points, some)
    assert not found[~some].any()
    assert min(agreement(seen, found, seen.clear & some).values()) >= 90


def test_a_face_that_cannot_be_fitted_counts_as_frontal() -> None:
    few = np.zeros((1, 68), bool)
    few[0, [3, 30, 45]] = True
    np.testing.assert_array_equal(estimate_visibility(np.zeros((1, 68, 2)), few), few)
