from io import BytesIO

import numpy as np
from PIL import Image

from src.image.encode import png_bytes
from tests.helpers.drawn_faces import noise_picture


def test_a_png_says_that_it_is_srgb() -> None:
    pixels = noise_picture(20, 10)
    data = png_bytes(Image.fromarray(pixels))
    with Image.open(BytesIO(data)) as image:
        assert image.info["srgb"] == 0
        assert np.array_equal(np.asarray(image), pixels)
    assert data.index(b"sRGB") < data.index(b"IDAT")
    assert png_bytes(Image.fromarray(pixels)) == data
