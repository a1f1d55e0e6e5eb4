"""TIFF files that Pillow refuses for the sake of a tag that the pixels do not need."""

import struct
from typing import Final

# Descriptions, software, dates, resolutions, XMP, copyright, IPTC, Photoshop's resources, EXIF, GPS.
_DESCRIBING: Final = {
    *range(269, 273), 282, 283, 285, 296, 305, 306, 315, 316, 700, 33432, 33723, 34377, 34665, 34853,
}  # fmt: skip
_UNKNOWN: Final = b"\0\0"  # a type that no reader knows; the standard asks to skip such a tag


def needed_tags(data: bytes) -> bytes:
    """A TIFF whose first directory has lost the tags that only describe the picture; `data` itself if it has none."""
    if data[:4] not in (b"II*\0", b"MM\0*") or len(data) < 8:
        return data
    order = "<" if data[:1] == b"I" else ">"
    (start,) = struct.unpack(order + "I", data[4:8])
    if start + 2 > len(data):
        return data
    (count,) = struct.unpack_from(order + "H", data, start)
    changed = bytearray(data)
    for at in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        (tag,) = struct.unpack_from(order + "H", data, at)
        if tag in _DESCRIBING:
            changed[at + 2 : at + 4] = _UNKNOWN
    return data if changed == data else bytes(changed)
