from pathlib import Path

import numpy as np
import pytest

from src.source.landmarks_file import NAME, LandmarksFile
from src.system.errors import UserError
from tests.helpers.drawn_faces import schematic_face

POINTS = np.stack([schematic_face()] * 2)


def test_names_may_be_bytes(tmp_path: Path) -> None:
    """As HDF5 gives them."""
    np.savez(tmp_path / NAME, names=np.array([b"a.png", "é.png".encode()]), landmarks=POINTS)
    jobs = LandmarksFile(tmp_path / NAME).jobs([tmp_path / "a.png", tmp_path / "é.png"], tmp_path)
    assert [(job.file, job.problem) for job in jobs] == [("a.png", ""), ("é.png", "")]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (np.array([0x110000, 97], "u4").view("U1"), "its names are no text"),
        (np.array([0x61000000, 0x62000000], "u4").view(">U1"), ""),
        (np.array(["a", "b"], object), "cannot be read"),
        (np.array([["a", "b"]]), "holds names"),
    ],
)
def test_names_that_are_no_text_are_one_line(tmp_path: Path, names: np.ndarray, said: str) -> None:
    np.savez(tmp_path / NAME, names=names, landmarks=POINTS)
    if not said:
        assert LandmarksFile(tmp_path / NAME).names == ["a", "b"]
        return
    with pytest.raises(UserError, match=said):
        LandmarksFile(tmp_path / NAME)
