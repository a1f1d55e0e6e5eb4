"""Draws results as pictures: faces side by side, and heatmaps over a face."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from src.face.points import COMPONENT_COLOURS, COMPONENTS, component_colours
from src.image.pixels import to_bytes

GAP: Final = 4
HEADER: Final = 22
FONT_SIZE: Final = 13
BACKGROUND, INK = (24, 24, 24), (240, 240, 240)
STRENGTH: Final = 0.8  # share of the face that a map hides at its peak


def overlay(images: Tensor, heatmaps: Tensor) -> Tensor:
    """Heatmaps, each in its own colour, over the greyed images.

    Args:
        images: (B, 3, H, W), about [-1, 1].
        heatmaps: (B, M, R, R), about 0-1, enlarged to H x W.

    Returns:
        (B, 3, H, W) float32 in [-1, 1].
    """
    side = list(images.shape[-2:])
    maps = F.interpolate(heatmaps.detach().float(), side, mode="bilinear", align_corners=False).clamp(0, 1)
    luma = torch.tensor([0.299, 0.587, 0.114], device=maps.device).view(1, 3, 1, 1)
    blended = (images.detach().float().clamp(-1, 1) * luma).sum(1, keepdim=True).expand(-1, 3, -1, -1)
    for rgb, one in zip(component_colours(maps.shape[1]), maps.split(1, 1), strict=True):
        colour = torch.tensor(rgb, device=maps.device).view(1, 3, 1, 1) / 127.5 - 1
        blended = blended + STRENGTH * one * (colour - blended)
    return blended


def face_grid(
    lr: Tensor, hr: Tensor, images: Mapping[str, Tensor], heatmaps: Mapping[str, Tensor] | None = None
) -> NDArray[np.uint8]:
    """One row per face: LR, each method's image followed by its estimated heatmaps if it has any, HR.

    Args:
        lr: (B, 3, 16, 16) in [-1, 1], as the methods see it.
        hr: (B, 3, H, H) in [-1, 1].
        images: method -> (B, 3, H, H), about [-1, 1].
        heatmaps: method -> (B, M, R, R) of the last stack, for those that have any.

    Returns:
        (height, width, 3) uint8, labelled columns of H-pixel tiles.
    """
    side, heatmaps = hr.shape[-1], heatmaps or {}
    tiles = [("LR input", F.interpolate(lr.float(), (side, side)))]
    for method, image in images.items():
        tiles.append((method, image))
        if method in heatmaps:
            label = f"{method}: heatmaps" if len(heatmaps) > 1 else "heatmaps"
            tiles.append((label, overlay(image, heatmaps[method])))
    tiles.append(("HR", hr))
    components = {name: None for maps in heatmaps.values() for name in COMPONENTS[maps.shape[1]]}
    return labelled(tiles, components)


def labelled(tiles: Sequence[tuple[str, Tensor]], components: Mapping[str, object] | None = None) -> NDArray[np.uint8]:
    """Columns of tiles under their labels, and a legend of the components' colours below.

    Args:
        tiles: (label, images) of each column, images (B, 3, H, H), about [-1, 1]; the same B and H.
        components: names in the legend; no legend without names, or with more names than colours.

    Returns:
        (height, width, 3) uint8.
    """
    pictures = [(label, to_bytes(images.detach().cpu()).numpy()) for label, images in tiles]
    rows, side = pictures[0][1].shape[:2]
    names = list(components or ())
    footer = HEADER if 0 < len(names) <= len(COMPONENT_COLOURS) else 0
    step = side + GAP
    sheet = Image.new("RGB", (GAP + step * len(pictures), HEADER + step * rows + footer), BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_SIZE)
    for column, (label, images) in enumerate(pictures):
        left = GAP + column * step
        while font.getlength(label) > side and len(label) > 1:
            label = f"{label.rstrip('…')[:-1]}…"
        draw.text((left + side / 2, HEADER / 2), label, INK, font, anchor="mm")
        for row, image in enumerate(images):
            sheet.paste(Image.fromarray(image), (left, HEADER + row * step))
    if footer:
        x, y = float(GAP), sheet.height - footer / 2
        for name in names:
            draw.rectangle((x, y - 5, x + 10, y + 5), fill=COMPONENT_COLOURS[name])
            draw.text((x + 15, y), name, INK, font, anchor="lm")
            x += 15 + draw.textlength(name, font) + 14
    return np.array(sheet)
