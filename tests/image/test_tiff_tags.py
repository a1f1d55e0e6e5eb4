import struct

import numpy as np
import pytest

from src.image.tiff_tags import needed_tags
from tests.helpers.decoded import decode_image
from tests.helpers.drawn_faces import noise_picture

WIDTH, HEIGHT = 14, 9


def tiff(order: str, *more: tuple[int, int, int, bytes]) -> bytes:
    """An uncompressed TIFF with more tags: number, type, count and a value of up to 4 bytes."""
    pixels = noise_picture(WIDTH, HEIGHT).tobytes()
    short, long = (lambda value: struct.pack(order + "H", value)), (lambda value: struct.pack(order + "I", value))
    count = 10 + len(more)
    place = 8 + 2 + 12 * count + 4
    tags = [
        (256, 3, 1, short(WIDTH)), (257, 3, 1, short(HEIGHT)), (258, 3, 3, long(place)), (259, 3, 1, short(1)),
        (262, 3, 1, short(2)), (273, 4, 1, long(place + 6)), (274, 3, 1, short(6)), (277, 3, 1, short(3)),
        (278, 3, 1, short(HEIGHT)), (279, 4, 1, long(len(pixels))), *more,
    ]  # fmt: skip
    body = b"".join(
        struct.pack(order + "HHI", tag, kind, number) + value.ljust(4, b"\0")
        for tag, kind, number, value in sorted(tags)
    )
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + long(8) + short(count) + body + bytes(4) + 3 * short(8) + pixels


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [1, 2, 7, 9, 11, 99])
@pytest.mark.parametrize("tag", [282, 296, 700, 270, 34665])
def test_a_tag_of_the_wrong_kind_breaks_no_tiff(tag: int, kind: int, order: str) -> None:
    more = [(tag, kind, 1, b"7")]
    if tag == 282:
        more += [(283, 2, 4, b"72\0\0"), (296, 3, 1, struct.pack(order + "H", 3))]
    decoded = decode_image(tiff(order, *more), "a")
    assert np.array_equal(decoded, np.rot90(noise_picture(WIDTH, HEIGHT), -1))


def test_what_is_no_tiff_stays_as_it_is() -> None:
    for data in (b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"\x89PNG1234", tiff("<")):
        assert needed_tags(data) is data
