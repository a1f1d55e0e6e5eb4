"""Pixels of large photographs with as few copies as possible: Pillow takes 4 bytes a pixel, an array takes 3."""

import tempfile
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LARGE: Final = 48_000_000
"""Pixels above which a picture is large."""
STRIP: Final = 1 << 20
"""Pixels of a large picture that are copied or converted at a time."""


def array_of(image: Image.Image) -> NDArray[np.uint8]:
    """An RGB picture as an array of its own; a large one in strips, because Pillow makes two copies on the way."""
    if image.width * image.height <= LARGE:
        return np.array(image)
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        pixels[top : top + rows] = np.asarray(image.crop((0, top, image.width, min(top + rows, image.height))))
    return pixels


def large_jpeg(data: bytes, image: Image.Image) -> NDArray[np.uint8] | None:
    """The stored pixels (H, W, 3) of a large colour JPEG, decoded straight into the array; None for other pictures.

    Args:
        data: the file.
        image: the same file, opened and not loaded; it is used up unless the result is None.

    Raises:
        Exception: of any type, for damaged data.
    """
    width, height = image.size
    if width * height <= LARGE or image.format not in ("JPEG", "MPO") or image.mode != "RGB":
        return None
    import cv2  # here: most pictures do not need it, and loading it takes a while

    if "dst" not in (cv2.imread.__doc__ or ""):
        return None  # an older OpenCV, which copies its result
    pixels = np.zeros((height, width, 3), np.uint8)
    try:
        # OpenCV decodes into an array that it is given from a file alone.
        with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
            file.write(data)
            file.flush()
            found = cv2.imread(file.name, pixels, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except OSError:
        return None  # no place for the file
    # OpenCV hides that a file is cut short. Pillow raises for it, reduced to an eighth, which takes little memory.
    image.draft("RGB", (width // 8, height // 8))
    image.load()
    if found is not pixels:
        raise ValueError("it is not of the size that its header says")
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        strip = pixels[top : top + rows]
        strip[:] = strip[..., ::-1].copy()  # OpenCV's order is BGR
    return pixels
