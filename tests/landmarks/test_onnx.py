import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from src.landmarks.boxes import face_box
from src.landmarks.config import OnnxConfig
from src.landmarks.landmarker import Landmarks, Query
from src.landmarks.onnx import OnnxLandmarker
from src.source.pts import read_pts
from src.system.errors import UserError
from tests.helpers.tiny_onnx import SHARED, constant_detector, constant_network, mean_detector, seeing_network

CENTRE = (0.5, 0.5)
CORNER = (0.0, 1.0)
PICTURE = np.zeros((100, 200, 3), np.uint8)


def landmarker(folder: Path, **keys: object) -> OnnxLandmarker:
    return OnnxLandmarker(OnnxConfig("onnx", str(folder), **keys))  # type: ignore[arg-type]


def one(folder: Path, query: Query, **keys: object) -> Landmarks:
    (faces,) = landmarker(folder, **keys).find([query])
    (face,) = faces
    return face


def same(one: list[list[Landmarks]], other: list[list[Landmarks]]) -> bool:
    return [[(face.points.tobytes(), face.score) for face in faces] for faces in one] == [
        [(face.points.tobytes(), face.score) for face in faces] for faces in other
    ]


@pytest.mark.parametrize("shape", [(1, 136), (1, 68, 2), (136,)])
def test_points_of_a_known_box(tmp_path: Path, shape: tuple[int, ...]) -> None:
    constant_network(tmp_path / "n.onnx", [CENTRE, CORNER] * 34, shape=shape)
    face = one(tmp_path, Query(PICTURE, ((10, 20, 50, 70),)), passes=1)
    # side 1.3 x 40, centre (30, 45 + 0.1 x 50); edges to pixel centres: minus a half
    assert face.points[0].tolist() == pytest.approx([29.5, 49.5])
    assert face.points[1].tolist() == pytest.approx([30 - 26 - 0.5, 50 + 26 - 0.5])
    assert (face.points.shape, face.points.dtype, face.score, face.depth) == ((68, 2), np.float32, 1.0, None)
    plain = one(tmp_path, Query(PICTURE, ((10, 20, 50, 70),)), passes=1, crop=1.2, shift=0)
    assert plain.points[1].tolist() == pytest.approx([30 - 24 - 0.5, 45 + 24 - 0.5])


def test_detected_faces_from_left_to_right(tmp_path: Path) -> None:
    constant_network(tmp_path / "n.onnx", CENTRE)
    boxes = [[0.5, 0.25, 0.75, 0.5], [0.25, 0.25, 0.5, 0.5], [0.26, 0.25, 0.5, 0.5], [0, 0, 0.1, 0.1]]
    constant_detector(tmp_path / "d.onnx", boxes, [0.9, 0.95, 0.99, 0.79])
    (faces,) = landmarker(tmp_path, shift=0, reduction=10).find([Query(PICTURE)])
    # 200x100 in an input of 32x24: scale 0.16, 32x16 of it used. The third box is the better one of two of a face.
    assert [face.score for face in faces] == pytest.approx([0.99, 0.9])
    assert faces[0].points[0].tolist() == pytest.approx([(0.26 + 0.5) / 2 * 200 - 0.5, 0.375 * 150 - 0.5], abs=1e-3)
    assert faces[1].points[0].tolist() == pytest.approx([0.625 * 200 - 0.5, 0.375 * 150 - 0.5], abs=1e-3)
    (more,) = landmarker(tmp_path, threshold=0.7, reduction=10).find([Query(PICTURE)])
    assert [face.score for face in more] == pytest.approx([0.79, 0.99, 0.9])


def test_no_face_and_no_query(tmp_path: Path) -> None:
    constant_network(tmp_path / "n.onnx", CENTRE)
    constant_detector(tmp_path / "d.onnx", [[0, 0, 1, 1]], [0.1])
    backend = landmarker(tmp_path)
    assert backend.find([Query(PICTURE), Query(PICTURE, ())]) == [[], []]
    assert backend.find([]) == []


def test_the_detector_sees_normalised_pixels(tmp_path: Path) -> None:
    constant_network(tmp_path / "n.onnx", CENTRE)
    mean_detector(tmp_path / "d.onnx")
    grey = np.full((24, 32, 3), 227, np.uint8)
    assert one(tmp_path, Query(grey), threshold=0.1).score == pytest.approx((227 - 127) / 128, abs=1e-4)
    assert one(tmp_path, Query(grey), detector_mean=0, detector_std=255).score == pytest.approx(227 / 255, abs=1e-4)
    tall = np.full((48, 32, 3), 227, np.uint8)  # half of the input stays empty, at the mean
    assert one(tmp_path, Query(tall), threshold=0.1).score == pytest.approx((227 - 127) / 128 / 2, abs=1e-4)


