"""Names the upscaled pictures, writes them without overwriting anything unasked, and recognises them again."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from src.image.encode import png_bytes
from src.image.encode_as import SOFTWARE
from src.image.pixels import to_bytes
from src.image.suffixes import VIDEOS
from src.photo.video_file import OPTIONS
from src.system.errors import UserError
from src.system.files import write_whole

MARK: Final = ("Software", "MTUN upscale")
"""The PNG text of every result: later runs over the same folder recognise it and do not upscale it again."""
PHOTOGRAPH: Final = "Photograph"
"""The PNG text of a face: the hash of its photograph's file, so that no other picture's result is taken for one."""
HEAD: Final = 4096
"""Bytes at the beginning of a result that hold the mark."""


def is_result(path: Path) -> bool:
    """Whether a file is one that this command wrote, under whatever name; False where it cannot be read."""
    if path.suffix.lower() in (".jpg", ".webp", ".tif", ".avif"):
        try:
            with Image.open(path) as image:  # reads the header alone
                return bool(image.getexif().get(SOFTWARE) == MARK[1])
        except Exception:  # Pillow raises a dozen types for damaged data; who reads the picture says so
            return False
    if path.suffix.lower() in VIDEOS:
        return _is_marked_video(path)
    return path.suffix.lower() == ".png" and _says(path, MARK)


def _says(path: Path, text: tuple[str, str]) -> bool:
    """Whether a PNG holds this keyword and text near its beginning."""
    try:
        with path.open("rb") as file:
            return b"tEXt" + "\0".join(text).encode("latin-1") in file.read(HEAD)
    except OSError:
        return False


def _is_marked_video(path: Path) -> bool:
    try:
        import av

        with (
            path.open("rb") as file,
            av.open(file, "r", container_options=OPTIONS, metadata_errors="replace") as container,
        ):
            comments = [text for key, text in container.metadata.items() if key.lower() == "comment"]
    except Exception:  # PyAV raises dozens of types for damaged data; who reads the video says so
        return False
    return any(text.startswith(MARK[1]) for text in comments)


class Names:
    """Gives out file names: `NAME.png` and `NAME_heatmaps.png`, with `_2`, `_3` ... if NAME is taken."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def claim(self, stem: str) -> str:
        """A name whose files no other picture of this run uses."""
        number, name = 1, stem
        # Case-folded: to some file systems A.png and a.png are the same.
        while not self._taken.isdisjoint(wanted := {f"{name}.png".casefold(), f"{name}_heatmaps.png".casefold()}):
            number += 1
            name = f"{stem}_{number}"
        self._taken |= wanted
        return name


def save(pictures: dict[Path, Tensor], inputs: set[Path], overwrite: bool) -> None:
    """Write (1, 3, H, W) in [-1, 1] as 8-bit PNGs in sRGB; see `write_new` for the errors."""
    images = {path: to_bytes(image)[0].cpu().numpy() for path, image in pictures.items()}
    write_new({path: marked_png(image) for path, image in images.items()}, inputs, overwrite)


def marked_png(image: NDArray[np.uint8], photograph: str = "") -> bytes:
    """(H, W, 3) uint8 as a PNG that is known as a result again.

    Args:
        image: the result.
        photograph: SHA-256 of the photograph's file of which it shows a face; "": it is no such result.
    """
    return png_bytes(Image.fromarray(image), MARK, *([(PHOTOGRAPH, photograph)] if photograph else []))


def remove_higher(folder: Path, name: str, count: int, photograph: str, inputs: set[Path]) -> list[Path]:
    """Remove the faces NAME_N.png above a number, and their heatmaps, that an earlier run left in a folder.

    It stops at the first number without one: a file that is no face of this photograph stays, and so does an input.

    Args:
        folder: of the results.
        name: of a photograph's results.
        count: the largest number that stays.
        photograph: SHA-256 of its file.
        inputs: the pictures of this run, resolved.

    Returns:
        The files removed.

    Raises:
        UserError: one cannot be removed.
    """
    removed: list[Path] = []
    while True:
        count += 1
        files = (folder / f"{name}_{count}{end}.png" for end in ("", "_heatmaps"))
        # A pipe is not opened: that would wait.
        present = [file for file in files if os.path.isfile(file)]  # noqa: PTH113 - Path.is_file raises for long names
        found = [file for file in present if _says(file, (PHOTOGRAPH, photograph)) and file.resolve() not in inputs]
        if not found:
            return removed
        for file in found:
            try:
                file.unlink()
            except OSError as error:
                raise UserError(f"{file} of an earlier run cannot be removed: {error.strerror or error}") from None
        removed += found


def write_new(contents: dict[Path, bytes], inputs: set[Path], overwrite: bool) -> None:
    """Write files that are not there yet.

    Raises:
        UserError: a file exists already or is one of the inputs (then none is written), or cannot be written.
    """
    refuse_taken(contents, inputs, overwrite)
    for path, content in contents.items():
        try:
            write_whole(path, content)
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror or error}") from None


def refuse_taken(paths: Iterable[Path], inputs: set[Path], overwrite: bool) -> None:
    """UserError if one of the files is an input, or is there already and may not be replaced."""
    for path in paths:
        if path.resolve() in inputs:
            raise UserError(f"{path} is an input, which is never overwritten; choose another --out")
        # Not Path.exists, which raises for a name that is too long.
        if os.path.exists(path) and not overwrite:  # noqa: PTH110
            raise UserError(f"{path} is there already; --overwrite replaces it")
