"""Finds the pictures to upscale, and turns a picture into the network's input."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from src.image.pixels import downsample, to_network
from src.image.sides import LR_SIDE
from src.image.suffixes import SUFFIXES
from src.system.errors import UserError


def to_lr(image: NDArray[np.uint8]) -> Tensor:
    """A face crop of any size as the network's input: padded with black to a centred square, then resized.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        (1, 3, 16, 16) in [-1, 1]; the crop itself where it is 16x16 already.
    """
    tensor = to_network(torch.from_numpy(np.ascontiguousarray(image))[None])  # (1, 3, H, W)
    height, width = image.shape[:2]
    side = max(height, width)
    left, top = (side - width) // 2, (side - height) // 2
    square = F.pad(tensor, (left, side - width - left, top, side - height - top), value=-1.0)
    return square if side == LR_SIDE else downsample(square, LR_SIDE)


def find_images(paths: Sequence[Path]) -> Iterator[Path | UserError]:
    """Every named file, and every picture in a named folder (not in subfolders) by name, each once.

    Yields a UserError for a folder without pictures.
    """
    seen: set[Path] = set()
    for path in paths:
        found: list[Path | UserError] = [path]
        if path.is_dir():
            found = [*sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())]
            found = found or [UserError(f"{path}: no picture in this folder ({', '.join(sorted(SUFFIXES))})")]
        for image in found:
            if isinstance(image, Path):
                if image.resolve() in seen:
                    continue
                seen.add(image.resolve())
            yield image