def test_a_large_picture_is_looked_at_in_tiles(tmp_path: Path) -> None:
    constant_network(tmp_path / "n.onnx", CENTRE)
    mean_detector(tmp_path / "d.onnx")
    picture = np.full((480, 640, 3), 127, np.uint8)
    picture[300:396, 400:528] = 255  # 1/25 of the picture; a whole tile of 128x96 at reduction 4
    assert landmarker(tmp_path, threshold=0.5, reduction=20).find([Query(picture)]) == [[]]
    (faces,) = landmarker(tmp_path, threshold=0.5).find([Query(picture)])
    assert faces
    centre = np.mean([face.points[0] for face in faces], axis=0)
    assert centre.tolist() == pytest.approx([464, 348], abs=40)


def test_faces_cut_by_a_tile_are_left_to_another(tmp_path: Path) -> None:
    constant_network(tmp_path / "n.onnx", CENTRE)
    constant_detector(tmp_path / "d.onnx", [[0.5, 0.4, 1.0, 0.6]], [0.9])
    # the box ends at the right border: kept in the whole picture and in the tiles that reach its border
    (faces,) = landmarker(tmp_path, shift=0).find([Query(np.zeros((192, 256, 3), np.uint8))])
    assert {round(float(face.points[0, 0]), 1) for face in faces} <= {191.5, 128 + 96 - 0.5}


def test_nan_is_handed_on(tmp_path: Path) -> None:
    points = np.full((68, 2), 0.5)
    points[3, 1] = np.nan
    constant_network(tmp_path / "n.onnx", points)
    found = one(tmp_path, Query(PICTURE, ((10, 20, 50, 70),))).points
    assert np.argwhere(np.isnan(found)).tolist() == [[3, 0], [3, 1]]


@pytest.mark.parametrize(
    "box", [(5, 5, 5, 9), (9, 5, 5, 9), (0, 0, np.nan, 9), (0, 0, np.inf, 9), (0, 0, 1e6, 1e6), (1e9, 0, 1e9 + 5, 9)]
)
def test_a_box_round_nothing(tmp_path: Path, box: tuple[float, float, float, float]) -> None:
    constant_network(tmp_path / "n.onnx", CENTRE)
    assert np.isnan(one(tmp_path, Query(PICTURE, (box,))).points).all()


def face_shape(angle: float = 0, shift: float = 0) -> NDArray[np.float64]:
    """Eyes a half apart and everything else below them, turned clockwise about the crop's centre, in 0..1."""
    points = np.tile([0.5, 0.75], (68, 1))
    points[36:42], points[42:48] = (0.25, 0.25), (0.75, 0.25)
    turn = np.radians(angle)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return (points - 0.5) @ axes.T + 0.5 + shift


def test_the_second_crop_is_round_the_landmarks(tmp_path: Path) -> None:
    constant_network(tmp_path / "n.onnx", face_shape())
    points = one(tmp_path, Query(PICTURE, ((10, 20, 50, 70),))).points
    # The first crop is 52 wide round (30, 50), so the landmarks' box 26: the second is 1.3 x 26 wide, centred alike.
    assert points[36].tolist() == pytest.approx([30 - 33.8 / 4 - 0.5, 50 - 33.8 / 4 - 0.5], abs=1e-4)
    assert points[8].tolist() == pytest.approx([29.5, 50 + 33.8 / 4 - 0.5], abs=1e-4)


def test_the_second_crop_has_level_eyes(tmp_path: Path) -> None:
    constant_network(tmp_path / "n.onnx", face_shape(20))
    for passes in (1, 2, 3):
        points = one(tmp_path, Query(PICTURE, ((10, 20, 50, 70),)), passes=passes).points
        across = points[42] - points[36]
        assert np.degrees(np.arctan2(across[1], across[0])) == pytest.approx(20 * passes, abs=0.01)


def test_nonsense_is_not_followed(tmp_path: Path) -> None:
    known = Query(PICTURE, ((10, 20, 50, 70),))
    wild = np.random.default_rng(0).uniform(-1e7, 1e7, (68, 2))
    for shape in (face_shape(shift=2), face_shape() * 9, face_shape() / 9, wild):
        constant_network(tmp_path / "n.onnx", shape)
        assert np.array_equal(one(tmp_path, known, passes=5).points, one(tmp_path, known, passes=1).points)


