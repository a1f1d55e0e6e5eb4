"""Encoding of the pictures that the project writes."""

from io import BytesIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo


def png_bytes(image: Image.Image, text: tuple[str, str] | None = None) -> bytes:
    """An 8-bit picture as a PNG that says its colours are sRGB, the same bytes for the same pixels.

    Args:
        image: the picture.
        text: a keyword and a text that the file holds too, before the pixels.
    """
    says, png = PngInfo(), BytesIO()
    # Our choice: the chunk of the PNG standard, which browsers, editors and systems read; a profile takes more bytes.
    says.add(b"sRGB", b"\0")  # perceptual intent
    if text is not None:
        says.add_text(*text)
    image.save(png, "PNG", pnginfo=says)
    return png.getvalue()
