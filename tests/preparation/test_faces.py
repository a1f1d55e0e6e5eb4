from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from src.image.crop import FaceBox, crop_box
from src.landmarks.boxes import face_box
from src.landmarks.landmark_error import landmark_error, matched_errors
from src.landmarks.landmarker import Landmarks, Query
from src.preparation.crop_rules import CelebaAlignedCrop, LandmarksCrop
from src.preparation.faces import Recipe, finish
from src.source.photograph import Annotation, Photo, PhotoJob, PictureFile
from src.store.card import Settings
from src.store.face import Face
from src.system.errors import BadFace
from tests.helpers.drawn_faces import noise_picture, pts_text, schematic_face

CROP = LandmarksCrop("landmarks")


def photo(*annotations: Annotation, size: tuple[int, int] = (640, 480), detect: bool = False) -> Photo:
    job = PhotoJob(PictureFile(Path("p.png")), "p.png", "p", annotations, detect=detect)
    return Photo(job, noise_picture(*size), "ab")


@dataclass
class Backend:
    """Answers with what it was given, and remembers the boxes that it was asked for."""

    answers: list[Landmarks]
    name: str = "backend"
    settings: Settings = field(default_factory=dict)
    in_workers: bool = True
    boxes: tuple[FaceBox, ...] | None = ()

    def find(self, queries: Sequence[Query]) -> list[list[Landmarks]]:
        self.boxes = queries[0].boxes
        return [self.answers for _ in queries]


def made(item: Photo, backend: Backend | None = None, **recipe: object) -> tuple[list[Face], list[BadFace]]:
    settings = {"crop": CROP, "visibility": "annotated"} | recipe
    (outcomes,) = finish([item], Recipe(landmarker=backend, **settings))  # type: ignore[arg-type]
    return [one for one in outcomes if isinstance(one, Face)], [one for one in outcomes if isinstance(one, BadFace)]


def test_detected_faces_are_named_after_the_picture_from_left_to_right() -> None:
    two = [schematic_face((150, 200)), schematic_face((450, 200))]
    backend = Backend([Landmarks(points, score) for points, score in zip(two, (0.9, 0.8), strict=True)])
    faces, bad = made(photo(), backend)
    assert [(face.row.identity, face.row.landmark_source, face.row.landmark_score) for face in faces] == [
        ("p_1", "backend", 0.9),
        ("p_2", "backend", 0.8),
    ]
    assert bad == []
    assert backend.boxes is None
    assert faces[1].row.crop_box == crop_box(two[1])
    (face,), _ = made(photo(), Backend([Landmarks(two[0], 0.9)]))
    assert face.row.identity == "p"


def test_no_face_nan_and_rubbish_are_rejects_that_name_the_face() -> None:
    assert [str(bad) for bad in made(photo(), Backend([]))[1]] == ["p.png: no face was found"]
    nan = schematic_face((150, 200))
    nan[3] = np.nan
    rubbish = np.random.default_rng(0).uniform(0, 400, (68, 2)).astype(np.float32)
    good = schematic_face((450, 200))
    faces, bad = made(photo(), Backend([Landmarks(nan, 0.9), Landmarks(rubbish, 0.9), Landmarks(good, 0.9)]))
    assert [face.row.identity for face in faces] == ["p_3"]
    assert bad[0].file == "p.png (face 1 of 3)"
    assert bad[0].reason == "the landmark network (backend) returned NaN"
    assert bad[1].reason.startswith("implausible landmarks")


