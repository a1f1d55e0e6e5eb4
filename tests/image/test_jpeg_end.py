from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from src.image.jpeg_end import completed, lacks_end
from src.system.errors import BadFace
from tests.helpers.decoded import decode_image

KINDS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restart markers": {"restart_marker_rows": 1},
    "many restart markers": {"restart_marker_blocks": 3},
    "progressive with restart markers": {"progressive": True, "restart_marker_rows": 1},
}
TAILS = {"nothing": b"", "zeros": bytes(400), "a few zeros": bytes(3), "unwritten flash": b"\xff" * 400}


def jpeg(kind: str = "baseline") -> bytes:
    """A picture of coarse noise above a flat half, as a sky is."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    pixels = np.array(Image.fromarray(noise).resize((160, 121), Image.Resampling.BICUBIC))
    pixels[60:100] = (90, 140, 200)
    data = BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", **KINDS[kind])
    return data.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tail", TAILS)
def test_a_jpeg_that_lacks_only_its_end_is_whole(kind: str, tail: str) -> None:
    data = jpeg(kind)
    whole = decode_image(data, "a")
    for stop in (-2, -1):
        assert np.array_equal(decode_image(data[:stop] + TAILS[tail], "a"), whole)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tail", TAILS)
def test_a_jpeg_that_is_cut_short_is_not(kind: str, tail: str) -> None:
    data = jpeg(kind)
    for share in (0.5, 0.7, 0.9, 0.97):
        with pytest.raises(BadFace, match=r"a: damaged or cut short"):
            decode_image(data[: int(len(data) * share)] + TAILS[tail], "a")


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_accepted_is_the_whole_picture(kind: str) -> None:
    """Also where the cut is between two restart markers' data, or between two scans."""
    data = jpeg(kind)
    whole = decode_image(data, "a")
    edges = [at for at in range(700, len(data)) if data[at] == 0xFF and data[at + 1 : at + 2] != b"\0"]
    for stop in {*edges, *(at + 2 for at in edges[:-1]), *range(len(data) - 40, len(data))}:
        try:
            decoded = decode_image(data[:stop], "a")
        except BadFace:
            continue
        assert np.array_equal(decoded, whole), stop


def test_what_follows_the_end_is_nothing() -> None:
    data = jpeg()
    assert not lacks_end(data)
    assert not lacks_end(data + b"a camera's own data \xff\xd0")
    assert not lacks_end(b"\x89PNG")
    assert not lacks_end(data[:100])  # cut off in its header
    assert np.array_equal(decode_image(data + b"trailer", "a"), decode_image(data, "a"))


def test_missing_scans_are_no_end() -> None:
    data = jpeg("progressive")
    last = data.rindex(b"\xff\xda")
    with pytest.raises(BadFace, match="cut short"):
        decode_image(data[:last], "a")
    assert completed(data[:last]) is None
    assert completed(data[:-2]) is not None


def test_the_second_picture_of_two_may_be_cut_short() -> None:
    two = BytesIO()
    first, second = (Image.new("RGB", (64, 64), colour) for colour in ("white", "black"))
    first.save(two, "MPO", save_all=True, append_images=[second])
    assert decode_image(two.getvalue()[:-30], "a.jpg").min() >= 250


@pytest.mark.parametrize("seed", range(8))
def test_a_block_that_two_ends_complete_alike_is_no_whole_one(seed: int) -> None:
    """With restart markers after each row, a decoder finds its way again after some missing bytes."""
    noise = np.random.default_rng(seed).integers(0, 256, (33, 40, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(noise).save(file, "JPEG", quality=90, restart_marker_rows=1)
    whole = decode_image(file.getvalue(), "a")
    for stop in range(len(file.getvalue()) - 60, len(file.getvalue())):
        try:
            decoded = decode_image(file.getvalue()[:stop], "a")
        except BadFace:
            continue
        assert np.array_equal(decoded, whole), stop
