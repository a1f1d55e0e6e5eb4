import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.image import decode as decoding
from src.image import large
from src.system.errors import BadFace
from tests.helpers.decoded import decode_image
from tests.helpers.profiles import in_srgb, wide_profile

PEAK = """
import re, sys
from pathlib import Path
import cv2, numpy as np
from src.image.crop import Square, crop_square
from tests.helpers.decoded import decode_image
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024
before = peak()
pixels = decode_image(Path(sys.argv[1]).read_bytes(), "a")
face = crop_square(pixels, Square((7000.0, 10200.0, 8200.0, 11400.0), 0.3), 224)
print(pixels.shape, face.shape)
print(peak() - before, peak())
"""


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (large, decoding):
        monkeypatch.setattr(module, "LARGE", 1_000)
    monkeypatch.setattr(large, "STRIP", 700)


def photograph(path: Path, **options: object) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((160, 121), Image.Resampling.BICUBIC).save(path, **options)
    return path.read_bytes()


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("turn", [1, 3, 6])
def test_a_large_picture_is_the_same_picture(tmp_path: Path, suffix: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    data = photograph(tmp_path / f"a{suffix}", exif=exif, icc_profile=wide_profile("Adobe RGB"))
    with Image.open(tmp_path / f"a{suffix}") as image:
        stored = np.array(image)
    right = np.rot90(in_srgb(stored, "Adobe RGB"), {1: 0, 3: 2, 6: -1}[turn])
    assert np.abs(decode_image(data, "a") - right).max() <= 2


@pytest.mark.usefixtures("small_is_large")
def test_a_large_jpeg_that_is_cut_short_is_a_reject(tmp_path: Path) -> None:
    data = photograph(tmp_path / "a.jpg")
    whole = decode_image(data, "a")
    assert np.array_equal(decode_image(data[:-2], "a"), whole)
    for share in (0.5, 0.9):
        with pytest.raises(BadFace, match="cut short"):
            decode_image(data[: int(len(data) * share)], "a")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak memory is read from Linux's /proc")
def test_a_face_at_the_border_of_an_88_megapixel_photograph(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (11000, 8000), (214, 170, 140)).save(tmp_path / "a.jpg", exif=exif)
    done = subprocess.run([sys.executable, "-c", PEAK, tmp_path / "a.jpg"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[:1] == ["(11000, 8000, 3) (224, 224, 3)"]
    grown, peak = map(int, done.stdout.splitlines()[1].split())
    assert grown < 400, "the picture itself takes 252 MB"
    assert peak < 500
