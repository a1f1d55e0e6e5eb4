import numpy as np

from src.face.mean_face import CONE_AXES, CONE_COSINES, MEAN_FACE
from src.face.points import MIRROR
from src.synthetic.identity import sample_identity, sample_pose
from src.synthetic.measure_mean_face import measure_cones, measure_points
from src.synthetic.render import draw, view_landmarks


def test_the_mean_face_is_the_one_of_the_drawn_heads() -> None:
    np.testing.assert_allclose(MEAN_FACE, measure_points(), atol=0.051)  # written down to 0.1 mm


def test_the_cones_are_those_of_the_drawn_heads() -> None:
    axes, cosines = measure_cones(1500)
    yaw, pitch = np.radians(np.random.default_rng(0).uniform([-90, -30], [90, 30], (2000, 2))).T
    to_camera = np.stack([-np.sin(yaw) * np.cos(pitch), np.sin(pitch), -np.cos(yaw) * np.cos(pitch)], 1)
    committed = to_camera @ CONE_AXES.T > CONE_COSINES
    assert (committed == (to_camera @ axes.T > cosines)).mean() > 0.985


def test_the_face_and_its_cones_are_symmetrical() -> None:
    reflected = [-1, 1, 1]
    np.testing.assert_array_equal(MEAN_FACE[MIRROR] * reflected, MEAN_FACE)
    np.testing.assert_array_equal(CONE_AXES[MIRROR] * reflected, CONE_AXES)
    np.testing.assert_array_equal(CONE_COSINES[MIRROR], CONE_COSINES)
    np.testing.assert_allclose(np.linalg.norm(CONE_AXES, axis=1), 1, atol=2e-3)


def test_a_view_has_the_landmarks_of_the_drawing() -> None:
    for index in range(6):
        rng = np.random.default_rng([8, index])
        identity = sample_identity(rng)
        yaw, pitch = sample_pose(rng)
        face, view = draw(identity, yaw, pitch, rng), view_landmarks(identity, yaw, pitch)
        np.testing.assert_array_equal(view.landmarks, face.landmarks)
        np.testing.assert_array_equal(view.visible, face.visible)
        assert not view.visible[view.facing <= 0].any()
    frontal = view_landmarks(identity, 0, 0)
    eyes = (
        frontal.landmarks[45, 0] - frontal.landmarks[36, 0]
    )  # 92 mm in the mean; the nose's tip is 102 before the ears
    assert 0.9 < (frontal.depth[[0, 16]] - frontal.depth[30]).mean() / eyes < 1.4
