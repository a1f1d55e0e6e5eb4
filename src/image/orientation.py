"""The EXIF orientation of a picture, read alone and with tolerance, and the turn that it asks for."""

import warnings
from io import BytesIO
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TAG: Final = 0x0112
"""Orientation, in the first directory of the EXIF."""
UPRIGHT: Final = 1
"""The orientation of a picture that is stored as it is shown."""


def orientation_of(data: bytes) -> int:
    """The orientation of the picture in a file's bytes, 1 to 8; 1 if it has none or is no picture.

    Only the file's header is read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(data)) as image:
                return orientation(image)
    except Exception:  # Pillow raises a dozen types for damaged data
        return UPRIGHT


def orientation(image: Image.Image) -> int:
    """The orientation of an opened picture, from its EXIF or else its XMP, 1 to 8; 1 if that is no orientation.

    Cameras and editors write it as a short; a number of any other kind, or as text, counts as well. No other tag is
    looked at.
    """
    try:
        value = image.getexif().get(TAG)
    except Exception:  # for a damaged EXIF
        value = None
    # Pillow stops at the first tag that it cannot read.
    number = _searched(image.info.get("exif")) if value is None else _number(value)
    return int(number) if number in range(1, 9) else UPRIGHT


def keep_orientation_alone(image: Image.Image) -> None:
    """Remove everything but the orientation from an opened picture's EXIF and XMP, so that nothing else can matter.

    Pillow itself turns a TIFF while it decodes it, and reads the other tags then.
    """
    number = orientation(image)
    exif = image.getexif()
    for tag in list(exif):
        del exif[tag]
    exif[TAG] = number
    for key in ("exif", "xmp", "XML:com.adobe.xmp"):
        image.info.pop(key, None)


def upright(pixels: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """The stored pixels (H, W, C) as they are shown, by their orientation: a view, (H, W, C) or (W, H, C)."""
    if number in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if number in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if number in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _searched(exif: Any) -> int:
    """The orientation in a damaged EXIF, if it is stored as a short, as the standard asks."""
    if not isinstance(exif, bytes):
        return UPRIGHT
    exif = exif.removeprefix(b"Exif\0\0")
    order: Literal["little", "big"] = "little" if exif.startswith(b"II") else "big"
    start = int.from_bytes(exif[4:8], order)
    for at in range(start + 2, start + 2 + 12 * int.from_bytes(exif[start : start + 2], order), 12):
        tag, kind = (int.from_bytes(exif[at + shift : at + shift + 2], order) for shift in (0, 2))
        if (tag, kind) == (TAG, 3):
            return int.from_bytes(exif[at + 8 : at + 10], order)
    return UPRIGHT


def _number(value: Any) -> float:
    """A tag's value as a number: the first one of several; 0 if it is none."""
    if isinstance(value, (tuple, list)):
        return _number(value[0]) if value else 0
    if isinstance(value, bytes):
        text = value.strip(b"\0 ")
        return _number(text.decode()) if text.isdigit() else sum(value)  # a byte, or a short as bytes
    if isinstance(value, str):
        value = value.strip("\0 ")
    try:
        return float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return 0
