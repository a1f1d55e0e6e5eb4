"""What a caller of `FaceUpscaler` hands over: a photograph in one of its forms, and boxes."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.image.crop import FaceBox
from src.image.decode import MAX_PIXELS, decode_opened, read_image
from src.landmarks.boxes import usable
from src.photo.centerface import FoundFace
from src.system.errors import UserError


def pixels_of(image: Any) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of a file's path, a Pillow picture, or such an array.

    Raises:
        UserError: the file is no picture that can be read.
        ValueError: it is something else, or has no pixels.
    """
    if isinstance(image, str | Path):
        return read_image(Path(image), MAX_PIXELS)
    if isinstance(image, Image.Image):
        return decode_opened(image)
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError("a path, a Pillow picture or an array (H, W, 3) of uint8 RGB expected")
    if not image.size:
        raise ValueError(f"a picture without pixels: {image.shape}")
    return image


def face_of(box: FaceBox) -> FoundFace:
    """A face that a person's box stands for; UserError if it is none."""
    if not usable(box):
        raise UserError(f"{box} is no face box: x0, y0, x1, y1 with x0 < x1 and y0 < y1 expected")
    return FoundFace(box)
