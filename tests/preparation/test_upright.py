"""Faces at any roll end level in the store: real pictures of drawn heads, through the whole preparation."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.preparation.config import PrepareConfig
from src.preparation.run import run_preparation
from src.source.config import FolderSource
from src.store.read import FaceStore
from src.synthetic.draw import render_face
from tests.helpers.drawn_faces import pts_text

MARGIN = 112  # of the drawn photograph: its corners stay in it at any roll
ROLLS = (-170.0, -120.0, -90.0, -35.0, 0.0, 20.0, 75.0, 135.0, 180.0)
TURNED = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
"""EXIF orientation -> how a camera has stored what a viewer shows upright."""


def photograph(folder: Path, index: int, roll: float, orientation: int = 1) -> None:
    """A drawn, level head, turned by `roll` degrees clockwise about the picture's middle, with its landmarks."""
    drawn = render_face(3, index, MARGIN, upright=True)
    middle = (128 + 2 * MARGIN - 1) / 2
    turn = np.radians(roll)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    points = (drawn.landmarks + MARGIN - middle) @ rotation + middle
    picture = Image.fromarray(np.ascontiguousarray(drawn.image)).rotate(-roll, Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = orientation
    if orientation in TURNED:
        picture = picture.transpose(TURNED[orientation])
    name = folder / f"{index:03}.png"
    picture.save(name, exif=exif)
    name.with_suffix(".pts").write_text(pts_text(points.astype(np.float32)))


def prepared(folder: Path) -> FaceStore:
    run_preparation(PrepareConfig(FolderSource("folder", str(folder)), f"{folder}-store"), lambda _: None)
    return FaceStore(f"{folder}-store")


def eye_line(points: np.ndarray) -> np.ndarray:
    """The angle of the line between the eyes' centres in degrees."""
    line = points[:, 42:48].mean(1) - points[:, 36:42].mean(1)
    return np.degrees(np.arctan2(line[:, 1], line[:, 0]))


def test_a_head_at_any_roll_is_the_level_one(tmp_path: Path) -> None:
    """The drawn heads are level before they are turned; `tests/face/test_level.py` has heads in known poses."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, roll in enumerate(ROLLS):
        photograph(folder, index, roll)
    store = prepared(folder)
    assert store.card.margin == 48
    everything = np.arange(len(ROLLS))
    assert np.abs(eye_line(store.landmarks(everything))).mean() < 1.5
    for index, roll in enumerate(ROLLS):
        row = store.manifest[index]
        error = (row.roll_deg - roll + 180) % 360 - 180
        assert abs(error) < 6, "a profile's eye line is that of the mean face"
        level = render_face(3, index, 48, upright=True).image.astype(float)
        found = store.images([index])[0].astype(float)
        correlation = np.corrcoef(level[48:-48, 48:-48].ravel(), found[48:-48, 48:-48].ravel())[0, 1]
        assert correlation > (0.95 if abs(error) < 2 else 0.8), (index, roll)
    errors = [(row.roll_deg - roll + 180) % 360 - 180 for row, roll in zip(store.manifest, ROLLS, strict=True)]
    assert np.abs(errors).mean() < 1.5


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_photograph_that_its_exif_turns_is_the_one_that_a_viewer_shows(orientation: int, tmp_path: Path) -> None:
    plain, turned = tmp_path / "plain", tmp_path / "turned"
    for folder, tag in ((plain, 1), (turned, orientation)):
        folder.mkdir()
        # At 160 degrees landmarks and EXIF would say that the landmarks are those of the stored pixels.
        photograph(folder, 1, 35.0, tag)
    one, other = prepared(plain), prepared(turned)
    assert np.array_equal(one.images([0]), other.images([0]))
    assert one.manifest[0].roll_deg == other.manifest[0].roll_deg


def test_the_matrix_of_the_manifest_maps_the_picture_to_the_face(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    photograph(folder, 2, -100.0)
    store = prepared(folder)
    matrix = np.array(store.manifest[0].matrix).reshape(2, 3)
    text = (folder / "002.pts").read_text().partition("{")[2].partition("}")[0]
    points = np.array([line.split() for line in text.strip().splitlines()], float) - 1
    assert np.abs(points @ matrix[:, :2].T + matrix[:, 2] - store.landmarks([0])[0]).max() < 0.01
    assert np.linalg.det(matrix[:, :2]) > 0, "no mirror"
