import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from src.image.decode import Reading, decode
from src.image.png_chunks import needed_chunks
from src.system.errors import BadFace
from tests.helpers.decoded import decode_image
from tests.helpers.drawn_faces import noise_picture

LONG = b'{"a": 1}' * 300_000  # 2.4 MB
XMP = b'XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta tiff:Orientation="6"/>'


def png(picture: Image.Image | None = None) -> bytes:
    data = BytesIO()
    (picture or Image.fromarray(noise_picture(20, 10))).save(data, "PNG")
    return data.getvalue()


def chunk(kind: bytes, content: bytes, damaged: bool = False) -> bytes:
    checksum = zlib.crc32(kind + content) ^ damaged
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def put_in(data: bytes, *chunks: bytes, behind: bool = False) -> bytes:
    at = len(data) - 12 if behind else 33  # before IEND, or behind IHDR
    return data[:at] + b"".join(chunks) + data[at:]


BAD = {
    "a long text": chunk(b"tEXt", b"workflow\0" + LONG),
    "a compressed one": chunk(b"zTXt", b"workflow\0\0" + zlib.compress(LONG)),
    "an international one": chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(LONG)),
    "many texts": b"".join(chunk(b"tEXt", b"x\0" + bytes(900_000)) for _ in range(80)),
    "a damaged text": chunk(b"tEXt", b"a\0b", damaged=True),
    "a profile of an unknown method": chunk(b"iCCP", b"x\0\7abc"),
}


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("name", BAD)
def test_what_the_pixels_do_not_need_breaks_no_picture(name: str, behind: bool) -> None:
    if "profile" in name and behind:
        pytest.skip("a profile stands before the pixels")
    assert np.array_equal(decode_image(put_in(png(), BAD[name], behind=behind), "a"), noise_picture(20, 10))


def test_the_turn_outlives_a_long_text() -> None:
    turned = decode_image(put_in(png(), BAD["a compressed one"], chunk(b"iTXt", XMP)), "a")
    assert np.array_equal(turned, np.rot90(noise_picture(20, 10), -1))


def test_a_profile_that_is_left_out_is_said() -> None:
    said = list[str]()
    large = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(2_000_000)))
    decode(put_in(png(), large), Reading("a", say=said.append))
    assert said == ["colour profile ignored: damaged or too large"]


def test_what_pixels_need_stays() -> None:
    palette = Image.fromarray(noise_picture(20, 10)).quantize(7)
    palette.info["transparency"] = 3
    data = png(palette)
    assert needed_chunks(data) == (data, False)
    assert np.array_equal(decode_image(put_in(data, BAD["a long text"]), "a"), decode_image(data, "a"))


@pytest.mark.parametrize("stop", [-200, -40, 60])
def test_a_png_that_is_cut_short_stays_a_reject(stop: int) -> None:
    with pytest.raises(BadFace, match=r"a: (damaged or cut short|not a picture)"):
        decode_image(put_in(png(), BAD["a long text"])[:stop], "a")
