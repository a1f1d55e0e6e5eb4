import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from src.synthetic.draw import render_face
from src.synthetic.head import HEAD_FACES, head_mesh
from src.synthetic.identity import sample_identity
from src.synthetic.parameters import Identity, packed
from src.synthetic.render import SyntheticFace, _rotation, draw
from src.synthetic.skin_points import head_landmarks

ROOT = Path(__file__).resolve().parents[2]
# Where each landmark goes when the picture is mirrored.
MIRROR = [
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
]  # fmt: skip


def person(index: int, **shape: float) -> Identity:
    identity = sample_identity(np.random.default_rng([5, index]))
    return identity._replace(shape=identity.shape._replace(**shape))


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def posed(index: int, yaw: float, pitch: float = 0.0, **shape: float) -> SyntheticFace:
    return draw(person(index, **shape), yaw, pitch, np.random.default_rng(0))


def test_a_face_has_the_documented_form() -> None:
    face = render_face(0, 0)
    assert face.image.shape == (128, 128, 3)
    assert face.image.dtype == np.uint8
    assert face.landmarks.shape == (68, 2)
    assert face.landmarks.dtype == np.float32
    assert face.visible.shape == (68,)
    assert face.visible.dtype == np.bool_


def test_the_same_seed_and_index_draw_the_same_face_in_any_order() -> None:
    forwards = [render_face(3, i) for i in range(4)]
    backwards = [render_face(3, i) for i in reversed(range(4))][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.landmarks, b.landmarks)
        np.testing.assert_array_equal(a.visible, b.visible)


def test_another_process_draws_the_same_face() -> None:
    code = (
        "import hashlib; from src.synthetic.draw import render_face as r; f = r(7, 11); "
        "print(hashlib.sha256(f.image.tobytes() + f.landmarks.tobytes() + f.visible.tobytes()).hexdigest())"
    )
    runs = [subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True) for _ in range(2)]
    assert runs[0].returncode == 0, runs[0].stderr
    assert runs[0].stdout == runs[1].stdout
    here = render_face(7, 11)
    parts = here.image.tobytes() + here.landmarks.tobytes() + here.visible.tobytes()
    assert runs[0].stdout.strip() == hashlib.sha256(parts).hexdigest()


def test_seed_and_index_both_change_the_face() -> None:
    base = render_face(1, 0)
    for other in (render_face(1, 1), render_face(2, 0)):
        assert np.abs(base.image.astype(int) - other.image).mean() > 5
        assert np.abs(base.landmarks - other.landmarks).max() > 1


def test_the_frame_is_one_and_a_half_times_the_box_and_centred_on_it() -> None:
    for index in range(20):
        points = render_face(4, index).landmarks
        low, high = points.min(0), points.max(0)
        np.testing.assert_allclose((low + high) / 2, 63.5, atol=1e-3)
        assert (high - low).max() * 1.5 == pytest.approx(128, abs=1e-3)
        assert low.min() >= 0
        assert high.max() <= 127


def test_poses_stay_in_range_and_profiles_are_common() -> None:
    faces = [render_face(6, index) for index in range(60)]
    yaws = np.array([face.yaw for face in faces])
    assert np.abs(yaws).max() <= 75
    assert (np.abs(yaws) > 45).sum() >= 8
    assert (yaws < 0).sum() >= 15
    assert (yaws > 0).sum() >= 15
    assert max(abs(face.pitch) for face in faces) <= 25