def dots(angle: float) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A red and a green eye, a blue chin, turned clockwise; and where they are, pixel centres at integers."""
    turn = np.radians(angle)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centres = np.array([[-20.0, -16.0], [20.0, -16.0], [0.0, 24.0]]) @ axes.T + [150.3, 120.6]
    y, x = np.mgrid[:240, :300]
    planes = [np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 4**2)) for cx, cy in centres]
    return (255 * np.stack(planes, -1)).round().astype(np.uint8), centres


@pytest.mark.parametrize("size", [(64, 64), (48, 72)])
@pytest.mark.parametrize("angle", [0, 35, -70])
@pytest.mark.parametrize("passes", [1, 2])
def test_points_are_where_the_network_sees_them(
    tmp_path: Path, size: tuple[int, int], angle: float, passes: int
) -> None:
    seeing_network(tmp_path / "n.onnx", *size)
    picture, centres = dots(angle)
    box = (105.0, 60.0, 195.0, 175.0)
    points = one(tmp_path, Query(picture, (box,)), passes=passes, recrop=2.0).points
    for index, centre in zip((36, 42, 8), centres, strict=True):
        assert points[index].tolist() == pytest.approx(centre.tolist(), abs=0.15)


def test_a_face_at_the_border_sees_it_replicated(tmp_path: Path) -> None:
    seeing_network(tmp_path / "n.onnx", 32, 32)
    white = np.full((50, 50, 3), 255, np.uint8)
    # all white, also outside: the centre of mass is the crop's
    face = one(tmp_path, Query(white, ((-20, -20, 20, 20),)), passes=1, shift=0)
    assert face.points[0].tolist() == pytest.approx([-0.5, -0.5], abs=1e-3)


def test_the_same_answers_again_in_other_company_and_after_pickling(tmp_path: Path) -> None:
    seeing_network(tmp_path / "n.onnx", 32, 32)
    mean_detector(tmp_path / "d.onnx")
    backend = landmarker(tmp_path, threshold=0)
    random = np.random.default_rng(0)
    queries = [Query(random.integers(0, 256, (60 + 9 * n, 80, 3), dtype=np.uint8)) for n in range(4)]
    first = backend.find(queries)
    assert same(backend.find(queries), first)
    assert same([backend.find([query])[0] for query in reversed(queries)][::-1], first)
    sent = pickle.dumps(backend)
    assert len(sent) < 3000
    assert same(pickle.loads(sent).find(queries), first)


def test_a_file_replaced_while_in_use(tmp_path: Path) -> None:
    constant_network(tmp_path / "n.onnx", CENTRE)
    sent = pickle.dumps(landmarker(tmp_path))
    constant_network(tmp_path / "n.onnx", CORNER)
    with pytest.raises(UserError, match=r"n\.onnx was replaced while it was in use"):
        pickle.loads(sent).find([Query(PICTURE, ((10, 20, 50, 70),))])


def test_known_boxes_need_no_detector(tmp_path: Path) -> None:
    constant_network(tmp_path / "n.onnx", CENTRE)
    backend = landmarker(tmp_path)
    assert backend.settings["landmarks.detector"] is None
    assert len(backend.find([Query(PICTURE, ((10, 20, 50, 70),) * 3)])[0]) == 3
    with pytest.raises(UserError, match=r"holds no face detector .* put one there"):
        backend.find([Query(PICTURE)])


def test_settings_tell_the_files_and_the_numbers(tmp_path: Path) -> None:
    constant_network(tmp_path / "n.onnx", CENTRE)
    constant_detector(tmp_path / "d.onnx", [[0, 0, 1, 1]], [0.1])
    first = landmarker(tmp_path).settings
    assert first == landmarker(tmp_path).settings
    assert first["landmarks"] == "onnx"
    assert str(tmp_path) not in str(first)
    changed = {"crop": 1.2, "shift": 0.0, "passes": 1, "recrop": 1.4, "threshold": 0.5, "overlap": 0.4}
    changed |= {"reduction": 3.0, "detector_mean": 0.0, "detector_std": 1.0, "network_mean": 1.0, "network_std": 1.0}
    for key, value in changed.items():
        assert landmarker(tmp_path, **{key: value}).settings[f"landmarks.{key}"] == value != first[f"landmarks.{key}"]
    constant_network(tmp_path / "n.onnx", CORNER)
    assert landmarker(tmp_path).settings["landmarks.network"] != first["landmarks.network"]


def test_which_file_is_which(tmp_path: Path) -> None:
    network = constant_network(tmp_path / "a.onnx", CENTRE)
    detector = constant_detector(tmp_path / "b.onnx", [[0, 0, 1, 1]], [0.1])
    backend = landmarker(tmp_path)
    assert backend.detector is not None
    assert (backend.network.path, backend.detector.path) == (network, detector)
    constant_network(tmp_path / "c.onnx", CORNER)
    with pytest.raises(UserError, match=r"holds 2 networks \(a\.onnx, c\.onnx\): set landmarks\.network=FILE"):
        landmarker(tmp_path)
    assert landmarker(tmp_path, network="c.onnx").network.path.name == "c.onnx"
    (tmp_path / "broken.onnx").write_bytes(b"no model")  # not looked at where both are named
    assert landmarker(tmp_path, network="a.onnx", detector="b.onnx").network.path == network
    with pytest.raises(UserError, match=r"broken\.onnx is no ONNX model, or is cut short"):
        landmarker(tmp_path, network="a.onnx")
    with pytest.raises(UserError, match=r"landmarks\.detector=a\.onnx is no detector: its outputs are"):
        landmarker(tmp_path, detector="a.onnx", network="a.onnx")
    with pytest.raises(UserError, match=r"landmarks\.detector=x\.onnx is not in .* are a\.onnx, b\.onnx"):
        landmarker(tmp_path, detector="x.onnx")


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"needs landmarks\.weights=DIR"):
        OnnxLandmarker(OnnxConfig("onnx"))
    with pytest.raises(UserError, match=r"weights=.*/none does not exist"):
        landmarker(tmp_path / "none")
    with pytest.raises(UserError, match=r"holds no \.onnx file with 68 landmarks"):
        landmarker(tmp_path)


def test_a_cut_file_is_told_in_one_line(tmp_path: Path) -> None:
    path = constant_network(tmp_path / "n.onnx", CENTRE)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UserError, match="cut short") as caught:
        landmarker(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.fixture(scope="session")
def shared() -> OnnxLandmarker:
    if not (SHARED / "weights" / "pfld68.onnx").is_file():
        pytest.skip(f"{SHARED} is not there: no real networks")
    return landmarker(SHARED / "weights")


def error(points: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Mean distance / distance of the outer eye corners."""
    return float(np.linalg.norm(points - truth, axis=1).mean() / np.linalg.norm(truth[36] - truth[45]))


