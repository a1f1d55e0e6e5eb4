from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from src.image.suffixes import HAS_HEIF, SUFFIXES, UNREAD, how_to_read
from tests.helpers.decoded import decode_image

KINDS = {
    "BMP": ".bmp .dib",
    "PNG": ".png .apng",
    "JPEG": ".jpg .jpeg .jpe .jfif .jif .pjpeg .pjp",
    "PPM": ".ppm .pnm .pgm .pbm",
    "AVIF": ".avif",
    "JPEG2000": ".jp2 .j2k .j2c .jpc .jpf .jpx",
    "TIFF": ".tif .tiff",
    "WEBP": ".webp",
    "GIF": ".gif",
    "MPO": ".mpo",
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_counts_as_read_is_read(kind: str) -> None:
    suffixes = set(KINDS[kind].split())
    if suffixes <= UNREAD:
        pytest.skip(f"this Pillow has no {kind}")
    assert suffixes <= SUFFIXES
    data = BytesIO()
    Image.new("RGB", (16, 8), (200, 100, 50)).save(data, kind)
    assert np.abs(decode_image(data.getvalue(), "a")[4, 8].astype(int) - [200, 100, 50]).max() <= 6


def test_every_suffix_is_in_one_set() -> None:
    assert not SUFFIXES & UNREAD
    assert {suffix for suffixes in KINDS.values() for suffix in suffixes.split()} <= SUFFIXES | UNREAD
    assert {".heic", ".avif", ".jp2"} <= SUFFIXES | UNREAD
    assert {".cr2", ".nef", ".dng", ".psd", ".svg", ".jxl", ".tga"} <= UNREAD
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in SUFFIXES | UNREAD)


def test_the_missing_package_is_named() -> None:
    assert how_to_read(".HEIC") == ("" if HAS_HEIF else "pip install pillow-heif")
    assert how_to_read(".cr2") == ""
