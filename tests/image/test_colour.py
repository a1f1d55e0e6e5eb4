from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from src.image import colour
from src.image.colour import MAX_PROFILE, pixels_to_srgb
from src.image.decode import Reading, decode
from tests.helpers.decoded import decode_image
from tests.helpers.drawn_faces import noise_picture
from tests.helpers.profiles import WIDE, encoded, grey_profile, in_srgb, ink_profile, wide_profile

COLOURS = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), -1).reshape(18, -1, 3).astype(np.uint8)
RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def file_of(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    data = BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def off(found: NDArray[np.uint8], right: NDArray[np.float64]) -> float:
    return float(np.abs(found - right).max())


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("name", WIDE)
def test_wide_colours_become_srgb(name: str, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    data = file_of(Image.fromarray(COLOURS), kind, icc_profile=wide_profile(name), **options)
    assert off(decode_image(data, "a"), in_srgb(COLOURS, name)) <= 2
    assert off(COLOURS, in_srgb(COLOURS, name)) > 25


@pytest.mark.parametrize("name", WIDE)
def test_wide_colours_of_a_jpeg(name: str) -> None:
    skin = np.full((16, 16, 3), (214, 170, 140), np.uint8)
    data = file_of(Image.fromarray(skin), "JPEG", quality=98, subsampling=0, icc_profile=wide_profile(name))
    assert off(decode_image(data, "a"), in_srgb(skin, name)) <= 6


def test_palettes_and_transparency_have_profiles_too() -> None:
    name = "Adobe RGB"
    red = np.full((8, 8, 3), (200, 60, 70), np.uint8)
    right = in_srgb(red, name)
    palette = Image.fromarray(red).quantize(2)
    assert off(decode_image(file_of(palette, icc_profile=wide_profile(name)), "a"), right) <= 2
    half = Image.fromarray(red)
    half.putalpha(128)
    blended = decode_image(file_of(half, icc_profile=wide_profile(name)), "a")
    assert off(blended, right * 128 / 255) <= 2


def test_grey_of_8_and_16_bits() -> None:
    right = np.repeat(encoded((RAMP / 255) ** 1.0)[..., None], 3, 2)
    linear = grey_profile(1.0)
    assert off(decode_image(file_of(Image.fromarray(RAMP), icc_profile=linear), "a"), right) <= 2
    deep = Image.fromarray(RAMP.astype(np.uint16) * 257)
    assert off(decode_image(file_of(deep, icc_profile=linear), "a"), right) <= 2
    dark = Image.fromarray(np.full((4, 4), 100, np.uint16))  # would be 0 if it were reduced to 8 bits first
    assert off(decode_image(file_of(dark, icc_profile=linear), "a"), encoded(np.array(100 / 65535))) <= 1
    opaque = Image.merge("LA", (Image.fromarray(RAMP), Image.new("L", (16, 16), 255)))
    assert off(decode_image(file_of(opaque, icc_profile=linear), "a"), right) <= 2


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_ink(kind: str) -> None:
    black = Image.new("CMYK", (16, 16), (0, 0, 0, 128))
    options = {"quality": 98} if kind == "JPEG" else {}
    decoded = decode_image(file_of(black, kind, icc_profile=ink_profile(), **options), "a")
    lightness = 100 * (1 - 128 / 255)
    assert off(decoded, encoded(np.array(((lightness + 16) / 116) ** 3))) <= 2


def test_lab_with_a_profile_and_without() -> None:
    lab = Image.new("LAB", (8, 8), (138, 166, 174))  # (200, 100, 50) in sRGB
    for options in ({}, {"icc_profile": b""}, {"icc_profile": b"broken" * 40}):
        assert off(decode_image(file_of(lab, "TIFF", **options), "a"), np.array([200.0, 100, 50])) <= 2


def test_srgb_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise_picture(40, 30)
    data = file_of(Image.fromarray(pixels), icc_profile=SRGB)
    decode_image(data, "a")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("nothing is built or applied twice")

    for name in ("applyTransform", "buildTransform", "ImageCmsProfile"):
        monkeypatch.setattr(colour.ImageCms, name, never)
    assert np.array_equal(decode_image(data, "a"), pixels)


def test_a_profile_is_opened_once_for_all_its_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = wide_profile("ProPhoto")
    first = decode_image(file_of(Image.fromarray(COLOURS), icc_profile=profile), "a")
    monkeypatch.delattr(colour.ImageCms, "buildTransform")
    assert np.array_equal(decode_image(file_of(Image.fromarray(COLOURS), icc_profile=profile), "b"), first)


BROKEN = {
    "noise": (b"no profile" * 40, "colour profile ignored: damaged"),
    "cut short": (wide_profile("Adobe RGB")[:200], "colour profile ignored: damaged"),
    "of ink": (ink_profile(), "colour profile ignored: made for CMYK pictures, not for RGB"),
    "of grey": (grey_profile(1.0), "colour profile ignored: made for GRAY pictures, not for RGB"),
    "too large": (wide_profile("Adobe RGB") + bytes(MAX_PROFILE), "colour profile ignored: too large, 4,194,7"),
}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_profile_that_cannot_be_right_is_ignored_with_a_word(name: str, kind: str) -> None:
    profile, text = BROKEN[name]
    picture, said = Image.fromarray(COLOURS), list[str]()
    plain = decode_image(file_of(picture, kind), "a")
    decoded = decode(file_of(picture, kind, icc_profile=profile), Reading("a", say=said.append))
    assert np.array_equal(decoded, plain)
    assert len(said) == 1
    assert said[0].startswith(
        "colour profile ignored: damaged or too large" if "large" in name and kind == "PNG" else text
    )


def test_a_part_of_a_profile_is_missing() -> None:
    data = file_of(Image.fromarray(COLOURS), "JPEG", icc_profile=wide_profile("Adobe RGB"))
    said = list[str]()
    at = data.index(b"ICC_PROFILE\0") + 12
    decode(data[:at] + b"\1\2" + data[at + 2 :], Reading("a", say=said.append))  # part 1 of 2
    assert said == ["colour profile ignored: damaged"]


def test_a_grey_picture_with_the_profile_of_srgb_needs_no_word() -> None:
    said = list[str]()
    data = file_of(Image.fromarray(RAMP), icc_profile=SRGB)
    assert np.array_equal(decode(data, Reading("a", say=said.append))[..., 0], RAMP)
    decode(file_of(Image.fromarray(RAMP), icc_profile=wide_profile("ProPhoto")), Reading("a", say=said.append))
    assert said == ["colour profile ignored: made for RGB pictures, not for GRAY"]


def test_a_camera_set_to_adobe_rgb_says_so_in_its_exif_alone() -> None:
    def exif_with(index: str) -> Image.Exif:
        exif = Image.Exif()
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.IFD.Interop] = {1: index}
        return exif

    skin = np.full((16, 16, 3), (214, 170, 140), np.uint8)
    for index, right in (("R03", in_srgb(skin, "Adobe RGB")), ("R98", skin.astype(float))):
        data = file_of(Image.fromarray(skin), "JPEG", quality=98, subsampling=0, exif=exif_with(index))
        assert off(decode_image(data, "a"), right) <= 3
    data = file_of(Image.fromarray(skin), "JPEG", quality=98, subsampling=0, exif=exif_with("R03"), icc_profile=SRGB)
    assert off(decode_image(data, "a"), skin.astype(float)) <= 3  # the profile counts


def test_strips_of_an_array_are_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(colour, "STRIP", 700)
    pixels = COLOURS.copy()
    assert pixels_to_srgb(pixels, wide_profile("ProPhoto")) is None
    assert off(pixels, in_srgb(COLOURS, "ProPhoto")) <= 2
    assert pixels_to_srgb(pixels, b"broken" * 40) == ("damaged",)
