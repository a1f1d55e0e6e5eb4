"""PNG files that Pillow refuses for the sake of a chunk that the pixels do not need."""

import zlib
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_TEXTS: Final = (b"tEXt", b"zTXt", b"iTXt")
# Of the rest, `acTL` says that a picture is animated, and `eXIf` how it is turned.
_NEEDED: Final = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT"}
_TURN: Final = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")  # texts that may say how a picture is turned
_LIMIT: Final = 1 << 20  # bytes; Pillow's own for a text and a colour profile


def needed_chunks(data: bytes) -> tuple[bytes, bool]:
    """A PNG without the chunks that its pixels, colours and orientation do not need.

    Long texts, other kinds of chunks, and optional ones that are damaged are left out.

    Returns:
        The file, `data` itself if there is nothing to leave out; and whether a colour profile was left out.
    """
    kept, at, lost = [SIGNATURE], len(SIGNATURE), False
    while at + 8 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        chunk = data[at:end]
        if end > len(data) or _is_kept(chunk):
            kept.append(chunk)
        elif chunk[4:8] == b"iCCP":
            lost = True
        at = end
    whole = b"".join(kept)
    return (data, False) if len(whole) == len(data) else (whole, lost)


def _is_kept(chunk: bytes) -> bool:
    kind, content = chunk[4:8], chunk[8:-4]
    if kind == b"iCCP":
        return _is_sound(chunk) and _is_short(kind, content)
    if kind in _TEXTS:
        return content.startswith(_TURN) and _is_sound(chunk) and _is_short(kind, content)
    return kind in _NEEDED and (kind[0] < ord("a") or _is_sound(chunk))


def _is_sound(chunk: bytes) -> bool:
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])


def _is_short(kind: bytes, content: bytes) -> bool:
    """Whether a text or a profile is within Pillow's limit when it is decompressed."""
    rest = content.partition(b"\0")[2]
    if kind == b"tEXt" or (kind == b"iTXt" and rest.startswith(b"\0")):
        return len(content) <= _LIMIT
    if kind == b"iTXt":
        packed = rest[2:].split(b"\0", 2)[-1]  # behind the language and the translated keyword
    elif rest.startswith(b"\0"):
        packed = rest[1:]
    else:
        return False
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(packed, _LIMIT)
    except zlib.error:
        return False
    return not unpacker.unconsumed_tail
