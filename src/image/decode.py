"""Decoding of picture files to RGB, with an error that says why a file cannot be decoded."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from src.image import jpeg_end
from src.image.colour import Fault, pixels_to_srgb, profile_of, to_srgb
from src.image.large import LARGE, array_of, large_jpeg
from src.image.orientation import UPRIGHT, keep_orientation_alone, orientation, upright
from src.image.png_chunks import SIGNATURE, needed_chunks
from src.image.suffixes import HAS_HEIF, HEIF_PACKAGE
from src.image.tiff_tags import needed_tags
from src.system.errors import BadFace

MAX_PIXELS: Final = 89_478_485
"""Pillow's own limit, above which it warns: 256 MiB of RGB."""
_HEIF_BRANDS: Final = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


class Reading(NamedTuple):
    """How a file is read.

    Attributes:
        file: its name, for messages.
        max_pixels: more are taken for a decompression bomb.
        key: what a person types before a number to raise that limit.
        say: takes a remark on a picture that is read all the same: a profile that is ignored.
    """

    file: str
    max_pixels: int = MAX_PIXELS
    key: str = "source.max_pixels="
    say: Callable[[str], None] | None = None

    def too_large(self, width: int, height: int) -> BadFace:
        """The error for a picture of this size."""
        pixels = width * height
        return BadFace(
            self.file,
            f"{width}x{height}: more than {self.max_pixels:,} pixels, a decompression bomb? "
            f"If not, {self.key}{pixels} reads it",
        )


def read_image(path: Path, max_pixels: int = MAX_PIXELS, say: Callable[[str], None] | None = None) -> NDArray[np.uint8]:
    """A picture that is named on the command line as (H, W, 3) uint8 RGB; see `decode`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadFace(str(path), f"cannot be read: {error.strerror}") from None
    return decode(data, Reading(str(path), max_pixels, "--max-pixels ", say))


def decode(data: bytes, reading: Reading) -> NDArray[np.uint8]:
    """The picture in a file's bytes, turned upright by its EXIF orientation, (H, W, 3) uint8 in sRGB.

    Colours are converted from the embedded profile, or from Adobe RGB where the EXIF names it. Grey, palette, CMYK and
    L*a*b* pictures become RGB, 16 bits are scaled to 8, transparent pixels are blended with black. A turned picture of
    over 48 megapixels is a view of its stored pixels.

    Args:
        data: the whole file.
        reading: its name and limit, and who hears about an ignored profile.

    Raises:
        BadFace: the file is empty, no picture, cut short, animated, over the limit, or of unknown pixel range.
    """
    file = reading.file
    if not data:
        raise BadFace(file, "empty file (0 bytes)")
    try:
        with _pillow_set_up(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about damaged EXIF and the like; the size is checked below
            if jpeg_end.lacks_end(data):
                return _without_end(data, reading)
            try:
                return _pixels(data, reading)
            except (BadFace, MemoryError):
                raise
            except Exception:
                # Something that the pixels do not need may be what Pillow refuses.
                needed, lost = needed_chunks(data) if data.startswith(SIGNATURE) else (needed_tags(data), False)
                if needed is data:
                    raise
                return _pixels(needed, reading, Fault("damaged or too large") if lost else None)
    except (BadFace, MemoryError):
        raise
    except UnidentifiedImageError:
        if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS and not HAS_HEIF:
            raise BadFace(file, f"a HEIC picture, which needs a package: pip install {HEIF_PACKAGE}") from None
        raise BadFace(file, "not a picture, or cut off in its header") from None
    except Exception as error:  # Pillow's decoders raise a dozen types for damaged data
        raise BadFace(file, f"damaged or cut short: {error or type(error).__name__}") from None


def decode_opened(image: Image.Image, file: str = "picture") -> NDArray[np.uint8]:
    """The same of a Pillow picture, which stays as it is: upright, (H, W, 3) uint8 in sRGB.

    Raises:
        BadFace: the picture is animated, cannot be loaded, or is of unknown pixel range.
    """
    try:
        if getattr(image, "n_frames", 1) > 1 and image.format not in ("MPO", "HEIF"):
            raise BadFace(file, f"animated image: {getattr(image, 'n_frames', 1)} frames")
        turn, profile = (UPRIGHT if image.format == "TIFF" else orientation(image)), profile_of(image)
        return np.ascontiguousarray(upright(array_of(_rgb(image.copy(), profile, file)[0]), turn))
    except BadFace:
        raise
    except Exception as error:  # Pillow's decoders raise a dozen types for damaged data
        raise BadFace(file, f"damaged or cut short: {error or type(error).__name__}") from None


@contextmanager
def _pillow_set_up() -> Iterator[None]:
    """Pillow's switches for the whole process: other libraries switch its tolerant mode on, and keep its limit."""
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # `_check` knows the limit
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


