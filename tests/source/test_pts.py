from pathlib import Path

import numpy as np
import pytest

from src.face.plausible import check_landmarks
from src.face.points import MIRROR
from src.source.pts import read_faces, read_pts
from src.system.errors import BadFace
from tests.helpers.drawn_faces import pts_text, schematic_face

SHARED = Path(__file__).parents[2] / "../shared"


def test_pixels_are_counted_from_zero(tmp_path: Path) -> None:
    face = schematic_face()
    (tmp_path / "a.pts").write_text(pts_text(face))
    points = read_pts(tmp_path / "a.pts")
    assert points.dtype == np.float32
    assert points == pytest.approx(face, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (pts_text(schematic_face()[:67]), r"67 points, 68 or \(a profile\) 39 expected"),
        (pts_text(np.tile(schematic_face(), (2, 1))[:69]), "69 points, 68 or"),
        (pts_text(schematic_face()).replace(pts_text(schematic_face()).split("\n")[7], "nan 3.0"), "point 5 is not"),
        (pts_text(schematic_face()).replace("}", ""), "not a .pts file"),
        (pts_text(schematic_face()).replace("{", ""), "not a .pts file"),
        ("n_points: 68\n{\n" + "one two\n" * 68 + "}\n", "a point is not two numbers"),
        ("n_points: 68\n{\n" + "1 2 3\n" * 68 + "}\n", "a point is not two numbers"),
        ("n_points: 68\n{\n" + "1 2\n" * 67 + "3\n}\n", "a point is not two numbers"),
        (pts_text(schematic_face()[:38]), "38 points, 68 or"),
        (pts_text(schematic_face()[:40]), "40 points, 68 or"),
        ("n_points: 39\n{\n" + "1 2\n" * 38 + "inf 3\n}\n", "point 39 is not finite"),
        ("n_points: 39\n{\n" + "1 2 3\n" * 39 + "}\n", "a point is not two numbers"),
        ("", "not a .pts file"),
        ("n_points: 0\n{\n}\n", "0 points, 68 or"),
    ],
)
def test_bad_pts(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.pts").write_text(text)
    with pytest.raises(BadFace, match=reason):
        read_pts(tmp_path / "a.pts")


def test_binary_pts(tmp_path: Path) -> None:
    (tmp_path / "a.pts").write_bytes(bytes(range(256)))
    with pytest.raises(BadFace, match="not text"):
        read_pts(tmp_path / "a.pts")


FACE = schematic_face((300, 200))
TEXT = pts_text(FACE)
ROWS = TEXT.split("{\n")[1].split("\n}")[0].split("\n")


def rows_as(pattern: str) -> str:
    """The face's file with each point written in another way; X and Y stand for its numbers."""
    rows = (pattern.replace("X", row.split()[0]).replace("Y", row.split()[1]) for row in ROWS)
    return "version: 1\nn_points: 68\n{\n" + "\n".join(rows) + "\n}\n"


def decimal(pattern: str) -> str:
    """Likewise with decimal commas."""
    return rows_as(pattern).replace(".", ",")


@pytest.mark.parametrize(
    "data",
    [
        TEXT.replace("n_points: 68\n", "").encode(),
        TEXT.replace("version: 1\n", "").encode(),
        TEXT[TEXT.index("{") :].encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        TEXT.replace("\n", "\r\n").encode("utf-16"),
        "\ufeff".encode("utf-16-be") + TEXT.encode("utf-16-be"),
        f"# Gesicht von Jürgen\n{TEXT}".encode("latin-1"),
        f"{TEXT}\x1a".encode(),
        *(rows_as(pattern).encode() for pattern in (
            "X,Y", "X, Y", "X , Y,", "X;Y", "X; Y;", "X\tY", "  X   Y  ", "X Y # chin", "X Y // chin", "X Y ; chin",
            "X, Y % chin", "X Y\n", "X Y\n# a line of its own", "+X Y",
        )),
        *(decimal(pattern).encode() for pattern in ("X Y", "X; Y", "X, Y", "X\tY # chin")),
        (TEXT.replace("n_points: 68", "n_points:68").replace("{\n", "{ \n")).encode(),
    ],
)  # fmt: skip
def test_the_ways_of_writing_one_face(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.pts").write_bytes(data)
    assert read_pts(tmp_path / "a.pts") == pytest.approx(FACE, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (rows_as("X Y 1"), "a point is not two numbers"),
        (rows_as("X,5 Y,5"), "a point is not two numbers"),
        (rows_as("X Y chin"), "a point is not two numbers"),
        (rows_as("X Y 1").replace("n_points: 68\n", ""), "not a .pts file: 'n_points: 68'"),
        ("n_points: 68\n{\n" + "1,234 567\n" * 68 + "}\n", r"1,234 may be 1\.234 or thousands"),
        ("n_points: 68\n{\n" + "1,5 2,5 3,5\n" * 68 + "}\n", "a point is not two numbers"),
        (f"{TEXT}{TEXT[:-2]}", "not a .pts file"),
        (TEXT.replace("}", "} }"), "not a .pts file"),
        (TEXT + pts_text(FACE[:5]), "5 points, 68 or"),
    ],
)
def test_what_may_mean_two_things_is_a_reject(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.pts").write_text(text)
    with pytest.raises(BadFace, match=reason):
        read_pts(tmp_path / "a.pts")


def test_utf_16_that_is_cut_short(tmp_path: Path) -> None:
    (tmp_path / "a.pts").write_bytes(TEXT.encode("utf-16")[:-1])
    with pytest.raises(BadFace, match="not text"):
        read_pts(tmp_path / "a.pts")


def test_several_faces_of_one_file(tmp_path: Path) -> None:
    other, profile = schematic_face((100, 80), 60), np.linspace((10, 20), (30, 60), 39)
    for second in (
        pts_text(other),
        pts_text(other)[pts_text(other).index("{") :],
        pts_text(other).replace("\n", "\r\n"),
    ):
        (tmp_path / "a.pts").write_text(TEXT + second)
        first_read, second_read = read_faces(tmp_path / "a.pts")
        assert first_read == pytest.approx(FACE, abs=1e-3)
        assert second_read == pytest.approx(other, abs=1e-3)
    (tmp_path / "a.pts").write_text(TEXT + pts_text(profile.astype(np.float32)))
    assert [int(np.isfinite(face).all(1).sum()) for face in read_faces(tmp_path / "a.pts")] == [68, 37]
    with pytest.raises(BadFace, match="2 faces, one expected"):
        read_pts(tmp_path / "a.pts")


@pytest.mark.parametrize("roll", [-60, -30, 0, 30, 60])
@pytest.mark.parametrize("yaw", [-90, -60, 0, 60, 90])
def test_rolled_and_turned_faces_pass(roll: float, yaw: float) -> None:
    check_landmarks(schematic_face(roll=roll, yaw=yaw), 128, 128, "a")


@pytest.mark.parametrize("roll", [-60, -30, -10, 0, 10, 30, 60])
def test_swapped_axes_and_mirror_images_do_not(roll: float) -> None:
    face = schematic_face(roll=roll)
    mirrored = face * np.float32([-1, 1]) + np.float32([128, 0])
    for wrong in (face[:, ::-1], mirrored, face[::-1]):
        with pytest.raises(BadFace, match="implausible landmarks"):
            check_landmarks(wrong, 128, 128, "a")


def test_shuffled_and_upside_down_do_not() -> None:
    rng = np.random.default_rng(0)
    wrong = [rng.permutation(schematic_face()) for _ in range(20)]
    wrong += [schematic_face(roll=180), schematic_face()[np.r_[0:36, 42:48, 36:42, 48:68]], np.full((68, 2), 64.0)]
    for points in wrong:
        with pytest.raises(BadFace, match=r"implausible|too small"):
            check_landmarks(points.astype(np.float32), 128, 128, "a")


def test_outside_the_picture() -> None:
    check_landmarks(schematic_face((30, 64)), 128, 128, "a")  # a few outside: a face at the border
    with pytest.raises(BadFace, match=r"outside the picture: \d+ of 68"):
        check_landmarks(schematic_face((2, 64)), 128, 128, "a")
    with pytest.raises(BadFace, match="outside the picture: their centre"):
        check_landmarks(schematic_face((500, 64)), 128, 128, "a")
    far = schematic_face()
    far[8] = 64, 1e6
    with pytest.raises(BadFace, match="outside the picture"):
        check_landmarks(far, 128, 128, "a")
    far[8] = 64, 210
    with pytest.raises(BadFace, match="one by 82 pixels in 128x128"):
        check_landmarks(far, 128, 128, "a")


def test_unknown_points_are_left_out_of_the_check() -> None:
    face = schematic_face(yaw=60)
    face[17:22] = np.nan
    face[9:17] = np.nan
    face[45:48] = np.nan
    check_landmarks(face, 128, 128, "a")
    face[:60] = np.nan
    with pytest.raises(BadFace, match="8 known landmarks"):
        check_landmarks(face, 128, 128, "a")


def half_face(roll: float, yaw: float) -> np.ndarray:
    """A schematic face of which only the landmarks are known that Menpo's profile points give."""
    face = schematic_face(roll=roll, yaw=yaw)
    far = [*range(9, 17), *range(22, 27), 32, 34, 35, 39, *range(42, 48), *range(52, 57), 63, 64, 65]
    face[far if yaw > 0 else MIRROR[far]] = np.nan
    return face


@pytest.mark.parametrize("roll", [-60, -30, 0, 30, 60])
@pytest.mark.parametrize("yaw", [-90, -75, -60, 60, 75, 90])
def test_one_half_of_a_turned_face_passes_and_its_mirror_image_does_not(roll: float, yaw: float) -> None:
    face = half_face(roll, yaw)
    assert np.isfinite(face).all(1).sum() == 37
    check_landmarks(face, 128, 128, "a")
    mirrored = face * np.float32([-1, 1]) + np.float32([128, 0])
    with pytest.raises(BadFace, match="the jaw below the one known eye is beyond"):
        check_landmarks(mirrored, 128, 128, "a")


@pytest.mark.parametrize("yaw", [-75, 75])
def test_one_half_of_a_turned_face_in_another_order_does_not_pass(yaw: float) -> None:
    face, rng = half_face(0, yaw), np.random.default_rng(0)
    known = np.flatnonzero(np.isfinite(face).all(1))
    wrong = [face[:, ::-1], half_face(180, yaw)]
    for _ in range(20):
        shuffled = face.copy()
        shuffled[known] = face[rng.permutation(known)]
        wrong.append(shuffled)
    for points in wrong:
        with pytest.raises(BadFace, match="implausible"):
            check_landmarks(points, 128, 128, "a")


def test_one_eye_without_the_middle_of_the_face_is_enough() -> None:
    face = schematic_face()
    face[[27, *range(42, 48)]] = np.nan
    check_landmarks(face, 128, 128, "a")


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not there")
def test_every_annotated_real_face_is_plausible() -> None:
    checked = 0
    for path in sorted(SHARED.glob("faces/*/landmarks68.npz")):
        with np.load(path) as table:
            for name, points in zip(table["names"], table["landmarks"], strict=True):
                check_landmarks(points, 128, 128, name)
                checked += 1
                with pytest.raises(BadFace):
                    check_landmarks(points[:, ::-1], 128, 128, name)
    for path in sorted(SHARED.glob("photos/*.pts")):
        check_landmarks(read_pts(path), 4000, 4000, path.name)
        checked += 1
    assert checked == 5473 + 407 + 2087 + 73 + 870 + 337 + 31
