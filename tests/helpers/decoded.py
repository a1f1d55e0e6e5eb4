"""Decoding in one line."""

import numpy as np
from numpy.typing import NDArray

from src.image.decode import Reading, decode


def decode_image(data: bytes, file: str) -> NDArray[np.uint8]:
    """The picture in a file's bytes with the usual limit; see `decode`."""
    return decode(data, Reading(file))
