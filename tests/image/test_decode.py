import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from src.image.decode import Reading, decode, read_image
from src.image.suffixes import HAS_HEIF
from src.system.errors import BadFace
from tests.helpers.decoded import decode_image
from tests.helpers.drawn_faces import noise_picture


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_rgb_is_unchanged(tmp_path: Path) -> None:
    pixels = noise_picture(20, 10)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), pixels)


def test_grey_becomes_three_equal_channels() -> None:
    grey = noise_picture(9, 7)[..., 0]
    decoded = decode_image(encoded(Image.fromarray(grey), "PNG"), "a.png")
    assert np.array_equal(decoded, np.repeat(grey[..., None], 3, 2))


def test_cmyk_is_converted() -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    decoded = decode_image(encoded(cyan, "JPEG", quality=95), "a.jpg")
    assert decoded.shape == (16, 16, 3)
    assert np.abs(decoded[8, 8].astype(int) - [0, 255, 255]).max() <= 3


def test_16_bits_are_scaled_not_clipped() -> None:
    values = np.array([[0, 256, 32768, 65535]], np.uint16)
    decoded = decode_image(encoded(Image.fromarray(values), "PNG"), "a.png")
    assert decoded[0, :, 0].tolist() == [0, 1, 128, 255]


def test_transparency_is_laid_on_black() -> None:
    red = Image.new("RGBA", (4, 4), (255, 0, 0, 128))
    assert decode_image(encoded(red, "PNG"), "a.png")[0, 0].tolist() == [128, 0, 0]
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 10, 200, 30])
    assert decode_image(encoded(palette, "PNG"), "a.png")[0, 0].tolist() == [10, 200, 30]
    assert decode_image(encoded(palette, "PNG", transparency=1), "a.png")[0, 0].tolist() == [0, 0, 0]


def test_exif_orientation_turns_the_picture() -> None:
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255  # the left half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise: left becomes top
    decoded = decode_image(encoded(Image.fromarray(pixels), "PNG", exif=exif), "a.png")
    assert decoded.shape == (16, 8, 3)
    assert decoded[:8].min() == 255
    assert decoded[8:].max() == 0


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_truncated_is_rejected_even_in_pillows_tolerant_mode(
    kind: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = encoded(Image.fromarray(noise_picture(64, 64)), kind)
    with pytest.raises(BadFace, match=r"a\.x: (damaged or cut short|not a picture, or cut off)"):
        decode_image(data[: int(len(data) * share)], "a.x")


@pytest.mark.parametrize(("data", "reason"), [(b"", r"empty file \(0 bytes\)"), (b"hello" * 99, "not a picture")])
def test_what_is_no_picture(data: bytes, reason: str) -> None:
    with pytest.raises(BadFace, match=reason) as caught:
        decode_image(data, "x.png")
    assert caught.value.file == "x.png"


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_animated_is_rejected(kind: str) -> None:
    frames = [Image.fromarray(noise_picture(8, 8, seed)) for seed in range(3)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(BadFace, match="animated image: 3 frames"):
        decode_image(data, "a")


def test_a_cameras_two_part_jpeg_is_one_picture() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("white", "black")]
    data = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert decode_image(data, "a.jpg").min() >= 250


def test_decompression_bomb() -> None:
    data, before = encoded(Image.new("RGB", (10, 10)), "PNG"), Image.MAX_IMAGE_PIXELS
    for limit in (99, 60, 40):
        with pytest.raises(BadFace, match=r"a\.png: 10x10: more than \d\d pixels, .*source\.max_pixels=100 reads it"):
            decode(data, Reading("a.png", limit))
    assert decode(data, Reading("a.png", 100)).shape == (10, 10, 3)
    assert before == Image.MAX_IMAGE_PIXELS


def test_the_limit_may_be_above_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert decode(encoded(Image.new("RGB", (10, 10)), "PNG"), Reading("a.png", 100)).shape == (10, 10, 3)


def test_a_named_picture_hears_of_its_flag(tmp_path: Path) -> None:
    Image.new("RGB", (10, 10)).save(tmp_path / "a.png")
    with pytest.raises(BadFace, match="--max-pixels 100 reads it"):
        read_image(tmp_path / "a.png", 99)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("type_", "value"),
    [(2, b"72\0\0"), (10, struct.pack("<ii", -72, 1)), (10, struct.pack("<ii", -1, 0)), (5, b"\1"), (99, b"")],
)
def test_only_the_orientation_is_asked_of_the_exif(type_: int, value: bytes, kind: str) -> None:
    """A resolution, or a camera's name before the orientation, of a kind that does not fit, or beyond the EXIF."""
    pixels = noise_picture(16, 8)
    for tag in (0x010F, 0x011A):
        place = value if len(value) == 4 else struct.pack("<I", 38)
        entries = [(0x0112, 3, 1, struct.pack("<HH", 6, 0)), (tag, type_, 1 if len(value) != 4 else 4, place)]
        body = b"".join(struct.pack("<HHI", *facts) + value for *facts, value in sorted(entries))
        exif = b"Exif\0\0II*\0\x08\0\0\0\2\0" + body + bytes(4) + (value if len(value) != 4 else b"")
        options = {"lossless": True} if kind == "WEBP" else {"quality": 98, "subsampling": 0} if kind == "JPEG" else {}
        data = encoded(Image.fromarray(pixels), kind, **options)
        turned = decode_image(encoded(Image.fromarray(pixels), kind, exif=exif, **options), "a")
        assert np.array_equal(turned, np.rot90(decode_image(data, "a"), -1))


def test_a_heic_picture_is_read_or_names_its_package() -> None:
    head = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    reason = "not a picture, or cut off" if HAS_HEIF else "a HEIC picture, .*: pip install pillow-heif"
    with pytest.raises(BadFace, match=reason):
        decode_image(head + bytes(200), "a.heic")


@pytest.mark.skipif(not HAS_HEIF, reason="pillow-heif is not installed")
def test_a_heic_picture_is_decoded() -> None:
    decode_image(encoded(Image.new("RGB", (8, 8)), "PNG"), "a")
    heif = pytest.importorskip("pillow_heif")
    data = BytesIO()
    heif.from_pillow(Image.new("RGB", (64, 48), (200, 100, 50))).save(data)
    decoded = decode_image(data.getvalue(), "a.heic")
    assert decoded.shape == (48, 64, 3)
    assert np.abs(decoded[9, 9].astype(int) - [200, 100, 50]).max() <= 6


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadFace, match="cannot be read: No such file"):
        read_image(tmp_path / "none.png")
