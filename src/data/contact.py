"""The contact sheet: faces of a store with their landmarks, so that a person sees at once whether they fit."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from src.data.card import ARRAYS
from src.data.face import SIDE

COLUMNS, MOST, ZOOM = 8, 64, 2
VISIBLE, HIDDEN = (60, 255, 90), (255, 60, 60)


def draw_contact_sheet(folder: Path) -> Image.Image:
    """Up to 64 faces, evenly spread over a store; visible landmarks are green dots, hidden ones red crosses.

    Args:
        folder: a store, whole or just sealed.

    Returns:
        A picture of 8 faces a row, twice the size of the store's.
    """
    images, landmarks, visible = (np.load(folder / name, mmap_mode="r") for name in ARRAYS)
    chosen = np.unique(np.linspace(0, len(images) - 1, min(MOST, len(images))).round().astype(int))
    cell = SIDE * ZOOM
    rows = -(-len(chosen) // COLUMNS)
    sheet = Image.new("RGB", (min(len(chosen), COLUMNS) * cell, rows * cell))
    draw = ImageDraw.Draw(sheet)
    for number, index in enumerate(chosen):
        left, top = number % COLUMNS * cell, number // COLUMNS * cell
        sheet.paste(Image.fromarray(images[index]).resize((cell, cell), Image.Resampling.BICUBIC), (left, top))
        for (x, y), seen in zip((landmarks[index] + 0.5) * ZOOM - 0.5, visible[index], strict=True):
            if 0 <= x < cell and 0 <= y < cell:  # a landmark outside the crop would mark the neighbour's face
                _mark(draw, left + float(x), top + float(y), bool(seen))
    return sheet


def _mark(draw: ImageDraw.ImageDraw, x: float, y: float, seen: bool) -> None:
    if seen:
        draw.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), fill=VISIBLE)
        return
    draw.line((x - 3, y - 3, x + 3, y + 3), fill=HIDDEN)
    draw.line((x - 3, y + 3, x + 3, y - 3), fill=HIDDEN)
