import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.preparation.faces import Recipe, finish
from src.source.config import FolderSource
from src.source.folder import folder_splits
from src.source.photograph import PhotoJob
from src.source.split import Split
from src.store.face import Face
from src.system.errors import BadFace, UserError
from tests.helpers.drawn_faces import AS_IT_IS, face_folder, noise_picture, pts_text, schematic_face
from tests.helpers.tiny_files import write_store


def listed(root: Path, landmarks: str = "auto") -> Split:
    (split,) = folder_splits(FolderSource("folder", str(root)), landmarks)
    assert split.name == ""
    return split


def outcomes(root: Path) -> tuple[dict[str, Face], dict[str, str]]:
    """Faces by identity, and reasons by file; through pickled jobs, as workers see them."""
    jobs = pickle.loads(pickle.dumps(listed(root).jobs))
    recipe = Recipe(AS_IT_IS, "annotated")
    found = [outcome for outcomes in finish((job.load() for job in jobs), recipe) for outcome in outcomes]
    faces = {outcome.row.identity: outcome for outcome in found if isinstance(outcome, Face)}
    return faces, {outcome.file: outcome.reason for outcome in found if isinstance(outcome, BadFace)}


def photo_folder(root: Path, name: str, points: dict[str, np.ndarray], size: tuple[int, int] = (640, 480)) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise_picture(*size)).save(root / name)
    for pts, face in points.items():
        (root / pts).write_text(pts_text(face))
    return root


def test_a_face_of_128_is_taken_byte_for_byte(tmp_path: Path) -> None:
    face_folder(tmp_path, ["a.png", "b.png"])
    (tmp_path / "meta.csv").write_text("file,identity,gray,replicated_border\nb.png,Somebody,1,0.125\n")
    faces, rejected = outcomes(tmp_path)
    assert rejected == {}
    face = faces["Somebody"]
    assert np.array_equal(face.image, noise_picture(128, 128, 1))
    assert np.array_equal(face.landmarks, schematic_face(size=81))
    assert face.visible.all()
    assert (face.row.file, face.row.crop_box) == ("images/b.png", (0, 0, 128, 128))
    assert (face.row.gray, face.row.replicated_border) == (True, 0.125)
    assert (faces["a"].row.gray, faces["a"].row.replicated_border) == (None, None)


@pytest.mark.parametrize("root", ["", "images"])
def test_the_table_may_lie_beside_or_above(tmp_path: Path, root: str) -> None:
    faces, rejected = outcomes(face_folder(tmp_path, ["a.png"]) / root)
    assert list(faces) == ["a"]
    assert rejected == {}


def test_several_tables_under_one_root_each_keep_their_own(tmp_path: Path) -> None:
    face_folder(tmp_path / "one", ["a.png", "b.png"])
    face_folder(tmp_path / "two", ["a.png"])
    faces, rejected = outcomes(tmp_path)
    assert sorted(face.row.file for face in faces.values()) == [
        "one/images/a.png",
        "one/images/b.png",
        "two/images/a.png",
    ]
    assert rejected == {}


def test_a_table_further_down_has_precedence(tmp_path: Path) -> None:
    face_folder(tmp_path, ["a.png"])
    face_folder(tmp_path / "images" / "inner", ["b.png"])
    faces, rejected = outcomes(tmp_path)
    assert sorted(face.row.file for face in faces.values()) == ["images/a.png", "images/inner/images/b.png"]
    assert rejected == {}


def test_same_names_in_sub_folders_do_not_clash(tmp_path: Path) -> None:
    faces, rejected = outcomes(face_folder(tmp_path, ["x/a.png", "y/a.png"]))
    assert sorted(faces) == ["x/a", "y/a"]
    assert np.array_equal(faces["y/a"].image, noise_picture(128, 128, 1))
    assert np.array_equal(faces["y/a"].landmarks, schematic_face(size=81))
    assert rejected == {}


def test_a_bare_name_finds_its_one_picture_but_no_two(tmp_path: Path) -> None:
    faces, rejected = outcomes(face_folder(tmp_path, ["x/a.png", "y/b.png", "z/b.png"], ["a.png", "b.png"]))
    assert list(faces) == ["x/a"]
    assert rejected["b.png"].startswith("the name fits 2 pictures")
    assert set(rejected) == {"b.png", "images/y/b.png", "images/z/b.png"}


def test_names_without_files_and_files_without_names_are_rejected(tmp_path: Path) -> None:
    faces, rejected = outcomes(face_folder(tmp_path, ["a.png", "b.png"], ["a.png", "gone.png"]))
    assert list(faces) == ["a"]
    assert rejected == {
        "images/b.png": "no landmarks: its name is not in landmarks68.npz",
        "gone.png": "no such file, though landmarks68.npz names it",
    }