def photographs() -> list[tuple[NDArray[np.uint8], list[NDArray[np.float32]]]]:
    folder = SHARED / "photos"
    return [
        (
            np.asarray(Image.open(path).convert("RGB")),
            [read_pts(pts) for pts in sorted(folder.glob(f"{path.stem}_*.pts"))],
        )
        for path in sorted(folder.glob("*.jpg"))
    ]


def nearest(faces: list[Landmarks], truth: NDArray[np.float32]) -> float:
    return min((error(face.points, truth) for face in faces), default=np.inf)


def test_real_photographs(shared: OnnxLandmarker) -> None:
    photos = photographs()
    found = shared.find([Query(image) for image, _ in photos])
    errors = [nearest(faces, truth) for faces, (_, truths) in zip(found, photos, strict=True) for truth in truths]
    assert len(errors) == 31
    assert max(errors) < 0.09  # all found
    assert np.mean(errors) < 0.044
    assert sum(map(len, found)) <= 31 + 10  # nine of these are people without annotation


def test_a_real_photograph_in_a_large_one(shared: OnnxLandmarker) -> None:
    image, truths = photographs()[1]
    large = np.full((2880, 3840, 3), 90, np.uint8)
    large[1800 : 1800 + image.shape[0], 2500 : 2500 + image.shape[1]] = image
    (faces,) = shared.find([Query(large)])
    assert len(faces) == len(truths) == 2
    assert max(nearest(faces, truth + np.float32([2500, 1800])) for truth in truths) < 0.09
    whole = OnnxLandmarker(replace(shared.config, reduction=1000.0))
    assert len(whole.find([Query(large)])[0]) < 2


def test_real_faces_in_known_and_in_found_boxes(shared: OnnxLandmarker) -> None:
    folder = SHARED / "faces" / "helen_train"
    table = np.load(folder / "landmarks68.npz")
    rows = range(0, 870, 18)
    images = [np.asarray(Image.open(folder / "images" / table["names"][row])) for row in rows]
    truths = [table["landmarks"][row] for row in rows]
    known = shared.find([Query(image, (face_box(truth),)) for image, truth in zip(images, truths, strict=True)])
    found = shared.find([Query(image) for image in images])
    for faces in (known, found):
        assert np.mean([nearest(face, truth) for face, truth in zip(faces, truths, strict=True)]) < 0.04
    assert shared.detector is not None
