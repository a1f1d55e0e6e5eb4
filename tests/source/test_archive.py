import os
import pickle
import struct
import zipfile
from multiprocessing import get_context
from pathlib import Path

import pytest

from src.source import archive
from src.source.archive import ZipPicture, list_zip
from src.source.photograph import PhotoJob
from src.system.errors import BadFace, UserError
from tests.helpers.celeba_files import write_zip

FILES = {"img/a.jpg": b"first" * 100, "img/b.jpg": b"second" * 100}


def refusal(path: Path, member: str) -> str:
    with pytest.raises(BadFace) as caught:
        ZipPicture(path, member, 0).read()
    assert caught.value.file == member
    return caught.value.reason


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_are_read_where_they_lie(tmp_path: Path, compression: int) -> None:
    path = write_zip(tmp_path / "x.zip", FILES, compression)
    listing = list_zip(path)
    assert listing.sizes == {"img/a.jpg": 500, "img/b.jpg": 600}
    assert (listing.problems, listing.unsafe) == ({}, {})
    pictures = [ZipPicture(path, member, size) for member, size in listing.sizes.items()]
    assert [picture.read() for picture in pickle.loads(pickle.dumps(pictures))] == list(FILES.values())
    assert list(tmp_path.iterdir()) == [path]


def test_a_forked_process_reads_on_its_own(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", FILES)
    pictures = [ZipPicture(path, member, 0) for member in FILES] * 50
    pictures[0].read()
    with get_context("fork").Pool(2) as pool:
        assert pool.map(ZipPicture.read, pictures, chunksize=5) == [*FILES.values()] * 50


def test_an_archive_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", FILES)
    assert len(list_zip(path).sizes) == 2
    write_zip(path, {"img/a.jpg": b"other"})
    assert ZipPicture(path, "img/a.jpg", 5).read() == b"other"
    path.unlink()
    with pytest.raises(UserError, match=r"a\.jpg was there when the source was listed .* the same command resumes"):
        PhotoJob(ZipPicture(path, "img/a.jpg", 5), "a.jpg").load()


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("../img/a.jpg", "it leads out of the folder"),
        ("img/../../a.jpg", "it leads out of the folder"),
        ("/img/a.jpg", "it is absolute"),
        ("C:/img/a.jpg", "it starts with a drive letter"),
        ("img\\a.jpg", "it holds a backslash"),
        ("img/a.jpg\x00.txt", "it holds a control character"),
        ("img/a\n.jpg", "it holds a control character"),
    ],
)
def test_unsafe_names_are_refused_and_shadow_nothing(tmp_path: Path, member: str, reason: str) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("img/a.jpg", FILES["img/a.jpg"])
        info = zipfile.ZipInfo("img/placeholder")
        info.filename = member  # the constructor would cut it at a NUL byte
        file.writestr(info, b"evil")
    listing = list_zip(path)
    assert listing.sizes == {"img/a.jpg": 500}
    (name,) = listing.unsafe
    assert name.isprintable()
    assert reason in listing.unsafe[name]
    assert ZipPicture(path, "img/a.jpg", 500).read() == FILES["img/a.jpg"]
    assert refusal(path, member) == "no such file in x.zip"


