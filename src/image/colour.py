"""Colours of pictures with an ICC profile, or marked as Adobe RGB by their EXIF, converted to sRGB."""

import struct
from functools import cache, lru_cache
from io import BytesIO
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from src.image.large import STRIP

MAX_PROFILE: Final = 4 << 20
"""Bytes; the largest profiles of printers have 3 MB."""
SPACES: Final = {"L": "GRAY", "LA": "GRAY", "I;16": "GRAY", "RGB": "RGB", "RGBA": "RGB", "CMYK": "CMYK", "LAB": "Lab"}
"""A picture's mode -> the colour space of the profiles that fit it."""
# Our choice: of the four intents, this one moves no colour that sRGB can show.
INTENT: Final = ImageCms.Intent.RELATIVE_COLORIMETRIC


class Fault(NamedTuple):
    """Why a profile is ignored."""

    text: str


def profile_of(image: Image.Image) -> bytes | Fault | None:
    """The profile of an opened picture, Adobe RGB's where only the EXIF names that space, a fault, or None."""
    if "icc_profile" in image.info:
        profile = image.info["icc_profile"]
        if profile is None or not isinstance(profile, bytes):  # Pillow could not put it together
            return Fault("damaged")
        if len(profile) > MAX_PROFILE:
            return Fault(f"too large, {len(profile):,} bytes")
        return profile or None
    return adobe_rgb() if image.mode == "RGB" and _marked_as_adobe_rgb(image) else None


def to_srgb(image: Image.Image, profile: bytes | Fault | None) -> tuple[Image.Image, Fault | None]:
    """A picture in sRGB, and why its profile was ignored if it was.

    Args:
        image: of a mode in `SPACES`; it may be changed in place.
        profile: its profile; a LAB picture without one is taken as CIE L*a*b* under D50.

    Returns:
        An RGB, RGBA, L or LA picture; CMYK, and a grey picture of 16 bits, only where they have no usable profile.
    """
    mode = image.mode
    if isinstance(profile, Fault):
        return (image if mode != "LAB" else to_srgb(image, None)[0]), profile
    if mode == "LAB":
        profile = profile or b""
    elif profile is None:
        return image, None
    if SPACES[mode] == "GRAY":
        table = _grey_table(profile, 65536 if mode == "I;16" else 256)
        if isinstance(table, Fault):
            return image, table
        return (image if table is None else _looked_up(image, table)), None
    found = _transform(profile, mode)
    if isinstance(found, Fault):
        return to_srgb(image, found)
    return (image if found is None else _applied(image, found)), None


def pixels_to_srgb(pixels: NDArray[np.uint8], profile: bytes | Fault | None) -> Fault | None:
    """The same for RGB pixels (H, W, 3), in place and in strips, so that a large picture needs no second copy."""
    found = profile if isinstance(profile, Fault) else _transform(profile, "RGB") if profile else None
    if found is None or isinstance(found, Fault):
        return found
    rows = max(1, STRIP // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        strip = pixels[top : top + rows]
        strip[:] = np.asarray(_applied(Image.fromarray(strip), found))
    return None


@cache
def adobe_rgb() -> bytes:
    """A profile of Adobe RGB (1998), from its primaries under D50 and its gamma of 563/256."""
    return matrix_profile(
        ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)), 563 / 256
    )


def matrix_profile(primaries: tuple[tuple[float, float, float], ...], gamma: float) -> bytes:
    """An ICC profile (version 2) of an RGB space.

    Args:
        primaries: XYZ of red, green and blue, adapted to D50.
        gamma: of all three channels.
    """
    white = (0.9642, 1.0, 0.8249)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 4) + b"RGB\0" + bytes(79),
        b"cprt": b"text" + bytes(4) + b"CC0\0",
        b"wtpt": _xyz(white),
        **{name + b"XYZ": _xyz(value) for name, value in zip((b"r", b"g", b"b"), primaries, strict=True)},
        **{name + b"TRC": curve for name in (b"r", b"g", b"b")},
    }
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    return (head + bytes(12) + b"acsp" + bytes(28) + _xyz(white)[8:]).ljust(128, b"\0") + table + body


def _xyz(value: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(part * 65536) for part in value))


def _marked_as_adobe_rgb(image: Image.Image) -> bool:
    """Whether the EXIF says R03: a camera set to Adobe RGB writes that, and often embeds no profile (DCF 2.0)."""
    exif = image.info.get("exif")
    if not isinstance(exif, bytes) or b"R03" not in exif:
        return False
    try:
        return str(image.getexif().get_ifd(ExifTags.IFD.Interop).get(1, "")).strip("\0 ") == "R03"
    except Exception:  # for a damaged EXIF
        return False


@lru_cache(maxsize=64)  # by the profile's bytes: thousands of photographs of one phone have the same
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | Fault | None:
    """The way from a profile to sRGB; None where both are the same, to a level; b"" stands for L*a*b*."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile) if profile else ImageCms.createProfile("LAB"))
    except Exception:
        return Fault("damaged")
    if profile and (space := source.profile.xcolor_space.strip()) != SPACES[mode]:
        same = space == "RGB" and _transform(profile, "RGB") is None  # sRGB's: it says nothing of a grey picture
        return None if same else Fault(f"made for {space} pictures, not for {SPACES[mode]}")
    target = "RGBA" if mode == "RGBA" else "RGB"
    try:
        # LittleCMS puts a coarse table in place of a grey curve, which is wrong in the shadows by 10 levels.
        flags = ImageCms.Flags.NOOPTIMIZE if SPACES[mode] == "GRAY" else ImageCms.Flags.HIGHRESPRECALC
        found = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, target, INTENT, flags)
    except Exception:
        return Fault("damaged")
    if target == mode:
        levels = np.linspace(0, 255, 18).astype(np.uint8)
        colours = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(18, -1, 3)
        probe = Image.fromarray(colours).convert(mode)
        if np.abs(np.asarray(_applied(probe, found))[..., :3].astype(int) - colours).max() <= 1:
            return None
    return found


@lru_cache(maxsize=64)
def _grey_table(profile: bytes, levels: int) -> NDArray[np.uint8] | Fault | None:
    """What each of 256 or 65,536 levels of grey is in sRGB."""
    found = _transform(profile, "L" if levels == 256 else "I;16")
    if not isinstance(found, ImageCms.ImageCmsTransform):
        return found
    ramp = np.arange(levels, dtype=np.uint8 if levels == 256 else np.uint16).reshape(256, -1)
    return np.asarray(_applied(Image.fromarray(ramp), found))[..., 1].ravel()  # grey is grey: green has the most light


def _applied(image: Image.Image, found: ImageCms.ImageCmsTransform) -> Image.Image:
    if image.mode in ("RGB", "RGBA"):
        ImageCms.applyTransform(image, found, inPlace=True)
        return image
    done = ImageCms.applyTransform(image, found)
    assert done is not None
    return done


def _looked_up(image: Image.Image, table: NDArray[np.uint8]) -> Image.Image:
    if image.mode == "LA":
        grey, alpha = image.split()
        return Image.merge("LA", (_looked_up(grey, table), alpha))
    return Image.fromarray(table[np.asarray(image)])
