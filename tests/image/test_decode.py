from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from src.image import decode as images
from src.image.decode import decode_image, read_image
from src.system.errors import BadFace
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


def test_decompression_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 99)
    with pytest.raises(BadFace, match=r"10x10.*bomb"):
        decode_image(encoded(Image.new("RGB", (10, 10)), "PNG"), "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # Pillow's own error, beyond twice its bound
    with pytest.raises(BadFace, match="more than 99 pixels: a decompression bomb"):
        decode_image(encoded(Image.new("RGB", (10, 10)), "PNG"), "a.png")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadFace, match="cannot be read: No such file"):
        read_image(tmp_path / "none.png")
