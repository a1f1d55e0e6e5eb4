"""`.pts` files, `landmarks68.npz` and `meta.csv` of any content end in landmarks or in one line."""

import io
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from src.source.landmarks_file import META, NAME, LandmarksFile
from src.source.photograph import PhotoJob
from src.source.pts import read_faces
from src.system.errors import BadFace, UserError
from src.system.files import utf8
from tests.helpers.drawn_faces import pts_text, schematic_face
from tests.helpers.fuzzing import TEXTS, assert_one_line, changed_bytes, changed_lines, result_or_line

FACES = [pts_text(schematic_face()), "{\n" + "1,5 2,5\n" * 68 + "}", "{\n" + "3; 4 # x\n" * 39 + "}\n" * 2]
META_TEXT = "file,identity,gray,replicated_border\na.png,A,1,0.5\nb.png,B,,\n"


def check_pts(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.pts")
        path.write_bytes(data)
        faces = result_or_line(lambda: read_faces(path, "x.pts"))
    if isinstance(faces, UserError):
        assert isinstance(faces, BadFace)
        return
    assert faces
    for face in faces:
        assert (face.shape, face.dtype) == ((68, 2), np.float32)
        assert np.isfinite(face).all(1).sum() in (68, 39, *range(20, 68))


@given(st.binary(max_size=300))
def test_any_bytes_as_pts(data: bytes) -> None:
    check_pts(data)


@given(changed_lines(FACES), st.sampled_from(["utf-8", "utf-16", "utf-8-sig", "utf-16-le"]))
def test_pts_with_changed_lines(text: str, encoding: str) -> None:
    check_pts(text.encode(encoding, "surrogatepass"))


@given(changed_bytes([text.encode() for text in FACES]))
def test_pts_with_changed_bytes(data: bytes) -> None:
    check_pts(data)


def check_table(npz: bytes, meta: bytes | None = None) -> None:
    """A table beside two pictures that are not opened."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / NAME).write_bytes(npz)
        if meta is not None:
            (root / META).write_bytes(meta)
        pictures = [root / "a.png", root / "images" / "b.png"]
        jobs = result_or_line(lambda: LandmarksFile(root / NAME).jobs(pictures, root))
    if isinstance(jobs, UserError):
        return
    assert {job.picture.path for job in jobs} >= set(pictures)  # nothing is lost
    for job in jobs:
        check_job(job)


def check_job(job: PhotoJob) -> None:
    assert job.annotations or job.problem
    assert_one_line(f"{job.file}: {job.problem}")
    for annotation in job.annotations:
        assert annotation.identity
        assert isinstance(annotation.points, np.ndarray)
        assert (annotation.points.shape, annotation.points.dtype) == ((68, 2), np.float32)


def npz(**tables: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **tables)
    return buffer.getvalue()


@cache
def tables() -> list[bytes]:
    points, names = np.stack([schematic_face()] * 2), np.array(["a.png", "b.png"])
    packed = io.BytesIO()
    np.savez_compressed(packed, names=names, landmarks=points)
    return [npz(names=names, landmarks=points), packed.getvalue()]


@given(changed_bytes(tables()))
def test_tables_with_changed_bytes(data: bytes) -> None:
    check_table(data)


def inside(change: Callable[[str, bytes], bytes]) -> bytes:
    """A table whose arrays' files are changed, and have right checksums."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(tables()[0])) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return buffer.getvalue()


@given(st.data())
def test_tables_with_changed_arrays(data: st.DataObject) -> None:
    check_table(inside(lambda name, old: data.draw(changed_bytes([old], 2), label=name)))


DTYPES = st.sampled_from(["f8", "f4", "f2", "c8", "i8", "u1", "?", "U5", "S5", "O", "M8[s]", "m8[s]", "V4"])


@given(
    st.one_of(
        arrays.arrays(DTYPES.filter(lambda kind: kind not in ("O", "V4")), st.sampled_from([(), (0,), (2,), (1, 2)])),
        st.lists(TEXTS, min_size=2, max_size=2).map(np.array),
        st.lists(TEXTS, min_size=2, max_size=2).map(lambda names: np.array(names, object)),
        st.sampled_from([["a.png", "b.png"], ["A.PNG", "images\\b.png"], ["a.png", "a.png"]]).map(np.array),
    ),
    DTYPES,
    st.sampled_from([(), (2,), (0, 68, 2), (2, 68, 2), (2, 68, 3), (2, 39, 2)]),
    st.sampled_from([0, 1, -1, 1e30, np.nan, np.inf]),
    st.sampled_from(["landmarks", "points"]),
)
def test_tables_with_arrays_of_any_kind(
    names: np.ndarray, kind: str, shape: tuple[int, ...], value: float, key: str
) -> None:
    with np.errstate(all="ignore"):
        points = np.full(shape, value).astype(kind) if kind not in ("M8[s]", "m8[s]", "V4") else np.zeros(shape, kind)
    check_table(npz(names=names, **{key: points}))


@given(st.one_of(st.binary(max_size=200), changed_bytes([META_TEXT.encode()]), changed_lines([META_TEXT]).map(utf8)))
def test_meta_of_any_content(data: bytes) -> None:
    check_table(tables()[0], data)
