"""JPEG files that lack their end: whether a picture is whole all the same."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple

START, END, SCAN = b"\xff\xd8", b"\xff\xd9", 0xDA
_FRAMES: Final = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # headers of the frames that libjpeg decodes in blocks of 8x8
_NO_CONTENT: Final = {0x01, *range(0xD0, 0xD9)}
# Within a scan, FF 00 is a byte of data, FF D0 to FF D7 are restart markers, and FF before a marker is padding.
_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_RESTART: Final = re.compile(rb"\xff([\xd0-\xd7])")
_FILL: Final = re.compile(rb"(?:\x00{16,}|\xff{16,})\Z")  # what disks and memory cards hold where nothing was written


class _Segment(NamedTuple):
    marker: int
    content: bytes
    end: int


def lacks_end(data: bytes) -> bool:
    """Whether a file is a JPEG that stops within the data of a scan, without its end marker."""
    if not data.startswith(START) or data.endswith(END):
        return False
    last = None
    for last in _segments(data):
        if last.marker == END[1]:
            return False
    return last is not None and last.marker == SCAN and _MARKER.search(data, last.end) is None


def completed(data: bytes) -> tuple[bytes, bytes] | None:
    """The file with two different ends; None if whole scans are missing.

    A decoder takes what it lacks from the end that it is given. If both files decode to the same picture, then nothing
    was missing: data behind the last block is skipped.
    """
    missing, scan = defaultdict[int, set[int]](set), 0
    for segment in _segments(data):
        content = segment.content
        if segment.marker in _FRAMES and len(content) > 5:
            missing.update({content[at]: set(range(64)) for at in range(6, len(content), 3)})
        if segment.marker == SCAN:
            scan = segment.end
            if len(content) < 4 or len(content) < 2 * content[0] + 4:
                return None
            first, last, precision = content[-3:]
            for at in range(1, 2 * content[0], 2):
                if precision & 15 == 0:  # with all bits of its coefficients
                    missing[content[at]] -= set(range(first, last + 1))
    if any(missing.values()):
        return None
    data = data[: found.start()] if (found := _FILL.search(data, scan)) else data
    if data.endswith(b"\xff"):
        data += b"\0"  # the first byte of the end marker, or of data: to the decoder, it is data now
    restarts = _RESTART.findall(data, scan)
    following = restarts[-1][0] + 1 if restarts else 0
    first_end, second_end = (_ending(seed, following) for seed in (b"1", b"2"))
    return data + first_end, data + second_end


def _ending(seed: bytes, following: int) -> bytes:
    """Random data for the scan, cut by restart markers in the order in which a decoder expects them."""
    parts = [hashlib.shake_128(seed + bytes([part])).digest(256).replace(b"\xff", b"\xfe") for part in range(17)]
    markers = [bytes([0xFF, 0xD0 + (following + part) % 8]) for part in range(16)]
    return parts[0] + b"".join(marker + part for marker, part in zip(markers, parts[1:], strict=True)) + END


def _segments(data: bytes) -> Iterator[_Segment]:
    """The marker segments, each without its marker and length; stops where the file is cut or is no JPEG."""
    at = len(START)
    while at + 1 < len(data):
        if data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == END[1]:
            yield _Segment(marker, b"", at + 2)
            return
        if marker in _NO_CONTENT:
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4])
        end = at + 2 + length
        if length < 2 or end > len(data):
            return
        yield _Segment(marker, data[at + 4 : end], end)
        at = end
        if marker == SCAN:
            found = _MARKER.search(data, end)
            if found is None:
                return
            at = found.start()