def test_fifty_faces() -> None:
    many = [Landmarks(schematic_face((60 + 90 * (i % 10), 60 + 90 * (i // 10)), 60), 0.9) for i in range(50)]
    faces, bad = made(photo(size=(1000, 600)), Backend(many))
    assert len({face.row.identity for face in faces}) == 50
    assert bad == []


def test_annotated_faces_need_no_detector_and_are_compared(tmp_path: Path) -> None:
    truth = schematic_face((300, 200))
    (tmp_path / "p.pts").write_text(pts_text(truth))
    annotations = (Annotation("p.pts", "who", tmp_path / "p.pts"), Annotation("q.pts", "gone", tmp_path / "q.pts"))
    eyes = float(np.linalg.norm(truth[45] - truth[36]))
    backend = Backend([Landmarks(truth + np.float32([0.1 * eyes, 0]), 0.7)])
    (face,), (bad,) = made(photo(*annotations), backend)
    assert backend.boxes is not None
    assert backend.boxes == (pytest.approx(face_box(truth), abs=1e-2),)
    assert face.row.identity == "who"
    assert face.row.landmark_error == pytest.approx(0.1, abs=1e-4)
    assert bad.file == "q.pts"


def test_a_box_of_the_source_is_taken_before_its_points() -> None:
    backend = Backend([Landmarks(schematic_face((300, 200)), 0.7)])
    made(photo(Annotation("x", "who", None, box=(1.0, 2.0, 3.0, 4.0))), backend)
    assert backend.boxes == ((1.0, 2.0, 3.0, 4.0),)


def test_an_annotated_face_without_a_place_is_the_largest_that_is_found() -> None:
    small, large = schematic_face((100, 100), 40), schematic_face((300, 200), 90)
    backend = Backend([Landmarks(small, 0.9), Landmarks(large, 0.8)])
    (face,), bad = made(photo(Annotation("x", "who", None)), backend)
    assert backend.boxes is None
    assert (face.row.identity, face.row.crop_box) == ("who", crop_box(large))
    assert bad == []


def test_detection_only_measures_annotations() -> None:
    near, far = schematic_face((150, 200)), schematic_face((450, 200))
    annotations = (Annotation("a", "1", far), Annotation("b", "2", near))
    backend = Backend([Landmarks(near + 2, 0.9), Landmarks(schematic_face((300, 380)), 0.9), Landmarks(far, 0.9)])
    faces, _ = made(photo(*annotations, detect=True), backend)
    eyes = float(np.linalg.norm(near[45] - near[36]))
    errors = [face.row.landmark_error for face in faces]
    assert errors == [pytest.approx(np.hypot(2, 2) / eyes, rel=1e-3), None, 0]
    assert [face.row.identity for face in faces] == ["p_1", "p_2", "p_3"]


def test_an_annotation_is_matched_once() -> None:
    truth = schematic_face()
    assert matched_errors([truth + 3, truth], [truth])[0] is None
    assert landmark_error(truth, np.where(np.arange(68)[:, None] == 36, np.nan, truth)) is None


def test_filters_reject_by_name() -> None:
    points = schematic_face((40, 200))  # reaches beyond the left border
    (face,), _ = made(photo(Annotation("a.pts", "a", points)))
    border = face.row.replicated_border
    assert border is not None
    assert 0.1 < border < 0.5
    strict = LandmarksCrop("landmarks", max_replicated_border=border - 0.01)
    _, (bad,) = made(photo(Annotation("a.pts", "a", points)), crop=strict)
    assert (bad.file, bad.reason.split(":")[0]) == ("a.pts", "cut by the picture's border")
    lenient = LandmarksCrop("landmarks", max_replicated_border=border + 0.01)
    assert made(photo(Annotation("a.pts", "a", points)), crop=lenient)[1] == []
    _, (bad,) = made(
        photo(Annotation("a.pts", "a", schematic_face((300, 200), 40))), crop=LandmarksCrop("landmarks", min_side=128)
    )
    assert bad.reason.startswith("too small")


def test_the_fixed_square_of_celeba() -> None:
    crop = CelebaAlignedCrop("celeba_aligned")
    points = schematic_face((89, 120), 90)
    (face,), _ = made(photo(Annotation("1.jpg", "9", points), size=(178, 218)), crop=crop)
    assert face.row.crop_box == (0, 20, 178, 198)
    assert face.landmarks == pytest.approx((points + 0.5 - [0, 20]) * 128 / 178 - 0.5, abs=1e-3)
    _, (bad,) = made(photo(Annotation("1.jpg", "9", points), size=(218, 178)), crop=crop)
    assert "218x178, but crop=celeba_aligned is for 178x218 pictures" in bad.reason


def test_visibility_is_estimated_unless_annotated() -> None:
    turned = schematic_face((300, 200), 120, yaw=60)
    (face,), _ = made(photo(Annotation("a", "a", turned)), visibility="estimated")
    assert not face.visible.all()
    assert face.visible[[36, 39]].all()  # the eye that looks into the picture
    (face,), _ = made(photo(Annotation("a", "a", turned)), visibility="annotated")
    assert face.visible.all()
    partly = turned.copy()
    partly[17:22] = np.nan
    (face,), _ = made(photo(Annotation("a", "a", partly)), visibility="estimated")
    assert np.array_equal(face.visible, np.isfinite(partly).all(1))


def test_estimated_visibility_takes_depth_where_a_backend_gives_it() -> None:
    flat = schematic_face((300, 200), 120)
    slope = 3 * (flat[:, 0] - 300)
    (face,), _ = made(photo(), Backend([Landmarks(flat, 0.9, slope.astype(np.float32))]), visibility="estimated")
    (plain,), _ = made(photo(), Backend([Landmarks(flat, 0.9)]), visibility="estimated")
    assert not np.array_equal(face.visible, plain.visible)
