"""The first tab without Gradio: reads an uploaded photograph, and prepares what is shown of it and of its faces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from src.image.crop import RESAMPLER, FaceBox, crop_square
from src.image.decode import Reading, decode
from src.image.pixels import to_bytes, to_network
from src.image.sides import LR_SIDE, SIDE
from src.photo.faces import UpscaledFace
from src.photo.frames import cut, side_of, square_of
from src.photo.result import PhotoResult
from src.photo.upscaler import FaceUpscaler
from src.report.grid import overlay
from src.system.errors import BadFace

MOST_PIXELS: Final = 64_000_000
"""Of a photograph: above, it is taken for a decompression bomb. Our choice: above what phones take."""
SHOWN: Final = 1280
"""Longest side of the photograph as the page shows it, in pixels; a small one is enlarged at most 4 times."""
TAKEN, REFUSED = (255, 214, 10), (150, 150, 150)
Mark = tuple[FaceBox, str, tuple[int, int, int]]
"""A box on a picture in pixel edges, its label and its colour."""


@dataclass(frozen=True, eq=False)
class FaceView:
    """What is shown of an upscaled face; pictures are (H, W, 3) uint8.

    Attributes:
        label: its number on the photograph.
        file: name of its picture when it is downloaded.
        caption: its size, and how surely it was found.
        box: x0, y0, x1, y1 on the shown photograph.
        lr: the network's input as it first sees the face.
        bicubic: the face's place on the photograph, enlarged.
        sr: the result.
        heatmaps: over the result; None from a network without them.
    """

    label: str
    file: str
    caption: str
    box: FaceBox
    lr: NDArray[np.uint8]
    bicubic: NDArray[np.uint8]
    sr: NDArray[np.uint8]
    heatmaps: NDArray[np.uint8] | None


@dataclass(frozen=True, eq=False)
class PhotoView:
    """What is shown of a photograph.

    Attributes:
        picture: the photograph with its numbered faces, (H, W, 3) uint8.
        faces: those upscaled, from left to right.
        lines: what was found, and why faces were left out.
    """

    picture: NDArray[np.uint8]
    faces: Sequence[FaceView]
    lines: Sequence[str]


def read_upload(path: Path, say: Callable[[str], None] | None = None) -> NDArray[np.uint8]:
    """An uploaded picture as `src.image.decode` reads it: upright, in sRGB.

    Raises:
        BadFace: it cannot be read, or has too many pixels.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadFace(path.name, f"cannot be read: {error.strerror}") from None
    return decode(data, Reading(path.name, MOST_PIXELS, "python -m src.upscale --max-pixels ", say))


def photo_view(result: PhotoResult, upscaler: FaceUpscaler, stem: str) -> PhotoView:
    """What is shown of a photograph's faces.

    Args:
        result: of the upscaler.
        upscaler: which network it was.
        stem: name of the photograph's file without suffix.
    """
    height, width = result.photograph.shape[:2]
    scale = min(4.0, SHOWN / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = np.array(Image.fromarray(result.photograph).resize(size, RESAMPLER))
    faces = [
        _face_view(face, result.photograph, upscaler, f"{number}", f"{stem}_{number}.png", scale)
        for number, face in enumerate(result.faces, 1)
    ]
    reasons = dict[str, list[str]]()
    marks: list[Mark] = [(face.box, face.label, TAKEN) for face in faces]
    for at, left in enumerate(result.left_out):
        label = letters(at)
        # Those of one reason are named in one line: "50 px is above the 40 px of the training".
        pixels, _, why = left.reason.rpartition(" is ")
        reasons.setdefault(why, []).append(f"{label} ({pixels})" if pixels else label)
        marks.append((_scaled(left.box, scale), label, REFUSED))
    lines = [_found(len(result.faces), len(result.left_out))]
    lines += [f"Left out, {why}: {', '.join(labels)}." for why, labels in reasons.items()]
    return PhotoView(marked(picture, marks), faces, lines)


def face_at(faces: Sequence[FaceView], x: float, y: float) -> int | None:
    """The index of the face at a point of the shown photograph: of those whose boxes hold it, the smallest."""
    inside = [
        ((x1 - x0) * (y1 - y0), at)
        for at, (x0, y0, x1, y1) in enumerate(face.box for face in faces)
        if x0 <= x <= x1 and y0 <= y <= y1
    ]
    return min(inside)[1] if inside else None


def marked(picture: NDArray[np.uint8], marks: Sequence[Mark]) -> NDArray[np.uint8]:
    """The picture with boxes, each with its label above or, at the upper edge, within it.

    Args:
        picture: (H, W, 3) uint8.
        marks: what is drawn on it.
    """
    drawn = Image.fromarray(picture)
    draw, thick = ImageDraw.Draw(drawn), max(2, max(picture.shape) // 480)
    font = ImageFont.load_default(max(14, max(picture.shape) // 32))
    for (x0, y0, x1, y1), label, colour in marks:
        draw.rectangle((x0, y0, x1, y1), outline=colour, width=thick)
        left, top, right, bottom = draw.textbbox((0, 0), label, font)
        wide, high = right - left + 8, bottom - top + 8
        corner = min(max(x0, 0), picture.shape[1] - wide), y0 - high if y0 >= high else max(y0, 0)
        draw.rectangle((corner[0], corner[1], corner[0] + wide, corner[1] + high), fill=colour)
        draw.text((corner[0] + 4 - left, corner[1] + 4 - top), label, (0, 0, 0), font)
    return np.asarray(drawn)


def letters(number: int) -> str:
    """A, B ... Z, AA, AB ... for 0, 1 ..."""
    text = ""
    while number >= 0:
        text, number = chr(ord("A") + number % 26) + text, number // 26 - 1
    return text


def with_heatmaps(face: NDArray[np.uint8], heatmaps: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Heatmaps (M, R, R) over the greyed face (128, 128, 3)."""
    image = to_network(torch.from_numpy(face)[None])
    return np.asarray(to_bytes(overlay(image, torch.from_numpy(heatmaps)[None]))[0].numpy())


def _face_view(
    face: UpscaledFace, photograph: NDArray[np.uint8], upscaler: FaceUpscaler, label: str, file: str, scale: float
) -> FaceView:
    own_size, side = upscaler.method.own_size, upscaler.method.lr_side
    lr = to_bytes(cut(photograph, [square_of(face.box)], side, own_size)[:, :3])[0].numpy()
    # A larger face is first reduced to what the network is told of it.
    most = (own_size or (LR_SIDE, LR_SIDE))[1]
    small = crop_square(photograph, face.square, min(most, max(1, round(side_of(face.square)))))
    bicubic = np.asarray(Image.fromarray(small).resize((SIDE, SIDE), RESAMPLER))
    heatmaps = None if face.heatmaps is None else with_heatmaps(face.image, face.heatmaps)
    caption = f"{label}: {face.own_size} px"
    return FaceView(label, file, caption, _scaled(face.box, scale), lr, bicubic, face.image, heatmaps)


def _found(taken: int, left_out: int) -> str:
    every = taken + left_out
    if not every:
        return "No face was found in this photograph."
    faces = f"{every} face{'s' * (every > 1)} found"
    return f"{faces}, {taken or 'none'} upscaled." if left_out else f"{faces} and upscaled."


def _scaled(box: FaceBox, scale: float) -> FaceBox:
    x0, y0, x1, y1 = (side * scale for side in box)
    return x0, y0, x1, y1
