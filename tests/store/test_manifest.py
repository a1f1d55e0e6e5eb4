from dataclasses import replace
from pathlib import Path

import pytest

from src.store.card import MANIFEST, REJECTED, StoreError
from src.store.manifest import read_manifest, read_rejected, write_header, write_rejected, write_row
from src.store.read import FaceStore
from src.system.errors import BadFace
from tests.helpers.tiny_files import write_store


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("file,identity", "fila,identity", "has the columns"),
        ("001.png,person 1,", "001.png,person 1,x", r"manifest\.csv, line 3: could not convert"),
        ("001.png,person 1,", "001.png,", r"manifest\.csv, line 3: 21 columns expected"),
        ("001.png,person 1,", "001.png,person 1,,", r"manifest\.csv, line 3: 21 columns expected"),
        ("001.png", "\udcff", "manifest.csv is damaged"),
        ("001.png", "x" * 200_000, "manifest.csv is damaged: field larger"),
        ("001.png", '"001.png', "manifest.csv"),
    ],
)
def test_a_damaged_manifest_is_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    store = FaceStore(write_store(tmp_path / "s", 2, margin=0))
    path = store.path / MANIFEST
    text = path.read_text()
    assert old in text
    path.write_bytes(text.replace(old, new).encode(errors="surrogateescape"))
    with pytest.raises(StoreError, match=said) as raised:
        _ = store.manifest
    assert "make it again" in str(raised.value)


def test_a_manifest_of_another_store_is_one_line(tmp_path: Path) -> None:
    store = FaceStore(write_store(tmp_path / "s", 2, margin=0))
    (store.path / MANIFEST).write_bytes((write_store(tmp_path / "t", 3, margin=0) / MANIFEST).read_bytes())
    with pytest.raises(StoreError, match=r"manifest\.csv has 3 rows for 2 faces"):
        _ = store.manifest


def test_rejects_with_any_name_are_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / REJECTED
    write_rejected(path, [("val", BadFace('a\r\n"b",\udcff', "no\nface"))])
    ((split, bad),) = read_rejected(path)
    assert (split, bad.file, bad.reason) == ("val", 'a\\r\\n"b",\\udcff', "no face")
    assert read_rejected(tmp_path / "none.csv") == []


@pytest.mark.parametrize(
    "content", [b"", b"file,split\na,b\n", b"file,split,reason\na,b\n", b"file,split,reason\n\xff,,"]
)
def test_a_damaged_list_of_rejects_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / REJECTED).write_bytes(content)
    with pytest.raises(StoreError, match=r"rejected\.csv"):
        read_rejected(tmp_path / REJECTED)


def test_an_identity_with_line_ends_is_read_back_in_one_line(tmp_path: Path) -> None:
    row = replace(FaceStore(write_store(tmp_path / "s", 1, margin=0)).manifest[0], identity='A\rB\0\n"')
    with (tmp_path / MANIFEST).open("w", newline="") as file:
        write_header(file)
        write_row(file, row)
    (read,) = read_manifest(tmp_path / MANIFEST)
    assert read == replace(row, identity='A\\rB\\x00\\n"')
