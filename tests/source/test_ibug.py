from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.landmarks.config import AnnotationsConfig
from src.preparation.config import PrepareConfig
from src.preparation.crop_rules import LandmarksCrop
from src.preparation.faces import Recipe, finish
from src.preparation.run import run_preparation
from src.source.config import IbugSource
from src.source.ibug import ibug_splits
from src.source.menpo import points_from_profile
from src.source.photograph import PhotoJob
from src.store.face import Face
from src.store.read import FaceStore
from src.system.errors import UserError
from tests.helpers.drawn_faces import noise_picture, pts_text, schematic_face

SHARED = Path(__file__).parents[2].parent / "shared"


def picture(root: Path, name: str, faces: dict[str, np.ndarray]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise_picture(640, 480)).save(root / name)
    for file, points in faces.items():
        (root / file).write_text(pts_text(points))


def profile_points() -> np.ndarray:
    """39 points that the scheme's own mapping turns into a plausible profile."""
    face = schematic_face((320, 240), 200, yaw=80)
    contour = np.concatenate([face[0:9], face[8:9], face[8:9] + np.array([2, -6]), face[57:58] + np.array([2, 6])])
    chosen = [
        17,
        18,
        20,
        21,
        27,
        28,
        29,
        30,
        33,
        31,
        38,
        37,
        36,
        41,
        40,
        51,
        50,
        49,
        48,
        59,
        58,
        57,
        62,
        61,
        60,
        67,
        66,
    ]
    return np.concatenate([contour, face[chosen]]).astype(np.float32)


def test_folders_of_faces_and_of_profiles(tmp_path: Path) -> None:
    face = schematic_face((300, 200))
    picture(tmp_path / "300W" / "indoor", "a.png", {"a.pts": face})
    points = profile_points()
    assert points.shape == (39, 2)
    picture(tmp_path / "menpo" / "profile", "b.png", {"b.pts": points})
    picture(tmp_path, "unmarked.png", {})
    (split,) = ibug_splits(IbugSource("ibug", str(tmp_path)))
    assert split.annotated
    done = [
        one
        for outcomes in finish((job.load() for job in split.jobs), Recipe(LandmarksCrop("landmarks")))
        for one in outcomes
    ]
    faces = {one.row.file: one for one in done if isinstance(one, Face)}
    assert list(faces) == ["300W/indoor/a.png", "menpo/profile/b.png"]
    known = np.isfinite(points_from_profile(points)).all(1)
    assert np.array_equal(faces["menpo/profile/b.png"].visible, known)
    assert known.sum() == 37
    assert [str(one) for one in done if not isinstance(one, Face)] == [
        "unmarked.png: no landmarks: no .pts of this name beside it"
    ]


def test_a_network_is_told_where_the_faces_are(tmp_path: Path) -> None:
    picture(tmp_path, "a.png", {"a.pts": schematic_face((300, 200))})
    (split,) = ibug_splits(IbugSource("ibug", str(tmp_path)), "onnx")
    assert not split.annotated
    (job,) = split.jobs
    assert isinstance(job, PhotoJob)
    assert not job.detect
    assert len(job.annotations) == 1


def test_pictures_without_any_pts(tmp_path: Path) -> None:
    picture(tmp_path, "a.png", {})
    with pytest.raises(UserError, match=r"no \.pts file; .*source=folder"):
        ibug_splits(IbugSource("ibug", str(tmp_path)))


@pytest.mark.skipif(not (SHARED / "photos").is_dir(), reason="the 16 photographs are not at ../shared/photos")
def test_all_annotated_faces_of_the_photographs(tmp_path: Path) -> None:
    config = PrepareConfig(
        IbugSource("ibug", str(SHARED / "photos")), str(tmp_path / "out"), AnnotationsConfig("annotations")
    )
    run_preparation(config, print)
    store = FaceStore(tmp_path / "out")
    assert (len(store), store.card.rejected) == (31, 0)
    assert len({row.file for row in store.manifest}) == 16
    assert store.visible(np.arange(31)).mean() > 0.8