def test_two_members_of_one_name_are_both_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.jpg", b"one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("a.jpg", b"two")
    assert list_zip(path).sizes == {}
    assert refusal(path, "a.jpg") == "ambiguous in the archive: 2 members have this name"


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    path = write_zip(tmp_path / "x.zip", {"bomb.jpg": bytes(10**6), "ok.jpg": bytes(1000)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2000
    assert list_zip(path).sizes == {"ok.jpg": 1000}
    assert refusal(path, "bomb.jpg").startswith("too large in the archive: 1,000,000 bytes unpacked")


def test_a_bomb_that_lies_about_its_size_stops_there(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"bomb.jpg": bytes(10**6)}, zipfile.ZIP_DEFLATED)
    data = path.read_bytes()
    size = struct.pack("<I", 10**6)
    assert data.count(size) == 2
    path.write_bytes(data.replace(size, struct.pack("<I", 500)))
    assert list_zip(path).sizes == {"bomb.jpg": 500}
    assert refusal(path, "bomb.jpg").startswith("damaged in x.zip: Bad CRC-32")


def test_encrypted_and_oddly_packed_members(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"a.jpg": b"x" * 99})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    assert list_zip(path).sizes == {}
    assert refusal(path, "a.jpg").startswith("encrypted in the archive")
    write_zip(path, {"a.jpg": b"x" * 99}, zipfile.ZIP_BZIP2)
    assert refusal(path, "a.jpg") == "packed by method 12: only stored and deflated are read"


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damage_spares_the_other_members(tmp_path: Path, compression: int) -> None:
    files = {"a.jpg": os.urandom(500), "b.jpg": os.urandom(500)}
    path = write_zip(tmp_path / "x.zip", files, compression)
    data = bytearray(path.read_bytes())
    at = data.index(files["b.jpg"][100:120])
    data[at : at + 200] = bytes(200)
    path.write_bytes(data)
    assert ZipPicture(path, "a.jpg", 500).read() == files["a.jpg"]
    assert refusal(path, "b.jpg").startswith("damaged in x.zip: ")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", r"is not a zip archive \(0 bytes\)"),
        (b"7z\xbc\xaf\x27\x1c", r"is not a zip archive \(6 bytes\)"),
        (b"\n<!DOCTYPE html><title>Google Drive - Quota exceeded", "is a web page, not a zip archive"),
        (None, r"was cut short or is damaged \(\d{3} bytes; File is not a zip file\): download it again"),
    ],
)
def test_what_is_no_zip(tmp_path: Path, data: bytes | None, reason: str) -> None:
    path = write_zip(tmp_path / "x.zip", FILES)
    path.write_bytes(path.read_bytes()[:600] if data is None else data)
    with pytest.raises(UserError, match=rf"x\.zip {reason}") as caught:
        list_zip(path)
    assert "\n" not in str(caught.value)


def test_an_archive_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.zip cannot be read: No such file"):
        list_zip(tmp_path / "none.zip")


@pytest.mark.parametrize("name", ["", "\0", "\0x.jpg"])
def test_a_member_without_a_name_is_unsafe(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.zip").write_bytes(write_zip(tmp_path / "y.zip", FILES).read_bytes())
    with zipfile.ZipFile(tmp_path / "x.zip", "a") as file:
        info = zipfile.ZipInfo("xxxxxx"[: len(name)])
        info.filename = name
        file.writestr(info, b"")
    listing = list_zip(tmp_path / "x.zip")
    assert list(listing.sizes) == list(FILES)
    assert len(listing.unsafe) == 1


def test_a_member_before_the_beginning_is_damaged(tmp_path: Path) -> None:
    """An archive that lost its first bytes, so that the table's places are off."""
    data = write_zip(tmp_path / "x.zip", {"a.jpg": b"first", "b.jpg": b"second"}).read_bytes()
    (tmp_path / "x.zip").write_bytes(data[1:])
    assert list(list_zip(tmp_path / "x.zip").sizes) == ["b.jpg"]
    assert "before the archive itself" in refusal(tmp_path / "x.zip", "a.jpg")


def test_a_member_that_ends_early_is_damaged(tmp_path: Path) -> None:
    """The table says that no bytes are packed, with their checksum, and that five come out."""
    data = bytearray(write_zip(tmp_path / "x.zip", {"a.jpg": b"first"}).read_bytes())
    data[(at := data.rindex(b"PK\1\2") + 16) : at + 8] = bytes(8)
    (tmp_path / "x.zip").write_bytes(data)
    assert refusal(tmp_path / "x.zip", "a.jpg") == "damaged in x.zip: 0 of 5 bytes"
