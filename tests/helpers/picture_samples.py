"""Small pictures in every format that people have, with what cameras and editors put into them."""

from functools import cache
from io import BytesIO

from PIL import Image, PngImagePlugin, features

from src.image.suffixes import HAS_HEIF
from tests.helpers.drawn_faces import noise_picture
from tests.helpers.profiles import grey_profile, ink_profile, wide_profile

P3 = wide_profile("Display P3")


def exif_of(orientation: int = 6) -> bytes:
    """What a camera writes: its name, the orientation, a directory of its own, and the place."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x011A] = "Maker", orientation, 72.0
    exif.get_ifd(0x8769)[0x9003] = "2024:01:01 00:00:00"
    exif.get_ifd(0x8825)[2] = (1.0, 2.0, 3.0)
    return exif.tobytes()


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@cache
def picture_samples() -> tuple[bytes, ...]:
    """One picture of 40x32 in every format that is read here and can be written, and in some that are not read."""
    rgb = Image.fromarray(noise_picture(40, 32)).resize((40, 32), reducing_gap=2)
    grey, rgba, cmyk, palette = rgb.convert("L"), rgb.convert("RGBA"), rgb.convert("CMYK"), rgb.quantize(16)
    rgba.putalpha(grey)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 100)
    text.add_itxt("XML:com.adobe.xmp", "<x tiff:Orientation='6'/>", zip=True)
    both = {"exif": exif_of(), "icc_profile": P3}
    made = [
        encoded(rgb, "JPEG", quality=90, **both),
        encoded(rgb, "JPEG", progressive=True, **both),
        encoded(rgb, "JPEG", restart_marker_rows=1, subsampling=2),
        encoded(grey, "JPEG", icc_profile=grey_profile(1.8)),
        encoded(cmyk, "JPEG", icc_profile=ink_profile()),
        encoded(rgb, "MPO", save_all=True, append_images=[rgb]),
        encoded(rgb, "PNG", pnginfo=text, **both),
        encoded(rgba, "PNG", icc_profile=P3),
        encoded(palette, "PNG", transparency=1),
        encoded(Image.fromarray(noise_picture(40, 32)[..., 0].astype("uint16") * 257), "PNG"),
        encoded(rgb, "PNG", save_all=True, append_images=[grey.convert("RGB")]),
        encoded(rgb, "TIFF", **both),
        encoded(rgb, "TIFF", compression="tiff_lzw", tiffinfo={274: 6}),
        encoded(rgb, "TIFF", compression="jpeg"),
        encoded(rgb.convert("LAB"), "TIFF"),
        encoded(grey.convert("1"), "TIFF", compression="group4"),
        encoded(rgb, "WEBP", **both),
        encoded(rgba, "WEBP", lossless=True),
        encoded(palette, "GIF"),
        encoded(palette, "GIF", save_all=True, append_images=[grey]),
        *(encoded(rgb, kind) for kind in ("BMP", "DIB", "PPM", "TGA", "PCX", "ICO", "SGI", "DDS", "EPS", "PDF", "QOI")),
    ]
    if features.check("avif"):
        made.append(encoded(rgb, "AVIF", **both))
    if features.check("jpg_2000"):
        made += [encoded(rgb, "JPEG2000"), encoded(rgb, "JPEG2000", no_jp2=True)]
    if HAS_HEIF:
        import pillow_heif

        pillow_heif.register_heif_opener()
        made.append(encoded(rgb, "HEIF", **both))
    return tuple(made)
