"""The contact sheet: one picture of a store's faces with landmarks and heatmaps, to check them by eye."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from src.face.points import COMPONENTS, component_colours
from src.image.sides import SIDE
from src.store.card import ARRAYS

COLUMNS, MOST, ZOOM = 4, 48, 2
CELL = SIDE * ZOOM
VISIBLE, HIDDEN = (60, 255, 90), (255, 60, 60)
MAPS, STD = 4, 3.0


def draw_contact_sheet(folder: Path) -> Image.Image:
    """Up to 48 faces, evenly spread over a store, each twice: with its landmarks, and with its component heatmaps.

    Visible landmarks are green dots, hidden ones red crosses. The heatmaps (of visible landmarks only) cover the
    darkened face in the colours of their components: eyes yellow, nose green, mouth red, chin blue.

    Args:
        folder: a store; only its three arrays are read.

    Returns:
        A picture with up to 4 faces in a row, each 512 pixels wide and 256 high.
    """
    images, landmarks, visible = (np.load(folder / name, mmap_mode="r") for name in ARRAYS)
    margin = (images.shape[1] - SIDE) // 2
    images = images[:, margin : margin + SIDE, margin : margin + SIDE]
    chosen = np.unique(np.linspace(0, len(images) - 1, min(MOST, len(images))).round().astype(int))
    rows = -(-len(chosen) // COLUMNS)
    sheet = Image.new("RGB", (min(len(chosen), COLUMNS) * 2 * CELL, rows * CELL))
    draw = ImageDraw.Draw(sheet)
    tinted = tint(images[chosen], landmarks[chosen], visible[chosen])
    for number, index in enumerate(chosen):
        left, top = number % COLUMNS * 2 * CELL, number // COLUMNS * CELL
        sheet.paste(_enlarged(images[index]), (left, top))
        sheet.paste(_enlarged(tinted[number]), (left + CELL, top))
        for (x, y), seen in zip((landmarks[index] + 0.5) * ZOOM - 0.5, visible[index], strict=True):
            if 0 <= x < CELL and 0 <= y < CELL:  # a landmark outside the crop would mark the neighbour's face
                _mark(draw, left + float(x), top + float(y), bool(seen))
    return sheet


def tint(images: NDArray[np.uint8], landmarks: NDArray[np.float32], visible: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Darkened faces (B, 128, 128, 3) uint8 under their component heatmaps, each component in its colour."""
    maps = heatmaps(landmarks, visible)
    layers = maps[..., None] * np.array(component_colours(MAPS), np.float32)[:, None, None]  # (B, 4, 128, 128, 3)
    return np.asarray(np.clip(0.45 * images + 0.8 * layers.max(1), 0, 255).astype(np.uint8))


def heatmaps(landmarks: NDArray[np.float32], visible: NDArray[np.bool_]) -> NDArray[np.float32]:
    """What `component_heatmaps` renders, (B, 4, 128, 128); preparation needs no torch, which takes 600 MB of memory."""
    centres = np.where(visible[..., None], landmarks.astype(np.float32), np.float32(1e4))  # a hidden one is far away
    kernels = np.exp(-0.5 * ((np.arange(SIDE, dtype=np.float32) - centres[..., None]) / STD) ** 2)  # (B, 68, 2, 128)
    across, down = kernels[:, :, 0, None, :], kernels[:, :, 1, :, None]
    maps = np.zeros((len(landmarks), MAPS, SIDE, SIDE), np.float32)
    for number, points in enumerate(COMPONENTS[MAPS].values()):
        for point in points:
            np.maximum(maps[:, number], down[:, point] * across[:, point], out=maps[:, number])
    return maps


def _enlarged(image: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(image).resize((CELL, CELL), Image.Resampling.BICUBIC)


def _mark(draw: ImageDraw.ImageDraw, x: float, y: float, seen: bool) -> None:
    if seen:
        draw.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), fill=VISIBLE)
        return
    draw.line((x - 3, y - 3, x + 3, y + 3), HIDDEN, 2)
    draw.line((x - 3, y + 3, x + 3, y - 3), HIDDEN, 2)
