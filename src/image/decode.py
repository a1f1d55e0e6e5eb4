"""Decoding of picture files to RGB, with an error that says why a file cannot be decoded."""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from src.system.errors import BadFace

MAX_PIXELS = 89_478_485  # Pillow's own limit, above which it warns: 256 MiB of RGB


def read_image(path: Path) -> NDArray[np.uint8]:
    """A picture as (H, W, 3) uint8 RGB; see `decode_image`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadFace(str(path), f"cannot be read: {error.strerror}") from None
    return decode_image(data, str(path))


def decode_image(data: bytes, file: str) -> NDArray[np.uint8]:
    """The picture in a file's bytes, turned upright by its EXIF orientation, (H, W, 3) uint8 RGB.

    Grey, palette and CMYK pictures are converted to RGB, 16 bits scaled to 8, transparent pixels blended with black.

    Args:
        data: the whole file.
        file: its name, for the error.

    Raises:
        BadFace: the file is empty, no picture, cut short, animated, over 89 megapixels, or of unknown pixel range.
    """
    if not data:
        raise BadFace(file, "empty file (0 bytes)")
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # some libraries switch Pillow's tolerant mode on for the whole process
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about damaged EXIF and the like; the size is checked below
            with Image.open(BytesIO(data)) as opened:
                return _pixels(opened, file)
    except (BadFace, MemoryError):
        raise
    except UnidentifiedImageError:
        raise BadFace(file, "not a picture, or cut off in its header") from None
    except Image.DecompressionBombError:
        raise BadFace(file, f"more than {MAX_PIXELS:,} pixels: a decompression bomb?") from None
    except Exception as error:  # Pillow's decoders raise a dozen types for damaged data
        raise BadFace(file, f"damaged or cut short: {error or type(error).__name__}") from None


def _pixels(image: Image.Image, file: str) -> NDArray[np.uint8]:
    if image.width * image.height > MAX_PIXELS:
        raise BadFace(file, f"{image.width}x{image.height}: more than {MAX_PIXELS:,} pixels, a decompression bomb?")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # MPO: a camera's JPEG followed by a preview or a second view
        raise BadFace(file, f"animated image: {frames} frames")
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16") or (upright.mode == "I" and image.format in ("PNG", "PPM")):
        upright = _from_16_bit(upright, file)  # Pillow opens a 16-bit PNG or PGM as either
    elif upright.mode in ("I", "F"):
        raise BadFace(file, "32-bit pixels of unknown range: save it with 8 or 16 bits")
    if upright.has_transparency_data:
        rgba = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", rgba.size, "black"), rgba)
    return np.array(upright.convert("RGB"))


def _from_16_bit(image: Image.Image, file: str) -> Image.Image:
    """A 16-bit grey image scaled to 8 bits; Pillow's own `convert` would clip it at 255."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise BadFace(file, "pixels of more than 16 bits and unknown range: save it with 8 bits")
    return Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))
