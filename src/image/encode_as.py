"""Encoding of a picture made from another: in the other's format, with its transparency and what its EXIF says."""

import warnings
from io import BytesIO
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from src.image.orientation import UPRIGHT, orientation, upright
from src.image.png_chunks import SIGNATURE, needed_chunks
from src.image.tiff_tags import needed_tags

SUFFIX: Final = {"JPEG": ".jpg", "MPO": ".jpg", "HEIF": ".jpg", "WEBP": ".webp", "TIFF": ".tif", "AVIF": ".avif"}
"""A file's format -> the suffix of what is made from it; any other becomes a PNG, which loses nothing.

A phone's HEIC becomes a JPEG: Pillow alone does not write it.
"""
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "quality": 95},
    ".tif": {"format": "TIFF", "compression": "tiff_lzw"},
    ".avif": {"format": "AVIF", "quality": 90},
    ".png": {"format": "PNG", "compress_level": 3},  # 6 takes three times as long for 5 % less
}
SOFTWARE: Final = 305
"""The EXIF tag that names the program which wrote the file."""
KEPT: Final = (270, 271, 272, 306, 315, 33432)
"""EXIF tags that stay true: description, make, model, date, artist, copyright."""
_DETAILS: Final = 34665
_PLACE: Final = 34853
_UNTRUE: Final = (ExifTags.Base.MakerNote, ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight, 40965)


class Origin(NamedTuple):
    """What a picture made from a file takes over from it besides its pixels.

    Attributes:
        suffix: of the new file, with the dot: by the format of the old one.
        alpha: (H, W) uint8, upright; None for an opaque picture.
        exif: what of its EXIF stays true, with the program's name.
    """

    suffix: str
    alpha: NDArray[np.uint8] | None
    exif: Image.Exif


def origin_of(data: bytes, software: str) -> Origin:
    """The origin in a file's bytes, which `decode` has read; what is damaged of it is left out.

    Args:
        data: the file.
        software: the program's name for the EXIF.
    """
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # `decode` knows the limit
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about damaged EXIF and the like
            try:
                return _origin(data, software)
            except Exception:  # `decode` reads a picture whose pixels do not need what is damaged
                needed = needed_chunks(data)[0] if data.startswith(SIGNATURE) else needed_tags(data)
                return _origin(needed, software)
    except Exception:
        exif = Image.Exif()
        exif[SOFTWARE] = software
        return Origin(".png", None, exif)
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _origin(data: bytes, software: str) -> Origin:
    with Image.open(BytesIO(data)) as image:
        exif = _exif(image)
        exif[SOFTWARE] = software
        alpha = None
        if image.has_transparency_data:
            turn = UPRIGHT if image.format == "TIFF" else orientation(image)  # Pillow turns a TIFF
            alpha = np.asarray(image.convert("RGBA").getchannel("A"))
            alpha = None if (alpha == 255).all() else upright(alpha[..., None], turn)[..., 0]
        return Origin(SUFFIX.get(image.format or "", ".png"), alpha, exif)


def _exif(image: Image.Image) -> Image.Exif:
    kept = Image.Exif()
    try:
        found = image.getexif()
        for tag in KEPT:
            if tag in found:
                kept[tag] = found[tag]
        for ifd in (_DETAILS, _PLACE):
            values = {tag: value for tag, value in found.get_ifd(ifd).items() if tag not in _UNTRUE}
            if ifd == _DETAILS and ExifTags.Base.ColorSpace in values:
                values[ExifTags.Base.ColorSpace] = 1  # sRGB
            if values:
                kept.get_ifd(ifd).update(values)
        kept.tobytes()  # raises for a value of no fitting type
    except Exception:  # for a damaged EXIF
        return Image.Exif()
    return kept


def encode_as(pixels: NDArray[np.uint8], origin: Origin, text: tuple[str, str]) -> bytes:
    """A picture in the format of its origin, of the best quality that is of use.

    Args:
        pixels: (H, W, 3) uint8 sRGB, blended with black where the origin is transparent.
        origin: of the same picture, of any size.
        text: a keyword and a text that a PNG holds too, before the pixels.

    Raises:
        OSError: the format does not hold a picture of this size.
    """
    image, options = Image.fromarray(pixels), {**OPTIONS[origin.suffix], "exif": origin.exif.tobytes()}
    if origin.alpha is not None and origin.suffix != ".jpg":
        alpha = np.asarray(
            Image.fromarray(np.ascontiguousarray(origin.alpha)).resize(image.size, Image.Resampling.BICUBIC)
        )
        colours = (pixels * (255.0 / np.maximum(alpha, 1).astype(np.float32)[..., None])).clip(0, 255).round()
        image = Image.fromarray(np.dstack([colours.astype(np.uint8), alpha]))
    if origin.suffix == ".png":
        says = PngInfo()
        says.add(b"sRGB", b"\0")
        says.add_text(*text)
        options["pnginfo"] = says
    file = BytesIO()
    try:
        image.save(file, **options)
    except ValueError as error:  # for sides that WebP has no room for
        raise OSError(str(error)) from None
    return file.getvalue()
