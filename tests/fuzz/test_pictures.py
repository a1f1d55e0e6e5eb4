"""Bytes of any kind end in pixels or in a BadFace of one line."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from src.image.decode import Reading, decode
from src.image.orientation import orientation_of
from src.image.png_chunks import SIGNATURE
from src.photo.inputs import to_lr
from src.system.errors import BadFace
from tests.helpers.fuzzing import assert_one_line, changed_bytes, result_or_line, with_checksums
from tests.helpers.picture_samples import picture_samples

LIMIT = 200_000
"""Pixels; damaged headers name any size."""


def check(data: bytes) -> None:
    remarks: list[str] = []
    pixels = result_or_line(lambda: decode(data, Reading("x", LIMIT, say=remarks.append)))
    for remark in remarks:
        assert_one_line(remark)
    assert orientation_of(data) in range(1, 9)
    if isinstance(pixels, BadFace):
        return
    assert isinstance(pixels, np.ndarray)
    assert (pixels.dtype, pixels.ndim, pixels.shape[2]) == (np.uint8, 3, 3)
    assert 0 < pixels.shape[0] * pixels.shape[1] <= LIMIT
    assert to_lr(pixels).shape == (1, 3, 16, 16)


@given(st.sampled_from(picture_samples()))
def test_the_samples_are_read_or_refused(data: bytes) -> None:
    check(data)


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    check(data)


@given(st.sampled_from(picture_samples()), st.integers(1, 64), st.binary(max_size=400))
def test_any_bytes_behind_the_beginning_of_a_picture(data: bytes, length: int, rest: bytes) -> None:
    check(data[:length] + rest)


@given(changed_bytes(picture_samples()))
def test_pictures_with_changes(data: bytes) -> None:
    check(data)


@given(changed_bytes([data for data in picture_samples() if data.startswith(SIGNATURE)]))
def test_changed_chunks_of_a_png_whose_checksums_hold(data: bytes) -> None:
    check(with_checksums(data))
