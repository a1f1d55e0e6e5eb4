"""Finds the pictures and videos to upscale, and turns a picture into the network's input."""

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

from src.image.own_size import with_own_size
from src.image.pixels import downsample, to_network
from src.image.sides import LR_SIDE
from src.image.suffixes import SUFFIXES, VIDEOS, not_read
from src.photo.outputs import is_result
from src.system.companions import is_companion
from src.system.errors import UserError
from src.system.files import NOWHERE


def to_lr(image: NDArray[np.uint8], side: int = LR_SIDE, own_size: tuple[int, int] | None = None) -> Tensor:
    """A face crop of any size as the network's input: padded with black to a centred square, then resized.

    Args:
        image: (H, W, 3) uint8 RGB.
        side: of the LR faces that the network takes, in pixels.
        own_size: the smallest and the largest size that a network of side 32 may be told; None: any.

    Returns:
        (1, 3, 16, 16) in [-1, 1]; the crop itself where it is 16x16 already. With side 32 (1, 4, 32, 32), see
        `with_own_size`; the own size is the square's side.
    """
    tensor = to_network(torch.from_numpy(np.ascontiguousarray(image))[None])  # (1, 3, H, W)
    height, width = image.shape[:2]
    own = max(height, width)
    left, top = (own - width) // 2, (own - height) // 2
    square = F.pad(tensor, (left, own - width - left, top, own - height - top), value=-1.0)
    lr = square if own == side else downsample(square, side)
    low, high = own_size or (own, own)
    return lr if side == LR_SIDE else with_own_size(lr, min(max(own, low), high))


@dataclass(frozen=True)
class Found:
    """The pictures and videos to upscale.

    Attributes:
        pictures: those, each once, in the order of the arguments and of their names; an error where there is none.
        remarks: lines on files that were left out.
    """

    pictures: list[Path | UserError]
    remarks: list[str]


def is_video(path: Path) -> bool:
    """Whether a file is a video by its suffix."""
    return path.suffix.lower() in VIDEOS


def find_images(paths: Sequence[Path], why_no_videos: str = "") -> Found:
    """Every named file, and every picture and video in a named folder, but not in its subfolders.

    Of a folder, the results of earlier runs and the companions of other systems are left out; a file that is named is
    taken whatever it is.

    Args:
        paths: files and folders.
        why_no_videos: why videos are not taken: an error for each that is named, a remark for those of a folder; "":
            they are taken.
    """
    pictures: list[Path | UserError] = []
    remarks: list[str] = []
    seen: set[str] = set()
    for path in paths:
        refused = why_no_videos and is_video(path) and not path.is_dir()
        found: list[Path | UserError] = [UserError(f"{path}: {why_no_videos}") if refused else path]
        if path.is_dir():
            try:
                found = [*_in_folder(path, remarks, why_no_videos)]
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


def _in_folder(folder: Path, remarks: list[str], why_no_videos: str) -> Iterator[Path | UserError]:
    """The pictures and videos of a folder, an error for each dead link to one, and one where there is none of both."""
    files = sorted(file for file in folder.iterdir() if not is_companion(file.name))
    kinds = Counter(why for file in files if (why := not_read(file.name)))
    remarks += [f"{folder}: {count:,} file{'s' * (count > 1)} of {why}" for why, count in sorted(kinds.items())]
    kind = SUFFIXES if why_no_videos else SUFFIXES | VIDEOS
    pictures = [file for file in files if file.suffix.lower() in kind and file.is_file()]  # no pipe, which blocks
    videos = sum(is_video(file) for file in files) if why_no_videos else 0
    if videos:
        remarks.append(f"{folder}: {videos:,} video{'s' * (videos > 1)} left out: {why_no_videos}")
    results = {file for file in pictures if is_result(file)}
    if results:
        remarks.append(
            f"{folder}: {len(results):,} result{'s' * (len(results) > 1)} of earlier runs left out; to upscale one, "
            "name the file"
        )
    any_picture = False
    for file in files:
        if file.is_symlink() and not file.exists():
            if file.suffix.lower() in kind:
                yield UserError(f"{file}: {NOWHERE}")
            else:
                remarks.append(f"{file}: {NOWHERE}")
        elif file in pictures and file not in results:
            any_picture = True
            yield file
    if not any_picture:
        but = " but the results of earlier runs" if results else ""
        yield UserError(f"{folder}: no picture in this folder{but} ({', '.join(sorted(SUFFIXES))})")