@cache
def _register_heif() -> None:
    """Have Pillow open HEIC files by the optional package."""
    from importlib import import_module

    import_module("pillow_heif").register_heif_opener()


def _without_end(data: bytes, reading: Reading) -> NDArray[np.uint8]:
    """The picture of a JPEG without an end, if that is all it lacks."""
    ends = jpeg_end.completed(data)
    if ends is not None:
        pixels = _pixels(ends[0], reading)
        if all(np.array_equal(pixels, _pixels(end, reading._replace(say=None))) for end in ends[1:]):
            return pixels
    raise BadFace(reading.file, "damaged or cut short: a part of the picture is missing at the end of this JPEG")


def _pixels(data: bytes, reading: Reading, fault: Fault | None = None) -> NDArray[np.uint8]:
    """The upright pixels (H, W, 3) in sRGB; `fault`: why the profile is missing, if that is known."""
    if HAS_HEIF and data[4:8] == b"ftyp":
        _register_heif()
    with Image.open(BytesIO(data)) as image:
        _check(image, reading)
        turn, profile = orientation(image), fault or profile_of(image)
        pixels = large_jpeg(data, image)
        if pixels is not None:
            ignored = pixels_to_srgb(pixels, profile)
        else:
            if image.format == "TIFF":  # Pillow turns it
                keep_orientation_alone(image)
                turn = UPRIGHT
            image.load()
            shown, ignored = _rgb(image, profile, reading.file)
            pixels = array_of(shown)
    if ignored is not None and reading.say is not None:
        reading.say(f"colour profile ignored: {ignored.text}")
    if turn == UPRIGHT:
        return pixels
    turned = upright(pixels, turn)
    return turned if turned.size > 3 * LARGE else np.ascontiguousarray(turned)


def _check(image: Image.Image, reading: Reading) -> None:
    if image.width * image.height > reading.max_pixels:
        raise reading.too_large(image.width, image.height)
    frames = getattr(image, "n_frames", 1)
    # MPO: a camera's JPEG followed by a preview or a second view; HEIF: a phone's, likewise.
    if frames > 1 and image.format not in ("MPO", "HEIF"):
        raise BadFace(reading.file, f"animated image: {frames} frames")


def _rgb(image: Image.Image, profile: bytes | Fault | None, file: str) -> tuple[Image.Image, Fault | None]:
    """A loaded picture as RGB in sRGB, and why its profile was ignored if it was; `image` may change."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        image = _16_bit(image, file)  # Pillow opens a 16-bit PNG or PGM as either
    elif image.mode in ("I", "F"):
        raise BadFace(file, "32-bit pixels of unknown range: save it with 8 or 16 bits")
    elif image.mode == "1":
        image = image.convert("L")
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        image = image.convert("LA" if image.mode in ("L", "La") else "RGBA")
    elif image.mode not in ("L", "LA", "I;16", "RGB", "RGBA", "CMYK", "LAB"):
        image = image.convert("RGB")
    image, ignored = to_srgb(image, profile)
    if image.mode == "I;16":
        image = Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8))
    if image.mode in ("LA", "RGBA"):
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "black"), rgba)
    return (image if image.mode == "RGB" else image.convert("RGB")), ignored


def _16_bit(image: Image.Image, file: str) -> Image.Image:
    """A 16-bit grey image as mode I;16, whatever Pillow made of it; its own `convert` would clip it at 255."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise BadFace(file, "pixels of more than 16 bits and unknown range: save it with 8 bits")
    return Image.fromarray(values.astype(np.uint16))
