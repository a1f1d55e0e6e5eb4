import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.source.names import Names, form_of, match
from tests.helpers.drawn_faces import face_folder, noise_picture, pts_text, schematic_face
from tests.source.test_folder import outcomes

NFC, NFD = (unicodedata.normalize(form, "José Ångström") for form in ("NFC", "NFD"))


def matched(asked: list[str], offered: list[str]) -> dict[str, list[str]]:
    names = Names((name, name) for name in offered)
    return dict(zip(asked, match([[(name, names)] for name in asked]), strict=True))


@pytest.mark.parametrize(
    ("first", "second"),
    [(NFC, NFD), ("a/b.png", "a\\b.png"), ("./a/b.png", "a/b.png"), ("A.JPG", "a.jpg"), ("STRASSE", "straße")],
)
def test_names_that_are_alike(first: str, second: str) -> None:
    assert matched([first], [second, "other"]) == {first: [second]}
    assert matched([second], [first, "other"]) == {second: [first]}


def test_names_that_are_not() -> None:
    for first, second in (("a.png", "a.jpg"), ("a b", "ab"), ("é", "e"), ("x/a.png", "a.png"), ("", "a")):
        assert matched([first], [second]) == {first: []}
    assert form_of("", 2) == ""


def test_the_exact_name_always_wins() -> None:
    assert matched(["a", "A"], ["A", "a"]) == {"a": ["a"], "A": ["A"]}
    assert matched(["a", "A"], ["A"]) == {"a": [], "A": ["A"]}  # that picture has its name already
    assert matched([NFC.upper(), NFC], [NFD]) == {NFC.upper(): [], NFC: [NFD]}  # another case is less alike


def test_what_is_ambiguous_matches_nothing() -> None:
    assert matched(["aB"], ["ab", "AB"]) == {"aB": ["ab", "AB"]}
    assert matched(["aB", "Ab"], ["ab"]) == {"aB": [], "Ab": []}


def test_one_name_asked_twice_is_two_faces_of_one_thing() -> None:
    names = Names([("a", 1)])
    assert match([[("A", names)], [("A", names)]]) == [[1], [1]]


def test_a_table_from_another_system(tmp_path: Path) -> None:
    files = ["sub/a.png", f"{NFD}.png", "b.PNG", "c.png", "C.png"]
    face_folder(tmp_path, files, ["sub\\a.png", f"{NFC}.png", "B.png", "c.PNG", "A.PNG"])
    (tmp_path / "meta.csv").write_text(f"file,identity\nSub\\A.png,first\n{NFD}.png,second\n", encoding="utf-8")
    faces, rejected = outcomes(tmp_path)
    assert {identity: face.row.file for identity, face in faces.items()} == {
        "first": "images/sub/a.png",
        "second": f"images/{NFD}.png",
        "b": "images/b.PNG",
    }
    assert np.array_equal(faces["second"].image, noise_picture(128, 128, 1))
    assert np.array_equal(faces["second"].landmarks, schematic_face(size=81))
    assert rejected == {
        "c.PNG": "the name fits 2 pictures: write the sub-folder into landmarks68.npz",
        "A.PNG": "only a.png is like it, and another name in landmarks68.npz fits that one too",
        "images/c.png": "no landmarks: its name is not in landmarks68.npz",
        "images/C.png": "no landmarks: its name is not in landmarks68.npz",
    }


def test_pts_of_another_case_or_form(tmp_path: Path) -> None:
    for number, name in enumerate(["X.PNG", f"{NFD}.png", "y.png", "zé.png", "Zé.png"]):
        Image.fromarray(noise_picture(128, 128, number)).save(tmp_path / name)
    # Y.pts is like y.png, but y.pts has that name exactly.
    for number, name in enumerate(["x_1.PTS", "x_2.pts", f"{NFC}.pts", "y.pts", "Y.pts", "zÉ.pts"]):
        (tmp_path / name).write_text(pts_text(schematic_face(size=80 + number)))
    faces, rejected = outcomes(tmp_path)
    assert sorted(faces) == sorted(["x_1", "x_2", NFC, "y"])
    assert faces["x_1"].row.file == "X.PNG"
    assert rejected == {
        "Y.pts": "no picture of this name beside it; ambiguous: it is like y",
        "zÉ.pts": "no picture of this name beside it; ambiguous: it is like Zé, zé",
        "zé.png": "no landmarks: no .pts of this name beside it",
        "Zé.png": "no landmarks: no .pts of this name beside it",
    }
