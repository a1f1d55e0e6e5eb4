import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.source.config import IbugSource
from src.source.ibug import ibug_splits
from src.source.photograph import PhotoJob
from src.source.walk import walk
from src.system.errors import UserError
from src.system.files import NOWHERE
from tests.helpers.drawn_faces import face_folder, noise_picture, pts_text, schematic_face
from tests.source.test_folder import listed, outcomes

NO_PTS = "no landmarks: no .pts of this name beside it"


def pair(base: Path, number: int = 0) -> None:
    """`base`.png with `base`.pts, other ones for each number."""
    base.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise_picture(128, 128, number)).save(f"{base}.png")
    Path(f"{base}.pts").write_text(pts_text(schematic_face(size=70 + number)))


def names(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in walk(root).files]


def files(root: Path) -> list[str]:
    faces, rejected = outcomes(root)
    assert rejected == {}
    return sorted(face.row.file for face in faces.values())


@pytest.mark.parametrize("link", ["link", "zlink"])
def test_a_folder_and_a_link_to_it(tmp_path: Path, link: str) -> None:
    pair(tmp_path / "real" / "x")
    (tmp_path / link).symlink_to(tmp_path / "real")
    assert files(tmp_path) == ["real/x.png"]


def test_a_file_and_a_link_to_it(tmp_path: Path) -> None:
    pair(tmp_path / "x")
    (tmp_path / "a.png").symlink_to("x.png")
    assert files(tmp_path) == ["x.png"]
    (tmp_path / "a.pts").symlink_to("x.pts")
    assert files(tmp_path) == ["x.png"]
    (tmp_path / "a.pts").unlink()
    (tmp_path / "a.pts").write_text(pts_text(schematic_face(size=60)))
    (job,) = listed(tmp_path).jobs
    assert isinstance(job, PhotoJob)
    assert [annotation.name for annotation in job.annotations] == ["x.pts", "a.pts"]  # another face of the same picture


def test_landmarks_beside_a_link_are_used(tmp_path: Path) -> None:
    face_folder(tmp_path / "annotated", ["x.png"])
    (tmp_path / "annotated" / "images").rename(tmp_path / "pictures")
    (tmp_path / "annotated" / "images").symlink_to("../pictures")
    assert files(tmp_path) == ["annotated/images/x.png"]


def test_pts_without_a_picture_beside_them_but_beside_a_link(tmp_path: Path) -> None:
    pair(tmp_path / "a" / "x")
    (tmp_path / "points").mkdir()
    (tmp_path / "a" / "x.pts").rename(tmp_path / "points" / "x.pts")
    (tmp_path / "a" / "x.pts").symlink_to("../points/x.pts")
    assert files(tmp_path) == ["a/x.png"]


def test_rings_end(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    pair(root / "in" / "x", 0)
    pair(outside / "deep" / "y", 1)
    for link, target in (
        (root / "self", root),
        (root / "in" / "up", root),
        (root / "above", tmp_path),
        (root / "out", outside),
        (outside / "back", root),
        (outside / "deep" / "again", outside),
    ):
        link.symlink_to(target)
    for number in range(12):  # every one of twelve folders leads to every other one
        (root / "many" / str(number)).mkdir(parents=True)
        for other in range(12):
            (root / "many" / str(number) / f"to{other}").symlink_to(root / "many" / str(other))
    assert files(root) == ["above/outside/deep/y.png", "in/x.png"]
    assert len(names(root)) < 100


def test_links_that_lead_nowhere_are_rejects(tmp_path: Path) -> None:
    pair(tmp_path / "x")
    for link, target in (
        ("y.png", "/not/mounted/y.png"),
        ("more", "/not/mounted"),
        ("loop", "loop"),
        (".hidden", "no"),
    ):
        (tmp_path / link).symlink_to(target)
    for landmarks in ("annotations", "onnx"):
        problems = {job.file: job.problem for job in listed(tmp_path, landmarks).jobs if isinstance(job, PhotoJob)}
        assert problems == {"x.png": "", "y.png": NOWHERE, "more": NOWHERE, "loop": NOWHERE}
    (split,) = ibug_splits(IbugSource("ibug", str(tmp_path)))
    assert [job.problem for job in split.jobs if isinstance(job, PhotoJob)] == [NOWHERE, NOWHERE, "", NOWHERE]
    (tmp_path / "x.png").unlink()
    with pytest.raises(UserError, match=r"holds no picture .*; 3 x link that leads nowhere"):
        listed(tmp_path)


def test_companions_of_other_systems_are_left_out(tmp_path: Path) -> None:
    pair(tmp_path / "x")
    for name in ("._x.png", "__MACOSX/x.png", "@eaDir/x.png/THUMB.jpg", "Thumbs.db", "$RECYCLE.BIN/y.png",
                 "#recycle/z.png", ".Trashes/501/x.png", "__macosx/._x.pts", "desktop.ini"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert names(tmp_path) == ["x.png", "x.pts"]
    assert files(tmp_path) == ["x.png"]


def test_kinds_that_are_not_read_are_rejects(tmp_path: Path) -> None:
    pair(tmp_path / "x")
    for name in ("a.CR2", "b.cr2", "c.psd", "notes.txt", "x.xml"):
        (tmp_path / name).write_bytes(b"")
    reason = "a kind that is not read (.cr2): save it as PNG or JPEG"
    for landmarks in ("annotations", "onnx"):
        problems = {job.file: job.problem for job in listed(tmp_path, landmarks).jobs if isinstance(job, PhotoJob)}
        assert problems == {"a.CR2": reason, "b.cr2": reason, "c.psd": reason.replace("cr2", "psd"), "x.png": ""}
    (tmp_path / "x.png").unlink()
    with pytest.raises(UserError, match=r"holds no picture .*; 2 x a kind that is not read \(.cr2\); 1 x .*psd"):
        listed(tmp_path)


def test_a_name_in_a_table_that_can_be_no_path(tmp_path: Path) -> None:
    face_folder(tmp_path, ["a.png"], ["a.png", "b\0.png"])
    (tmp_path / "b.png").symlink_to("images/a.png")
    faces, rejected = outcomes(tmp_path)
    assert [face.row.file for face in faces.values()] == ["images/a.png"]
    assert rejected == {r"'b\x00.png'": "no such file, though landmarks68.npz names it"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_a_reject(tmp_path: Path) -> None:
    pair(tmp_path / "x")
    (tmp_path / "locked").mkdir(mode=0)
    assert walk(tmp_path).problems == {tmp_path / "locked": "cannot be read: Permission denied"}
    assert np.all([job.faces for job in listed(tmp_path).jobs if isinstance(job, PhotoJob)] == [0, 1])
