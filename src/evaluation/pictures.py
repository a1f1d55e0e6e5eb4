"""Folders of pictures to compare: matched by name, checked, and read in batches."""

import hashlib
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.image.decode import read_image
from src.image.suffixes import SUFFIXES
from src.metric.image import WINDOW
from src.system.companions import is_companion
from src.system.errors import UserError
from src.system.files import printable

NAMED = 5  # names in a message
Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class Matched:
    """Pictures of the same names in several folders.

    Attributes:
        stems: the names without their ending, sorted.
        hr: the true pictures, by stem.
        results: method -> its pictures, by stem.
    """

    stems: Sequence[str]
    hr: Mapping[str, Path]
    results: Mapping[str, Mapping[str, Path]]

    def batches(self, size: int) -> Iterator[tuple[list[str], Pictures, dict[str, Pictures]]]:
        """The stems, the HR pictures (B, H, W, 3) and those of each method; all of a batch have one size."""
        read = ((stem, read_image(self.hr[stem])) for stem in self.stems)
        for _, group in itertools.groupby(read, lambda item: item[1].shape):
            while part := list(itertools.islice(group, size)):
                stems = [stem for stem, _ in part]
                results = {
                    name: np.stack([read_image(files[stem]) for stem in stems]) for name, files in self.results.items()
                }
                yield stems, np.stack([image for _, image in part]), results


def match_folders(folders: Sequence[Path], hr: Path) -> Matched:
    """The pictures of each folder, by name without the ending; each method is named after its folder.

    `NAME_heatmaps.png` beside a picture NAME, which `src.upscale` writes, is no result.

    Raises:
        UserError: a folder is missing or empty, names do not match, or sizes differ; a line for each folder.
    """
    true = _pictures(hr)
    results: dict[str, dict[str, Path]] = {}
    for folder in folders:
        first = name = printable(folder.resolve().name)
        number = 1
        while name in results:
            number += 1
            name = f"{first}_{number}"
        results[name] = _pictures(folder)
    problems = []
    for folder, files in zip(folders, results.values(), strict=True):
        if lacking := true.keys() - files.keys():
            problems.append(f"{folder} lacks {len(lacking)} of the {len(true)} pictures of {hr}: {_some(lacking)}")
        if more := files.keys() - true.keys():
            problems.append(f"{folder} has {len(more)} pictures that {hr} lacks: {_some(more)}")
    if problems:
        problems[-1] += "; names are compared without their ending: rename or remove these"
        raise UserError("\nerror: ".join(problems))
    _check_sizes(true, folders, list(results.values()))
    return Matched(sorted(true), true, results)


def folder_sha256(files: Mapping[str, Path]) -> str:
    """One hash of the names and bytes of a folder's pictures."""
    digest = hashlib.sha256()
    for stem in sorted(files):
        digest.update(f"{stem}\0".encode(errors="surrogateescape"))
        digest.update(hashlib.sha256(files[stem].read_bytes()).digest())
    return digest.hexdigest()


def _pictures(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {what}: give a folder of pictures")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or not path.is_file() or is_companion(path.name):
            continue
        if path.stem in found:
            raise UserError(f"{folder} has {found[path.stem].name} and {path.name}: one picture a name; remove one")
        found[path.stem] = path
    heatmaps = {f"{stem}_heatmaps" for stem in found}
    found = {stem: path for stem, path in found.items() if stem not in heatmaps}
    if not found:
        raise UserError(f"{folder} holds no picture ({', '.join(sorted(SUFFIXES))}); sub-folders are not searched")
    return found


def _check_sizes(true: Mapping[str, Path], folders: Sequence[Path], results: Sequence[Mapping[str, Path]]) -> None:
    """Decode every picture once, so that no mistake ends the measurement in its middle."""
    other: dict[Path, list[str]] = {folder: [] for folder in folders}
    for stem, path in true.items():
        height, width = read_image(path).shape[:2]
        if min(height, width) < WINDOW:
            raise UserError(f"{path} is {width}x{height}: SSIM needs at least {WINDOW} pixels a side")
        for folder, files in zip(folders, results, strict=True):
            shape = read_image(files[stem]).shape[:2]
            if shape != (height, width):
                other[folder].append(f"{stem} is {shape[1]}x{shape[0]}, not {width}x{height}")
    problems = [
        f"{folder}: {len(found)} of {len(true)} pictures differ in size from those of HR: {_some(found)}"
        for folder, found in other.items()
        if found
    ]
    if problems:
        raise UserError("\nerror: ".join(problems))


def _some(names: Collection[str]) -> str:
    return ", ".join(sorted(names)[:NAMED]) + (", ..." if len(names) > NAMED else "")
