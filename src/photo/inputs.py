"""Finds the pictures to upscale, and turns a picture into the network's input."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from src.image.pixels import downsample, to_network
from src.image.sides import LR_SIDE
from src.image.suffixes import SUFFIXES, not_read
from src.photo.outputs import is_result
from src.system.companions import is_companion
from src.system.errors import UserError
from src.system.files import NOWHERE


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


@dataclass(frozen=True)
class Found:
    """The pictures to upscale.

    Attributes:
        pictures: each once, in the order of the arguments and of their names; an error where there is no picture.
        remarks: lines on files that were left out.
    """

    pictures: list[Path | UserError]
    remarks: list[str]


def find_images(paths: Sequence[Path]) -> Found:
    """Every named file, and every picture in a named folder, but not in its subfolders.

    Of a folder, the results of earlier runs and the companions of other systems are left out; a file that is named is
    taken whatever it is.
    """
    pictures: list[Path | UserError] = []
    remarks: list[str] = []
    seen: set[str] = set()
    for path in paths:
        found: list[Path | UserError] = [path]
        if path.is_dir():
            try:
                found = [*_in_folder(path, remarks)]
            except OSError as error:
                found = [UserError(f"{path}: the folder cannot be read: {error.strerror or error}")]
        for image in found:
            if isinstance(image, Path):
                real = os.path.realpath(image)
                if real in seen:
                    continue
                seen.add(real)
            pictures.append(image)
    return Found(pictures, remarks)


def _in_folder(folder: Path, remarks: list[str]) -> Iterator[Path | UserError]:
    """The pictures of a folder, an error for each link that leads nowhere, and one where there is no picture."""
    files = sorted(file for file in folder.iterdir() if not is_companion(file.name))
    kinds = Counter(why for file in files if (why := not_read(file.name)))
    remarks += [f"{folder}: {count:,} file{'s' * (count > 1)} of {why}" for why, count in sorted(kinds.items())]
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
    results = {file for file in pictures if is_result(file)}
    if results:
        remarks.append(
            f"{folder}: {len(results):,} result{'s' * (len(results) > 1)} of earlier runs left out; to upscale one, "
            "name the file"
        )
    any_picture = False
    for file in files:
        if file.is_symlink() and not file.exists():
            yield UserError(f"{file}: {NOWHERE}")
        elif file.suffix.lower() in SUFFIXES and file not in results and file.is_file():
            any_picture = True
            yield file
    if not any_picture:
        but = " but the results of earlier runs" if results else ""
        yield UserError(f"{folder}: no picture in this folder{but} ({', '.join(sorted(SUFFIXES))})")