@pytest.mark.parametrize("index", range(12))
def test_a_frontal_face_shows_all_landmarks_in_the_ibug_order(index: int) -> None:
    face = posed(index, 0.0)
    assert face.visible.all(), np.flatnonzero(~face.visible)
    x, y = face.landmarks.T
    assert (np.diff(x[:17]) > 0).all()  # jaw from image left to image right
    assert y[8] == y[:17].max()
    assert (np.diff(x[17:27]) > 0).all()  # brows
    assert (np.diff(y[27:31]) > 0).all()  # down the bridge
    assert (np.diff(x[31:36]) > 0).all()
    assert x[36] < x[37] < x[38] < x[39] < x[42] < x[43] < x[44] < x[45]
    assert y[[37, 38, 43, 44]].max() < y[[40, 41, 46, 47]].min() + 3
    assert (np.diff(x[48:55]) > 0).all()
    assert (np.diff(x[54:60]) < 0).all()
    assert (np.diff(x[60:65]) > 0).all()
    assert (np.diff(x[64:68]) < 0).all()
    assert y[51] < y[62] <= y[66] < y[57]
    assert y[19] < y[37]
    assert y[30] < y[33] < y[51]


@pytest.mark.parametrize("index", range(6))
def test_a_face_turned_to_image_right_hides_its_image_right_side(index: int) -> None:
    right, left = posed(index, 75.0), posed(index, -75.0)
    near_jaw, far_jaw, far_brow = range(0, 7), range(10, 17), range(24, 27)
    assert right.visible[list(near_jaw)].all()
    assert not right.visible[list(far_jaw)].any()
    assert not right.visible[list(far_brow)].any()
    assert not right.visible[[45, 54]].any()  # outer corner of the far eye, far mouth corner
    assert right.visible[[30, 36, 48, 17, 18, 19]].all()
    assert not left.visible[[16 - i for i in far_jaw]].any()
    assert left.visible[[30, 45, 54, 24, 25, 26]].all()
    # The nose points where the face turns to, past everything else above the mouth.
    assert right.landmarks[30, 0] > right.landmarks[[36, 45, 48, 54], 0].max()
    assert left.landmarks[30, 0] < left.landmarks[[36, 45, 48, 54], 0].min()


def test_mirrored_poses_have_mirrored_landmarks() -> None:
    for index, yaw in ((0, 20.0), (1, 50.0), (2, 75.0)):
        a, b = posed(index, yaw, 10.0), posed(index, -yaw, 10.0)
        flipped = b.landmarks[MIRROR] * [-1, 1] + [127, 0]
        np.testing.assert_allclose(a.landmarks, flipped, atol=1e-3)
        # Rounding to pixels may decide a grazing point otherwise, never more than a few.
        assert (a.visible != b.visible[MIRROR]).sum() <= 2


def test_looking_up_raises_the_nose_tip_between_brows_and_chin() -> None:
    def height(face: SyntheticFace) -> float:
        y = face.landmarks[:, 1]
        return float((y[8] - y[30]) / (y[8] - y[27]))

    assert height(posed(0, 0.0, 25.0)) > height(posed(0, 0.0, 0.0)) > height(posed(0, 0.0, -25.0))


