import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from src.image.orientation import TAG, orientation_of, upright
from tests.helpers.drawn_faces import noise_picture


def encoded(kind: str, **options: object) -> bytes:
    data = BytesIO()
    Image.new("RGB", (16, 8)).save(data, kind, **options)
    return data.getvalue()


def exif_of(kind: int, count: int, value: bytes) -> bytes:
    """An EXIF with the orientation alone, little-endian, of any TIFF type; a value of over 4 bytes lies behind it."""
    place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", 26)
    entry = struct.pack("<HHI", TAG, kind, count) + place
    return b"Exif\0\0II*\0\x08\0\0\0\1\0" + entry + bytes(4) + (value if len(value) > 4 else b"")


@pytest.mark.parametrize("number", range(1, 9))
def test_a_turn_is_the_one_that_viewers_make(number: int) -> None:
    pixels = noise_picture(7, 5)
    picture = Image.fromarray(pixels)
    picture.getexif()[TAG] = number
    shown = ImageOps.exif_transpose(picture)
    assert shown is not None
    assert np.array_equal(upright(pixels, number), np.asarray(shown))


@pytest.mark.parametrize(
    ("kind", "count", "value", "number"),
    [
        (3, 1, struct.pack("<H", 6), 6),
        (4, 1, struct.pack("<I", 6), 6),
        (1, 1, b"\6", 6),
        (7, 2, b"\6\0", 6),
        (2, 2, b"6\0", 6),
        (2, 4, b" 6 \0", 6),
        (3, 2, struct.pack("<HH", 8, 1), 8),
        (5, 1, struct.pack("<II", 6, 1), 6),
        (12, 1, struct.pack("<d", 6.0), 6),
        (5, 1, struct.pack("<II", 13, 2), 1),  # 6.5
        (5, 1, struct.pack("<II", 6, 0), 1),
        (10, 1, struct.pack("<ii", -6, 1), 1),
        (11, 1, struct.pack("<f", float("nan")), 1),
        (2, 4, b"six\0", 1),
        (2, 0, b"", 1),
        (3, 1, struct.pack("<H", 0), 1),
        (3, 1, struct.pack("<H", 9), 1),
        (99, 1, b"\6", 1),
    ],
)
def test_the_orientation_may_be_of_any_kind(kind: int, count: int, value: bytes, number: int) -> None:
    assert orientation_of(encoded("JPEG", exif=exif_of(kind, count, value))) == number


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_format_has_one(kind: str) -> None:
    exif = Image.Exif()
    exif[TAG] = 6
    assert orientation_of(encoded(kind, exif=exif)) == 6


def test_xmp_has_one_too() -> None:
    assert orientation_of(encoded("JPEG", xmp=b'<x:xmpmeta tiff:Orientation="8"/>')) == 8


@pytest.mark.parametrize("data", [b"", b"no picture", encoded("JPEG")[:12]])
def test_what_is_no_picture_has_none(data: bytes) -> None:
    assert orientation_of(data) == 1
