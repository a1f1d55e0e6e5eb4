from functools import cache
from pathlib import Path

import numpy as np
import pytest

from src.face.plausible import check_landmarks
from src.face.points import MIRROR
from src.source.menpo import points_from_profile
from src.source.pts import read_pts
from src.synthetic.identity import sample_identity
from src.synthetic.render import draw
from tests.helpers.drawn_faces import pts_text

SIDE = 128
# Points 17 to 39 in the Menpo authors' tables (gen_tfrecords.ipynb): the face looks to image right, to image left.
TWINS = {
    1: [28, 29, 30, 31, 34, 32, 39, 38, 37, 42, 41, 52, 51, 50, 49, 60, 59, 58, 63, 62, 61, 68, 67],
    -1: [28, 29, 30, 31, 34, 36, 44, 45, 46, 47, 48, 52, 53, 54, 55, 56, 57, 58, 63, 64, 65, 66, 67],
}
# The jaw from the ear to the chin and the brow from its outer end, numbers from 0.
JAW = {1: [*range(9)], -1: [*range(16, 7, -1)]}
BROW = {1: [*range(17, 22)], -1: [*range(26, 21, -1)]}
POSES = [(number, yaw) for number in range(3) for yaw in (-90, -80, -60, 60, 80, 90)]


@cache
def drawn(number: int, yaw: float, pitch: float = 0.0) -> np.ndarray:
    identity = sample_identity(np.random.default_rng([5, number]))
    return draw(identity, yaw, pitch, np.random.default_rng(0)).landmarks.astype(float)


def along(line: np.ndarray, count: int) -> np.ndarray:
    t = np.linspace(0, len(line) - 1, count)
    low = np.minimum(t.astype(int), len(line) - 2)
    return line[low] + (t - low)[:, None] * (line[low + 1] - line[low])


def annotated(face: np.ndarray, side: int) -> np.ndarray:
    """The 39 points of a face (68, 2) that looks to image right (1) or left (-1)."""
    chin, lip = face[8], face[57]
    up_the_chin = [chin + (lip - chin) * part for part in (1 / 3, 2 / 3)]
    shared = face[np.array(TWINS[side]) - 1]
    return np.concatenate([along(face[JAW[side]], 10), up_the_chin, along(face[BROW[side]], 4), shared])


def rolled(points: np.ndarray, degrees: float) -> np.ndarray:
    turn = np.radians(degrees)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return (points - SIDE / 2) @ rotation + SIDE / 2


def mirrored(points: np.ndarray) -> np.ndarray:
    return points * [-1, 1] + [SIDE - 1, 0]


@pytest.mark.parametrize("roll", [0, 30, -30, 60, -60])
@pytest.mark.parametrize(("number", "yaw"), POSES)
def test_a_drawn_profile_comes_back_from_its_file(tmp_path: Path, number: int, yaw: float, roll: float) -> None:
    face, side = rolled(drawn(number, yaw), roll), int(np.sign(yaw))
    (tmp_path / "a.pts").write_text(pts_text(annotated(face, side)))
    points = read_pts(tmp_path / "a.pts")
    assert points.shape == (68, 2)
    assert points.dtype == np.float32
    exact = [*(np.array(TWINS[side]) - 1), JAW[side][0], JAW[side][-1], BROW[side][0], BROW[side][-1]]
    assert points[exact] == pytest.approx(face[exact], abs=2e-3)
    between = [*JAW[side][1:-1], *BROW[side][1:-1]]
    assert points[between] == pytest.approx(face[between], abs=0.025 * SIDE)  # resampled twice cuts the jaw's corner
    assert np.flatnonzero(np.isfinite(points).all(1)).tolist() == sorted([*exact, *between])
    assert np.isnan(points).all(1).sum() == 31
    check_landmarks(points, SIDE, SIDE, "a")


@pytest.mark.parametrize(("number", "yaw"), POSES)
def test_the_mirrored_annotation_gives_the_mirrored_landmarks(number: int, yaw: float) -> None:
    profile = annotated(rolled(drawn(number, yaw), 20), int(np.sign(yaw)))
    expected = mirrored(points_from_profile(profile))[MIRROR]
    assert points_from_profile(mirrored(profile)) == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("side", [-1, 1])
def test_even_lines_are_resampled_evenly(side: int) -> None:
    profile = annotated(drawn(0, 80 * side), side)
    profile[:10] = np.linspace((64 - 40 * side, 30), (64, 120), 10)
    profile[12:16] = np.linspace((64 - 30 * side, 20), (64, 20), 4)
    points = points_from_profile(profile)
    assert points[JAW[side]] == pytest.approx(np.linspace((64 - 40 * side, 30), (64, 120), 9))
    assert points[BROW[side]] == pytest.approx(np.linspace((64 - 30 * side, 20), (64, 20), 5))


@pytest.mark.parametrize(("number", "yaw"), POSES)
@pytest.mark.parametrize("reversed_part", [slice(0, 12), slice(12, 16)])
def test_a_contour_or_brow_that_runs_backwards_is_mended(number: int, yaw: float, reversed_part: slice) -> None:
    profile = annotated(drawn(number, yaw), int(np.sign(yaw)))
    wrong = profile.copy()
    wrong[reversed_part] = profile[reversed_part][::-1]
    assert points_from_profile(wrong) == pytest.approx(points_from_profile(profile), abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("pitch", [-20, 20])
@pytest.mark.parametrize("yaw", [-75, 75])
def test_the_side_does_not_depend_on_the_pitch(yaw: float, pitch: float) -> None:
    face, side = drawn(1, yaw, pitch), int(np.sign(yaw))
    points = points_from_profile(annotated(face, side))
    assert points[np.array(TWINS[side]) - 1] == pytest.approx(face[np.array(TWINS[side]) - 1])
