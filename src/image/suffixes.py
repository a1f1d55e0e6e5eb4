"""Which files are pictures by their suffix: those read here, those that look like pictures but are not; and videos."""

import os
from importlib.util import find_spec
from typing import Final

from PIL import features

HEIF_PACKAGE: Final = "pillow-heif"
"""The optional package that reads HEIC and HEIF, by the name under which pip installs it."""
HAS_HEIF: Final = find_spec("pillow_heif") is not None
"""Whether that package is installed."""

_ALWAYS = ".apng .bmp .dib .gif .jfif .jif .jpe .jpeg .jpg .mpo .pbm .pgm .pjp .pjpeg .png .pnm .ppm .tif .tiff .webp"
_JPEG2000 = ".j2c .j2k .jp2 .jpc .jpf .jpx"
_AVIF = ".avif"
_HEIF = ".heic .heif .hif"
_CAMERAS = (  # raw files
    ".3fr .ari .arw .bay .cap .cr2 .cr3 .crw .dcr .dng .erf .fff .gpr .iiq .k25 .kdc .mdc .mef .mos .mrw .nef .nrw "
    ".orf .pef .ptx .raf .raw .rw2 .rwl .sr2 .srf .srw .x3f"
)
_EDITORS = ".ai .eps .kra .psb .psd .svg .svgz .xcf"
_OTHERS = (
    ".avifs .dcm .dds .exr .fits .hdr .heics .heifs .icns .ico .j2p .jls .jng .jp3 .jph .jpm .jxl .jxr .pam .pcx .pfm "
    ".pict .qoi .ras .rgbe .sgi .tga .wdp .xbm .xpm"
)

_VIDEOS = ".3g2 .3gp .asf .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .qt .vob .webm .wmv"
VIDEOS: Final = frozenset(_VIDEOS.split())
"""The suffixes of videos; .ts is left out, which is a program's more often."""

NOT_READ: Final = "a kind that is not read"
"""How the reject reason of a file begins that looks like a picture but is of no kind that is read here."""


def _split() -> tuple[frozenset[str], frozenset[str]]:
    groups = ((_JPEG2000, features.check("jpg_2000")), (_AVIF, features.check("avif")), (_HEIF, HAS_HEIF))
    read = [_ALWAYS, *(group for group, here in groups if here)]
    unread = [_CAMERAS, _EDITORS, _OTHERS, *(group for group, here in groups if not here)]
    return frozenset(" ".join(read).split()), frozenset(" ".join(unread).split())


SUFFIXES, UNREAD = _split()
"""The suffixes of pictures that are read here, and of what looks like a picture but is not: lower case, with the dot.

Which of the two has AVIF, JPEG 2000 and HEIC depends on what is installed.
"""


def how_to_read(suffix: str) -> str:
    """What makes files of an unread suffix readable, for a message; "" where only another format helps."""
    return f"pip install {HEIF_PACKAGE}" if suffix.lower() in _HEIF.split() and not HAS_HEIF else ""


def not_read(name: str) -> str:
    """Why a file that looks like a picture is not read; "" for any other file."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - a name, asked for every file
    if suffix not in UNREAD:
        return ""
    return f"{NOT_READ} ({suffix}): {how_to_read(suffix) or 'save it as PNG or JPEG'}"
