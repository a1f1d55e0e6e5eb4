"""Encoding of the pictures that the project writes."""

from io import BytesIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo


def png_bytes(image: Image.Image, *texts: tuple[str, str]) -> bytes:
    """An 8-bit picture as a PNG that says its colours are sRGB, the same bytes for the same pixels.

    Args:
        image: the picture.
        texts: keywords and texts that the file holds too, before the pixels.
    """
    says, png = PngInfo(), BytesIO()
    # Our choice: the chunk of the PNG standard, which browsers, editors and systems read; a profile takes more bytes.
    says.add(b"sRGB", b"\0")  # perceptual intent
    for text in texts:
        says.add_text(*text)
    image.save(png, "PNG", pnginfo=says)
    return png.getvalue()