@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (25.0, -15.0), (-45.0, 10.0), (70.0, 0.0)])
def test_visibility_agrees_with_rays_through_the_mesh(yaw: float, pitch: float) -> None:
    """The same question answered without pixels: is there a triangle between the landmark and the camera."""
    for index in range(3):
        identity = person(index)._replace(distance=1.0e6)  # parallel rays
        identity = identity._replace(hair=identity.hair._replace(over_ear=-20.0))  # no ears: the head alone
        face = draw(identity, yaw, pitch, np.random.default_rng(0))
        rotation = _rotation(yaw, pitch)
        corners = (head_mesh(packed(identity.shape))[0] @ rotation.T)[HEAD_FACES]  # (T, 3, 3)
        points, normals = head_landmarks(packed(identity.shape))
        points, facing = points @ rotation.T, (normals @ rotation.T)[:, 2]
        a, b, c = (corners[:, k, :2] for k in range(3))
        area = cross(b - a, c - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            for i, point in enumerate(points):
                q = point[:2]
                wa, wb = cross(b - q, c - q) / area, cross(c - q, a - q) / area
                wc = 1 - wa - wb
                through = (np.minimum(np.minimum(wa, wb), wc) >= 0) & np.isfinite(wa)
                depth = (wa * corners[:, 0, 2] + wb * corners[:, 1, 2] + wc * corners[:, 2, 2])[through]
                ahead = depth.max() - point[2] if len(depth) else -1.0
                if ahead > 8 or facing[i] < -0.01:
                    assert not face.visible[i], (index, i, ahead)
                if ahead < 1 and facing[i] > 0.05:
                    assert face.visible[i], (index, i, ahead)


def brightness(face: SyntheticFace, x: float, y: float) -> float:
    column, row = round(float(x)), round(float(y))
    return float(face.image[row, column].mean())


def test_landmarks_lie_on_what_is_drawn() -> None:
    """The eye's middle is darker than the cheek, the brow darker than the forehead over it, an open mouth is dark."""
    dark_eye = dark_brow = dark_mouth = 0
    for index in range(12):
        identity = person(index, eye_up=6.5, mouth_open=18.0, smile=0.0, beard_out=0.0)
        look = identity.look._replace(
            skin=(0.65, 0.42, 0.32), brow=(0.03, 0.02, 0.02), iris=(0.05, 0.03, 0.02), beard_full=0.0, moustache=0.0,
            stubble=0.0, gaze_x=0.0, teeth=0.0, brow_dense=1.0,
        )  # fmt: skip
        identity = identity._replace(
            look=look, hair=identity.hair._replace(amount=0.0), glasses=identity.glasses._replace(on=0.0)
        )
        for yaw in (0.0, 35.0):
            face = draw(identity, yaw, 0.0, np.random.default_rng(0))
            p = face.landmarks
            iris, cheek = p[36:42].mean(0), (p[41] + p[48]) / 2
            column, row = np.rint(iris).astype(int)
            pupil = face.image[row - 1 : row + 2, column - 1 : column + 2].mean(2).min()  # beside its spark
            dark_eye += pupil < 0.6 * brightness(face, *cheek)
            dark_brow += brightness(face, *p[19]) < 0.75 * brightness(face, p[19, 0], p[19, 1] - 8)
            dark_mouth += brightness(face, *p[[62, 66]].mean(0)) < 0.6 * brightness(face, *cheek)
    assert min(dark_eye, dark_brow, dark_mouth) >= 22, (dark_eye, dark_brow, dark_mouth)


def test_the_mouth_opens_and_the_eyes_shut() -> None:
    closed, opened = posed(0, 0.0, mouth_open=0.0), posed(0, 0.0, mouth_open=18.0)
    assert opened.landmarks[66, 1] - opened.landmarks[62, 1] > 6
    assert abs(closed.landmarks[66, 1] - closed.landmarks[62, 1]) < 0.5
    wide, shut = posed(0, 0.0, eye_up=7.0), posed(0, 0.0, eye_up=0.5)
    gap = [float(f.landmarks[41, 1] - f.landmarks[37, 1]) for f in (wide, shut)]
    assert gap[0] > gap[1] + 2


def test_hair_and_glasses_hide_no_landmark() -> None:
    identity = person(0)
    bare = identity._replace(hair=identity.hair._replace(amount=0.0), glasses=identity.glasses._replace(on=0.0))
    worn = identity._replace(
        hair=identity.hair._replace(amount=1.0, hairline=25.0, thick_top=12.0),
        glasses=identity.glasses._replace(on=1.0, tube=2.4),
    )
    a, b = (draw(i, 40.0, 0.0, np.random.default_rng(0)) for i in (bare, worn))
    np.testing.assert_array_equal(a.visible, b.visible)
    assert np.abs(a.image.astype(int) - b.image).mean() > 2


def test_pictures_use_the_range_of_a_photograph() -> None:
    for index in range(10):
        image = render_face(8, index).image
        assert image.std() > 12
        assert image.max() > 100
