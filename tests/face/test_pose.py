import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.visibility import views
from src.face.mean_face import MEAN_FACE
from src.face.points import MIRROR
from src.face.pose import (
    estimate_pose,
    five_points,
    known_yaw,
    mean_face_through_five,
    pose_angles,
    rotation_from_3d,
    rotation_of,
)
from src.image.warp import similarity_matrix
from src.synthetic.identity import sample_identity
from src.synthetic.render import draw, view_landmarks

ALL = np.ones((1, 68), bool)
# What is left of a face in profile to image right: the 39 points of Menpo's profiles.
PROFILE = [*range(9), *range(17, 22), *range(27, 34), *range(36, 42), *range(48, 52), *range(57, 63), 66, 67]


def angles(rotation: NDArray[np.float64]) -> list[float]:
    return [float(angle[0]) for angle in pose_angles(rotation)]


def seen(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean face (1, 68, 2) in a picture."""
    return (0.5 * (MEAN_FACE @ rotation[:2].T) + [60.0, 20.0])[None]


def drawn_points(yaw: float, pitch: float, people: int, seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return np.stack([view_landmarks(sample_identity(rng), yaw, pitch).landmarks for _ in range(people)]).astype(float)


def test_positive_yaw_moves_the_nose_to_image_right_and_positive_pitch_up() -> None:
    nose = MEAN_FACE[30] - MEAN_FACE[[0, 16]].mean(0)
    assert (rotation_of(30, 0) @ nose)[0] > 20
    assert (rotation_of(0, 30) @ nose)[1] < (rotation_of(0, 0) @ nose)[1] - 20
    assert (rotation_of(0, 0, 30) @ [1.0, 0.0, 0.0])[1] > 0  # clockwise: image right goes down


@pytest.mark.parametrize("roll", [0.0, -60.0, 45.0])
@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (35, -20), (-60, 15), (90, 0), (-90, 10), (8, 30)])
def test_the_pose_of_the_mean_face_is_recovered(yaw: float, pitch: float, roll: float) -> None:
    rotation = rotation_of(yaw, pitch, roll)
    assert angles(rotation[None]) == pytest.approx([yaw, pitch, roll], abs=1e-6)
    assert angles(estimate_pose(seen(rotation), ALL)) == pytest.approx([yaw, pitch, roll], abs=0.05)
    solid = 0.3 * (MEAN_FACE @ rotation.T) + [5.0, -3.0, 40.0]
    assert angles(rotation_from_3d(solid[None])) == pytest.approx([yaw, pitch, roll], abs=1e-4)


@pytest.mark.parametrize(("yaw", "pitch"), [(40.0, 0.0), (-40.0, 0.0), (0.0, 20.0), (0.0, -20.0), (-65.0, 12.0)])
def test_the_signs_are_those_of_a_drawn_face(yaw: float, pitch: float) -> None:
    rng = np.random.default_rng(4)
    face = draw(sample_identity(rng), yaw, pitch, rng)
    found = angles(estimate_pose(face.landmarks[None], ALL))
    assert found[:2] == pytest.approx([face.yaw, face.pitch], abs=7)
    assert found[2] == pytest.approx(0, abs=4)


@pytest.mark.parametrize("yaw", [0.0, -30.0, 60.0, 75.0, -90.0])
def test_the_yaw_of_other_people_is_within_a_few_degrees(yaw: float) -> None:
    seen = views(yaw, 40, seed=2)
    found = pose_angles(estimate_pose(seen.points, np.ones((40, 68), bool)))[0]
    assert abs(found - seen.apparent).mean() < 1.5
    assert abs(seen.apparent - yaw).max() < 8  # a near camera sees a turned face, beside its axis, further turned


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("yaw", [60.0, 90.0])
@pytest.mark.parametrize("roll", [0.0, 50.0])
def test_half_a_face_is_enough(yaw: float, side: int, roll: float) -> None:
    members = PROFILE if side > 0 else list(MIRROR[PROFILE])
    known = np.isin(np.arange(68), members)[None]
    assert known.sum() == 39
    rotation = rotation_of(side * yaw, -8, roll)
    points = np.where(known[..., None], seen(rotation), np.nan)
    assert angles(estimate_pose(points, known)) == pytest.approx([side * yaw, -8, roll], abs=0.5)


def test_what_stands_at_unknown_points_does_not_matter() -> None:
    known = np.ones((1, 68), bool)
    known[0, 30:50] = False
    points = seen(rotation_of(30, 5))
    moved = points.copy()
    moved[~known] = 1e6
    np.testing.assert_array_equal(estimate_pose(moved, known), estimate_pose(points, known))
    moved[~known] = np.nan
    np.testing.assert_array_equal(estimate_pose(moved, ALL), estimate_pose(points, known))


def test_six_points_are_enough() -> None:
    known = np.isin(np.arange(68), [8, 30, 36, 45, 48, 54])[None]
    assert angles(estimate_pose(seen(rotation_of(-25, 10, 20)), known)) == pytest.approx([-25, 10, 20], abs=0.5)


def test_a_mirrored_face_has_the_opposite_yaw_and_roll() -> None:
    points = drawn_points(25, 8, 20) @ np.array([[0.8, -0.6], [0.6, 0.8]])
    mirrored = (points * [-1, 1] + [127, 0])[:, MIRROR]
    known = np.random.default_rng(0).random((20, 68)) > 0.2
    yaw, pitch, roll = pose_angles(estimate_pose(points, known))
    assert abs(roll).min() > 30
    np.testing.assert_allclose(pose_angles(estimate_pose(mirrored, known[:, MIRROR])), (-yaw, pitch, -roll), atol=1e-6)


def test_shift_and_scale_change_nothing_and_a_turn_of_the_picture_adds_to_roll() -> None:
    points = drawn_points(-40, -10, 20)
    known = np.ones((20, 68), bool)
    yaw, pitch, roll = pose_angles(estimate_pose(points, known))
    matrix = similarity_matrix(*torch.tensor([np.radians(55), 7.0, 300.0, -20.0], dtype=torch.float64)[:, None])
    turn = matrix[0].numpy()
    moved = points @ turn[:, :2].T + turn[:, 2]
    np.testing.assert_allclose(pose_angles(estimate_pose(moved, known)), (yaw, pitch, roll + 55), atol=1e-6)


def test_what_cannot_be_fitted_is_frontal_and_spoils_no_other_face() -> None:
    rng = np.random.default_rng(0)
    face = seen(rotation_of(30, 0))[0]
    points = np.stack([face] * 6)
    known = np.ones((6, 68), bool)
    known[0] = False
    known[1, 5:] = False  # five points
    points[2] = 50.0
    points[3] = rng.random((68, 1)) * [2.0, 1.0]  # in one line
    points[4] = np.nan
    found = estimate_pose(points, known)
    np.testing.assert_allclose(found[:5], np.broadcast_to(np.eye(3), (5, 3, 3)), atol=1e-9)
    assert angles(found[5:]) == pytest.approx([30, 0, 0], abs=0.05)
    solid = np.concatenate([points, np.zeros((6, 68, 1))], -1)
    solid[5] = MEAN_FACE @ rotation_of(30, 0).T
    found = rotation_from_3d(solid, known)
    np.testing.assert_allclose(found[:5], np.broadcast_to(np.eye(3), (5, 3, 3)), atol=1e-9)
    assert angles(found[5:]) == pytest.approx([30, 0, 0], abs=1e-4)


@pytest.mark.parametrize(
    "members", [[*range(36, 42)], [*range(17, 22), 36], [*range(27, 31), 33, 51, 57, 8], [36, 39, 42, 45, 37, 38]]
)
def test_points_nearly_in_a_line_or_plane_give_a_rotation(members: list[int]) -> None:
    points = seen(rotation_of(10, 5, 30)) + np.random.default_rng(0).standard_normal((1, 68, 2))
    rotation = estimate_pose(points, np.isin(np.arange(68), members)[None])[0]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_many_faces_are_fitted_as_if_alone_and_none_is_none() -> None:
    points = np.concatenate([drawn_points(50, 0, 2), drawn_points(-20, 0, 2)])
    many = np.tile(points, (5001, 1, 1))  # more than are fitted at once
    found = estimate_pose(many, np.ones((len(many), 68), bool))
    np.testing.assert_allclose(found[-4:], estimate_pose(points, np.ones((4, 68), bool)), atol=1e-9)
    assert estimate_pose(np.zeros((0, 68, 2)), np.zeros((0, 68), bool)).shape == (0, 3, 3)


def test_wrong_depth_does_not_mirror_the_head() -> None:
    rotation = rotation_from_3d((MEAN_FACE * [1, 1, -0.1])[None])[0]  # a nose slightly dented: the best fit is a mirror
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_the_face_through_five_points_goes_through_them() -> None:
    for yaw in (0.0, 35.0, -60.0):
        five = five_points(drawn_points(yaw, 5, 20))
        np.testing.assert_allclose(five_points(mean_face_through_five(five)), five, atol=1e-6)


def test_five_points_are_the_eyes_the_nose_and_the_mouths_corners_from_image_left() -> None:
    left_eye, right_eye, nose, left_corner, right_corner = five_points(seen(np.eye(3)))[0]
    assert left_eye[0] < left_corner[0] < nose[0] < right_corner[0] < right_eye[0]
    assert left_eye[1] < nose[1] < right_corner[1]


@pytest.mark.parametrize(("yaw", "bound"), [(0.0, 0.04), (-30.0, 0.06), (30.0, 0.06)])
def test_five_points_give_the_others_of_drawn_faces(yaw: float, bound: float) -> None:
    points = drawn_points(yaw, 0, 60)
    eyes = np.linalg.norm(points[:, 36] - points[:, 45], axis=1)
    error = np.linalg.norm(mean_face_through_five(five_points(points)) - points, axis=-1) / eyes[:, None]
    assert error.mean() < bound
    assert error[:, 17:48].mean() < bound * 0.7


def test_five_points_turn_and_mirror_with_the_picture() -> None:
    points = drawn_points(20, 5, 10)
    whole = mean_face_through_five(five_points(points))
    turn = 3 * np.array([[0.6, -0.8], [0.8, 0.6]])
    turned = mean_face_through_five(five_points(points @ turn.T + [9.0, -4.0]))
    np.testing.assert_allclose(turned, whole @ turn.T + [9.0, -4.0], atol=1e-4)
    mirrored = mean_face_through_five(five_points((points * [-1, 1])[:, MIRROR]))
    np.testing.assert_allclose(mirrored, (whole * [-1, 1])[:, MIRROR], atol=1e-5)


def test_five_points_in_one_place_stay_finite() -> None:
    np.testing.assert_allclose(mean_face_through_five(np.full((1, 5, 2), 20.0)), 20.0)


def test_a_face_with_too_few_known_landmarks_has_no_yaw() -> None:
    turned = seen(rotation_of(30, 0)).repeat(2, 0)
    known = np.ones((2, 68), bool)
    known[1, 5:] = False
    yaw = known_yaw(turned, known)
    assert yaw[0] == pytest.approx(30, abs=0.1)
    assert np.isnan(yaw[1])
