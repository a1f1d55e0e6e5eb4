"""CelebA's lists and archives of any content end in pictures or in one line."""

import io
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from src.source.archive import ZipPicture, list_zip
from src.source.celeba.filters import identities_asked
from src.source.celeba.lists import COLUMNS, IDENTITY, CelebaList, read_list
from src.source.celeba.splits import celeba_splits
from src.source.config import CelebaSource
from src.system.errors import BadFace, UserError
from src.system.files import utf8
from tests.helpers.celeba_files import list_texts, name, picture, write_zip
from tests.helpers.fuzzing import TEXTS, assert_one_line, changed_bytes, changed_lines, result_or_line

COUNT = 10
TEXT = list_texts(COUNT)


@given(st.sampled_from(sorted(COLUMNS)), st.data())
def test_lists(file: str, data: st.DataObject) -> None:
    good = TEXT[f"{file}.txt"]
    comma = "\n".join(",".join(line.split()) for line in good.split("\n"))
    content = data.draw(
        st.one_of(changed_lines([good, comma]).map(utf8), changed_bytes([good.encode(), comma.encode()]), st.binary())
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{file}.txt")
        path.write_bytes(content)
        found = result_or_line(lambda: read_list(path))
    if not isinstance(found, UserError):
        assert len(found.names) == len(found.values) > 0
        assert np.isfinite(found.values).all()


@given(st.one_of(changed_lines(["1\n2\n\n2880", "1-500"]).map(utf8), st.binary(max_size=60)))
def test_files_of_people(content: bytes) -> None:
    people = CelebaList(Path(f"{IDENTITY}.txt"), np.array([b"a", b"b"]), np.array([[1], [2]], "f4"), ("identity",))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "people.txt")
        path.write_bytes(content)
        source = CelebaSource("celeba", folder, identities=str(path))
        found = result_or_line(lambda: identities_asked(source, people))
    assert isinstance(found, UserError) or set(found.tolist()) <= {1, 2}


@cache
def archives() -> list[bytes]:
    members = {f"img_align_celeba/{name(index)}": picture(index)[:300] for index in range(3)}
    with tempfile.TemporaryDirectory() as folder:
        return [write_zip(Path(folder, "x.zip"), members, kind).read_bytes() for kind in (0, 8)]


def check_archive(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "img_align_celeba.zip")
        path.write_bytes(data)
        listing = result_or_line(lambda: list_zip(path))
        if isinstance(listing, UserError):
            return
        for member, why in {**listing.problems, **listing.unsafe}.items():
            assert_one_line(f"{member}: {why}")
        for member, size in listing.sizes.items():
            read = result_or_line(ZipPicture(path, member, size).read)
            assert isinstance(read, BadFace) or len(read) == size


@given(st.one_of(changed_bytes(archives()), st.binary(max_size=100)))
def test_archives_with_changed_bytes(data: bytes) -> None:
    check_archive(data)


@given(st.dictionaries(st.one_of(TEXTS, st.sampled_from(["../a.jpg", "/a.jpg", "a\\b.jpg", "C:a"])), st.binary()))
def test_archives_with_members_of_any_name(members: dict[str, bytes]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(utf8(member).decode() or "x"), data)
    check_archive(buffer.getvalue())


@given(st.dictionaries(st.sampled_from(sorted(TEXT)), st.data()), st.one_of(changed_bytes(archives()), st.none()))
def test_whole_sets(changed: dict[str, st.DataObject], archive: bytes | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for file, text in TEXT.items():
            data = changed[file].draw(changed_lines([text], 2)) if file in changed else text
            (root / file).write_bytes(utf8(data))
        (root / "img_align_celeba.zip").write_bytes(archives()[0] if archive is None else archive)
        splits = result_or_line(lambda: celeba_splits(CelebaSource("celeba", folder), "annotations"))
        if isinstance(splits, UserError):
            return
        files = [job.file for split in splits for job in split.jobs]
        assert len(files) >= 3  # those without a row or a file are rejects
        for split in splits:
            for job in split.jobs:
                result_or_line(job.load)
                assert_one_line(job.file)