def test_no_name_matches(tmp_path: Path) -> None:
    face_folder(tmp_path, ["a.png", "b.png"], ["p.png", "q.png", "r.png"])
    with pytest.raises(
        UserError, match=r"none of its 3 names matches one of the 2 pictures .*p\.png.*a\.png"
    ) as caught:
        listed(tmp_path)
    assert "\n" not in str(caught.value)


def test_unknown_landmarks_are_hidden_and_finite(tmp_path: Path) -> None:
    face_folder(tmp_path, ["a.png", "b.png"])
    points = np.stack([schematic_face(), np.full((68, 2), np.nan, np.float32)])
    points[0, 9:17] = np.nan
    np.savez(tmp_path / "landmarks68.npz", names=np.array(["a.png", "b.png"]), landmarks=points)
    faces, rejected = outcomes(tmp_path)
    assert np.flatnonzero(~faces["a"].visible).tolist() == list(range(9, 17))
    assert np.isfinite(faces["a"].landmarks).all()
    assert rejected["images/b.png"].startswith("0 known landmarks")


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"names": np.array(["a.png"])}, "has no array"),
        ({"names": np.array(["a.png"]), "landmarks": np.zeros((2, 68, 2))}, r"landmarks \(2, 68, 2\)"),
        ({"names": np.array(["a.png"]), "landmarks": np.zeros((1, 67, 2))}, r"landmarks \(1, 67, 2\)"),
        ({"names": np.array(["a.png"], object), "landmarks": np.zeros((1, 68, 2))}, "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_bad_tables(tmp_path: Path, arrays: dict[str, np.ndarray] | None, reason: str) -> None:
    face_folder(tmp_path, ["a.png"])
    if arrays is None:
        (tmp_path / "landmarks68.npz").write_bytes(b"PK no zip")
    else:
        np.savez(tmp_path / "landmarks68.npz", **arrays)
    with pytest.raises(UserError, match=reason):
        listed(tmp_path)


@pytest.mark.parametrize("text", ["name\na.png\n", "file,gray\na.png,maybe\n", "file,replicated_border\na.png,1.5\n"])
def test_bad_meta(tmp_path: Path, text: str) -> None:
    face_folder(tmp_path, ["a.png"])
    (tmp_path / "meta.csv").write_text(text)
    with pytest.raises(UserError, match=r"meta\.csv, line 2"):
        listed(tmp_path)


def test_several_faces_of_a_photograph(tmp_path: Path) -> None:
    first, second = schematic_face((150, 200), 120), schematic_face((450, 250), 90, roll=40)
    photo_folder(tmp_path, "p.jpg", {"p_1.pts": first, "p_2.pts": second})
    photo_folder(tmp_path / "q", "p_1.JPG", {"p_1.pts": first})
    faces, rejected = outcomes(tmp_path)
    assert rejected == {}
    assert sorted(faces) == ["p_1", "p_2", "q/p_1"]
    face = faces["p_2"]
    x0, y0, x1, _ = face.row.crop_box
    assert x1 - x0 == pytest.approx(1.5 * np.ptp(second, axis=0).max(), abs=1e-2)
    assert face.landmarks == pytest.approx((second + 0.5 - [x0, y0]) * 128 / (x1 - x0) - 0.5, abs=1e-2)
    assert (face.row.file, face.row.replicated_border) == ("p.jpg", 0)


def test_faces_are_ordered_by_their_number(tmp_path: Path) -> None:
    photo_folder(tmp_path, "p.png", {f"p_{number}.pts": schematic_face((300, 200)) for number in (10, 2, 1)})
    assert list(outcomes(tmp_path)[0]) == ["p_1", "p_2", "p_10"]


def test_pts_without_a_picture_and_the_reverse(tmp_path: Path) -> None:
    photo_folder(tmp_path, "p.png", {"p.pts": schematic_face((300, 200)), "other.pts": schematic_face()})
    photo_folder(tmp_path, "lonely.png", {})
    photo_folder(tmp_path, "twin.png", {"twin.pts": schematic_face((300, 200))})
    photo_folder(tmp_path, "twin.jpg", {})
    faces, rejected = outcomes(tmp_path)
    assert list(faces) == ["p"]
    assert rejected["other.pts"] == "no picture of this name beside it"
    assert rejected["lonely.png"] == "no landmarks: no .pts of this name beside it"
    assert rejected["twin.png"].startswith("2 pictures of one name")
    assert set(rejected) == {"other.pts", "lonely.png", "twin.png", "twin.jpg"}


def test_a_bad_face_spares_the_others_of_its_photograph(tmp_path: Path) -> None:
    good = schematic_face((300, 200))
    bad = {"p_2.pts": good[:67], "p_3.pts": good[:, ::-1], "p_4.pts": good + np.float32(1000)}
    photo_folder(tmp_path, "p.png", {"p_1.pts": good, **bad})
    photo_folder(tmp_path, "broken.png", {"broken.pts": good})
    (tmp_path / "broken.png").write_bytes((tmp_path / "broken.png").read_bytes()[:5000])
    faces, rejected = outcomes(tmp_path)
    assert list(faces) == ["p_1"]
    assert rejected["p_2.pts"] == "67 points, 68 or (a profile) 39 expected"
    assert rejected["p_3.pts"].startswith("implausible landmarks")
    assert rejected["p_4.pts"].startswith("landmarks outside the picture")
    assert rejected["broken.png"].startswith("damaged or cut short")
    assert len(rejected) == 4


def test_unusable_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none does not exist"):
        listed(tmp_path / "none")
    with pytest.raises(UserError, match="holds no picture"):
        listed(tmp_path)
    photo_folder(tmp_path, "p.png", {})
    with pytest.raises(UserError, match=r"1 pictures, but no landmarks; put landmarks68\.npz.*landmarks=onnx"):
        listed(tmp_path, "annotations")
    with pytest.raises(UserError, match="is not a folder"):
        listed(tmp_path / "p.png")


def test_the_settings_tell_a_changed_folder(tmp_path: Path) -> None:
    face_folder(tmp_path / "a", ["a.png", "b.png"])
    before = listed(tmp_path / "a").settings
    (tmp_path / "a").rename(tmp_path / "moved")
    assert listed(tmp_path / "moved").settings == before
    points = np.stack([schematic_face(size=80), schematic_face(size=83)])
    np.savez(tmp_path / "moved" / "landmarks68.npz", names=np.array(["a.png", "b.png"]), landmarks=points)
    assert listed(tmp_path / "moved").settings != before


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    face_folder(tmp_path / "elsewhere", ["a.png"])
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(root)
    faces, rejected = outcomes(root)
    assert [face.row.file for face in faces.values()] == ["link/images/a.png"]
    assert rejected == {}


def test_a_network_looks_at_every_picture_and_annotations_only_measure_it(tmp_path: Path) -> None:
    photo_folder(tmp_path, "a.png", {"a_1.pts": schematic_face((200, 200)), "a_2.pts": schematic_face((400, 200))})
    photo_folder(tmp_path, "b.png", {})
    (tmp_path / "nobody.pts").write_text(pts_text(schematic_face()))
    assert listed(tmp_path).annotated
    for landmarks in ("onnx", "face_alignment"):
        split = listed(tmp_path, landmarks)
        assert not split.annotated
        jobs = [job for job in split.jobs if isinstance(job, PhotoJob)]
        assert [(job.file, job.identity, job.detect, job.problem) for job in jobs] == [
            ("a.png", "a", True, ""),
            ("b.png", "b", True, ""),
        ]
        assert [len(job.annotations) for job in jobs] == [2, 0]
        assert [job.faces for job in jobs] == [2, 1]
    for pts in tmp_path.glob("*.pts"):
        pts.unlink()
    assert not listed(tmp_path).annotated


def test_a_source_that_goes_away_is_an_error_and_no_reject(tmp_path: Path) -> None:
    jobs = listed(face_folder(tmp_path / "disk", ["a.png"])).jobs
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    with pytest.raises(UserError, match=r"images/a\.png was there when the source was listed .* still mounted"):
        jobs[0].load()


def test_names_that_no_list_can_hold_and_pipes_and_stores(tmp_path: Path) -> None:
    root = face_folder(tmp_path, ["a.png", "b\r.png"])
    os.mkfifo(root / "images" / "pipe.png")
    write_store(root / "made", 2)
    Image.fromarray(noise_picture(128, 128)).save(root / "made" / "contact.png")
    faces, rejected = outcomes(root)
    assert list(faces) == ["a"]
    assert rejected == {
        "'images/b\\r.png'": "its name has line ends, control characters or bytes that are not UTF-8: rename it"
    }


def test_blanks_and_marks_of_other_scripts_are_names_like_any(tmp_path: Path) -> None:
    """macOS writes a narrow blank into the names of screenshots, Japanese text a wide one, Persian a joiner."""
    names = ["at 3.00\u202fPM.png", "写真\u3000一.png", "می\u200cروم.png", "a\u00a0b.png"]
    for name in names:
        Image.new("RGB", (200, 200)).save(tmp_path / name)
    jobs = listed(tmp_path, "onnx").jobs
    assert sorted(job.file for job in jobs) == sorted(names)
    assert not any(job.problem for job in jobs)
