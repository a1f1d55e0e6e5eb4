import numpy as np
import pytest

from src.face.level import eye_roll
from src.synthetic.identity import sample_identity
from src.synthetic.render import view_landmarks
from tests.helpers.drawn_faces import schematic_face

ALL = np.ones((1, 68), np.bool_)


@pytest.mark.parametrize("roll", [-179.0, -90.0, -30.0, 0.0, 12.5, 90.0, 170.0])
def test_the_roll_of_the_eye_line_at_any_angle(roll: float) -> None:
    points = schematic_face(roll=roll)[None]
    assert np.degrees(eye_roll(points, ALL))[0] == pytest.approx(roll, abs=0.01)


def rolled(points: np.ndarray, degrees: float) -> np.ndarray:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return points @ np.array([[cos, sin], [-sin, cos]])


def test_where_an_eye_is_hidden_the_mean_face_has_its_place() -> None:
    """Drawn heads within 60 degrees of yaw, turned by a known roll, with and without the landmarks of the far eye."""
    rng = np.random.default_rng(5)
    both, one = [], []
    for _ in range(60):
        yaw, truth = rng.uniform(-60, 60), rng.uniform(-180, 180)
        view = view_landmarks(sample_identity(rng), yaw, 0.0)
        points = rolled(view.landmarks.astype(float), truth)
        half = points.copy()
        half[36 : 42 if yaw < 0 else 36] = np.nan
        half[42 if yaw >= 0 else 48 : 48] = np.nan
        for found, given in ((both, points), (one, half)):
            error = np.degrees(eye_roll(given[None], ALL))[0] - truth
            found.append(abs((error + 180) % 360 - 180))
    assert np.mean(both) < 1.5
    assert np.mean(one) < 1.5


def test_heads_that_nod_as_well_are_level_by_their_left_right_axis() -> None:
    """The true roll is that of the head's axis from side to side, as its known rotation projects it."""
    rng = np.random.default_rng(6)
    errors = []
    for _ in range(150):
        yaw, pitch, turned = rng.uniform(-60, 60), rng.uniform(-25, 25), rng.uniform(-180, 180)
        view = view_landmarks(sample_identity(rng), yaw, pitch)
        axis = np.degrees(np.arctan(np.sin(np.radians(pitch)) * np.tan(np.radians(yaw))))
        error = np.degrees(eye_roll(rolled(view.landmarks.astype(float), turned)[None], ALL))[0] - turned - axis
        errors.append(abs((error + 180) % 360 - 180))
    assert np.mean(errors) < 1.5


def test_an_eye_that_the_face_hides_counts_as_hidden_although_it_was_annotated() -> None:
    points = schematic_face(yaw=20)[None]
    true = np.degrees(eye_roll(points, ALL))[0]
    points[:, 42:48, 1] += 30  # an annotator's guess
    seen = ALL.copy()
    seen[:, 42:46] = False
    guessed, fitted = (abs(np.degrees(eye_roll(points, flags))[0] - true) for flags in (ALL, seen))
    assert guessed > 30
    assert fitted < guessed / 2


def test_without_both_eyes_the_roll_cannot_be_known() -> None:
    points = schematic_face()[None]
    hidden = ALL.copy()
    hidden[:, 36:48] = False
    assert np.isnan(eye_roll(points, hidden)).all()
    lost = points.copy()
    lost[:, 5:] = np.nan
    assert np.isnan(eye_roll(lost, ALL)).all()
