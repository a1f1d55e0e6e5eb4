from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.face.points import MIRROR
from src.face.turn import MIRRORED
from src.landmarks.landmarker import Landmarks
from src.preparation.crop_rules import LandmarksCrop
from src.preparation.faces import Recipe, finish
from src.preparation.known_faces import known_faces
from src.source.photograph import Annotation, Photo, PhotoJob, PictureFile
from src.store.face import Face
from src.system.errors import BadFace
from tests.helpers.drawn_faces import pts_text, schematic_face
from tests.preparation.test_faces import Backend

WIDTH, HEIGHT = 320, 260
STORED = {  # how an upright picture is stored under each orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip


def stored_points(points: np.ndarray, orientation: int) -> np.ndarray:
    """Where Pillow's own turn puts whole-numbered points of the upright picture in the stored one."""
    number = Image.fromarray(np.arange(WIDTH * HEIGHT, dtype=np.int32).reshape(HEIGHT, WIDTH))
    if orientation in STORED:
        number = number.transpose(STORED[orientation])
    wanted = points[:, 1].astype(int) * WIDTH + points[:, 0].astype(int)
    y, x = np.nonzero(np.isin(np.asarray(number), wanted))
    at = {int(np.asarray(number)[b, a]): (a, b) for a, b in zip(x, y, strict=True)}
    return np.float32([at[int(one)] for one in wanted])


def photo(folder: Path, orientation: int, *annotations: Annotation, detect: bool = False) -> Photo:
    upright = Image.fromarray(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x112] = orientation
    stored = upright.transpose(STORED[orientation]) if orientation in STORED else upright
    stored.save(folder / "p.png", exif=exif)
    item = PhotoJob(PictureFile(folder / "p.png"), "p.png", "p", annotations, detect=detect).load()
    assert isinstance(item, Photo)
    assert np.array_equal(item.image, np.asarray(upright))
    return item


@pytest.mark.parametrize("any_roll", [True, False])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("roll", [-15, 0, 15])
def test_points_of_the_stored_picture_are_turned_with_it(
    tmp_path: Path, orientation: int, roll: float, any_roll: bool
) -> None:
    upright = schematic_face((110, 120), 100, roll).round()
    stored = stored_points(upright, orientation)
    # What was labelled in the stored, mirrored picture has left and right as they are seen there.
    seen = stored[MIRROR] if orientation in MIRRORED else stored
    for points in (upright, seen, stored):
        if orientation == 2 and points is seen:
            continue  # a face mirrored about its own axis is as plausible: see the next test
        (face,) = known_faces(photo(tmp_path, orientation, Annotation("p", "p", points)), any_roll)
        assert face.fault is None
        assert face.points is not None
        assert face.points == pytest.approx(upright)


def test_what_fits_the_upright_picture_stays_as_it_is(tmp_path: Path) -> None:
    for orientation in range(1, 9):
        for roll in (-55, -30, 30, 55):
            points = schematic_face((110, 120), 100, roll)
            (face,) = known_faces(photo(tmp_path, orientation, Annotation("p", "p", points)), True)
            assert face.points is points
            assert face.fault is None
    mirrored = stored_points(schematic_face((110, 120), 100).round(), 2)[MIRROR]
    (face,) = known_faces(photo(tmp_path, 2, Annotation("p", "p", mirrored)), True)
    assert face.points is mirrored


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_what_is_not_clear_is_a_reject_that_names_the_orientation(tmp_path: Path, orientation: int) -> None:
    outcomes = []
    for roll in (-65, 65):  # of these, one leans less in the stored picture
        points = schematic_face((130, 130), 100, roll)
        (face,) = known_faces(photo(tmp_path, orientation, Annotation("p.pts", "p", points)), True)
        outcomes.append(face.fault.reason if face.fault else "")
        assert face.points is points
    assert "" in outcomes
    reason = max(outcomes)
    assert reason.startswith(f"its EXIF orientation is {orientation}, and its landmarks may be those of the stored")
    outside = schematic_face((130, 130)) + np.float32(500)
    (face,) = known_faces(photo(tmp_path, orientation, Annotation("p.pts", "p", outside)), True)
    assert face.fault is not None
    assert "fit neither the upright nor the stored pixels" in face.fault.reason
    assert "landmarks outside the picture" in face.fault.reason


def test_the_file_is_read_again_only_where_it_matters(tmp_path: Path) -> None:
    item = photo(tmp_path, 1, Annotation("p", "p", schematic_face((110, 120), 100)))
    (tmp_path / "p.png").unlink()
    assert known_faces(item, True)[0].fault is None
    lying = photo(tmp_path, 6, Annotation("p", "p", schematic_face((110, 120), 100, 90)))
    (tmp_path / "p.png").unlink()
    assert known_faces(lying, True)[0].fault is None  # a picture that is gone has no orientation


def test_a_network_looks_where_the_turned_points_are(tmp_path: Path) -> None:
    upright = schematic_face((110, 120), 100).round()
    item = photo(tmp_path, 6, Annotation("p.pts", "p", stored_points(upright, 6), box=(0.0, 0.0, 9.0, 9.0)))
    backend = Backend([Landmarks(upright, 1.0)])
    (outcomes,) = finish([item], Recipe(LandmarksCrop("landmarks"), landmarker=backend))
    assert isinstance(outcomes[0], Face)
    assert outcomes[0].row.landmark_error == pytest.approx(0)
    assert backend.boxes is not None
    assert backend.boxes[0] == pytest.approx((59, 59, 161, 171), abs=20)


def test_points_that_are_all_unknown_are_no_box(tmp_path: Path) -> None:
    item = photo(tmp_path, 1, Annotation("p", "p", np.full((68, 2), np.nan, np.float32)), detect=True)
    (outcomes,) = finish([item], Recipe(LandmarksCrop("landmarks"), landmarker=Backend([])))
    assert [str(one) for one in outcomes] == ["p.png: no face was found"]


def test_every_face_of_a_pts_file(tmp_path: Path) -> None:
    first, second = schematic_face((80, 120), 80), schematic_face((240, 120), 80)
    (tmp_path / "p.pts").write_text(pts_text(first) + pts_text(second))
    item = photo(tmp_path, 1, Annotation("p.pts", "p", tmp_path / "p.pts"))
    (outcomes,) = finish([item], Recipe(LandmarksCrop("landmarks"), "annotated"))
    assert [one.row.identity for one in outcomes if isinstance(one, Face)] == ["p_1", "p_2"]
    (tmp_path / "p.pts").write_text(pts_text(first) + pts_text(second[:, ::-1]))
    (outcomes,) = finish([item], Recipe(LandmarksCrop("landmarks"), "annotated"))
    assert [one.file for one in outcomes if isinstance(one, BadFace)] == ["p.pts (face 2 of 2)"]
    (tmp_path / "p.pts").write_text(pts_text(first) + pts_text(second[:5]))
    (outcomes,) = finish([item], Recipe(LandmarksCrop("landmarks"), "annotated"))
    assert [str(one) for one in outcomes] == ["p.pts, face 2: 5 points, 68 or (a profile) 39 expected"]
