"""CelebA's picture files, in a folder or in a zip archive of the same layout."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from src.image.suffixes import SUFFIXES
from src.source.archive import ZipListing, ZipPicture, list_zip
from src.source.celeba.lists import FOLDERS
from src.source.photograph import Picture, PictureFile
from src.system.errors import UserError


@dataclass(frozen=True)
class CelebaPlace:
    """The folder or the zip archive that holds the pictures.

    Attributes:
        name: "img_align_celeba" or "img_celeba": the start of every picture's name in the manifest, for any place.
        path: the folder that holds them, or the zip archive.
        below: the folder within the archive that holds them, with a trailing slash; None for a folder.
    """

    name: str
    path: Path
    below: str | None

    def picture(self, name: str, size: int) -> Picture:
        """The picture called `name`."""
        if self.below is None:
            return PictureFile(self.path / name)
        return ZipPicture(self.path, self.below + name, size)


@dataclass(frozen=True)
class CelebaImages:
    """The pictures found.

    Attributes:
        place: where they are.
        sizes: bytes of each picture, by name.
        problems: why a picture cannot be read, by name.
        strays: why no list can refer to a file, by the file's name for reports.
    """

    place: CelebaPlace
    sizes: dict[str, int]
    problems: dict[str, str]
    strays: dict[str, str]


def find_images(root: Path, name: str) -> CelebaImages:
    """The pictures in the folder, or else in the zip archive, called `name` below `root`.

    Raises:
        UserError: neither is there, the archive is no zip, or it cannot be read.
    """
    path = find_place(root, name)
    if path is None:
        raise _nowhere(root, name)
    if path.is_dir():
        listing, archive = ZipListing(dict(_files(path, "")), {}, {}), False
    else:
        listing, archive = list_zip(path), True
    folders = Counter(_folder(file) for file in (*listing.sizes, *listing.problems) if _is_picture(file))
    # The pictures are in one folder, the fullest one, at the top or deeper (Kaggle's zip nests the folder twice).
    below = max(sorted(folders), key=lambda folder: folders[folder]) if folders else ""
    place = CelebaPlace(name, path, below) if archive else CelebaPlace(name, path / below, None)
    images = CelebaImages(place, {}, {}, {f"{path.name}: {file}": why for file, why in listing.unsafe.items()})
    for file in (*listing.sizes, *listing.problems):
        if not _is_picture(file):
            continue
        inner = file.removeprefix(below)
        if _folder(file) != below:
            label = f"{name}/{inner}" if file.startswith(below) else f"{path.name}: {file}"
            images.strays[label] = f"in another folder than the other pictures: they are in {below or name}"
        elif file in listing.sizes:
            images.sizes[inner] = listing.sizes[file]
        else:
            images.problems[inner] = listing.problems[file]
    return images


def find_place(root: Path, name: str) -> Path | None:
    """The folder or else the zip archive called `name` below `root`, or None."""
    paths = [root / folder / name for folder in FOLDERS]
    archives = [path.with_name(f"{name}.zip") for path in paths]
    found = [path for path in paths if path.is_dir()] or [path for path in archives if path.is_file()]
    return found[0] if found else None


def _nowhere(root: Path, name: str) -> UserError:
    packed = next((path for folder in FOLDERS for path in sorted((root / folder).glob(f"{name}*.7z*"))), None)
    if packed is not None:
        return UserError(
            f"source.root={root} holds {name} as 7z ({packed.relative_to(root)}), which is not read here: unpack it "
            f"into {root / name} (7z x FIRST_PART -o{root})"
        )
    if root.resolve().name == name:
        return UserError(f"source.root={root} is the folder with the pictures: give the one above it, with the lists")
    kind = "the aligned pictures" if "align" in name else "the pictures in the wild (the others: source.images=aligned)"
    return UserError(
        f"source.root={root} holds neither {name}/ nor {name}.zip, {kind}: put one there, or try "
        f"python -m src.source.celeba.download {root}"
    )


def _files(folder: Path, below: str) -> Iterator[tuple[str, int]]:
    """The files below a folder with their sizes, named as in a zip archive of that folder."""
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(folder / entry.name, f"{below}{entry.name}/")
                elif entry.is_file():
                    yield below + entry.name, entry.stat().st_size
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror or error}") from None


def _folder(file: str) -> str:
    return file[: file.rfind("/") + 1]


def _is_picture(file: str) -> bool:
    """Whether a file has a picture's suffix and is not hidden: a Mac's zip has a hidden file beside each picture."""
    name = file[file.rfind("/") + 1 :]
    return not name.startswith(".") and name[name.rfind(".") :].lower() in SUFFIXES
