"""CelebA's picture files, in a folder or in a zip archive of the same layout."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.image.suffixes import SUFFIXES, not_read
from src.source.archive import ZipListing, ZipPicture, list_zip
from src.source.celeba.lists import FOLDERS
from src.source.names import Names, match
from src.source.photograph import Picture, PictureFile
from src.system.companions import is_companion
from src.system.errors import UserError
from src.system.files import NOWHERE

PNG = "_png"  # what the name of the folder or archive of the PNG release ends with


@dataclass(frozen=True)
class CelebaPlace:
    """The folder or the zip archive that holds the pictures.

    Attributes:
        name: "img_align_celeba" or "img_celeba", for the PNG release with "_png": the start of every picture's name in
            the manifest, for any place.
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

    def files_of(self, names: Sequence[str]) -> tuple[dict[int, str], dict[int, str]]:
        """The files of the names in a list that are written in another way there, by row, and why others have none.

        The lists say 000001.jpg, and the PNG release has 000001.png; some systems change the case.
        """
        known = {*self.sizes, *self.problems}
        missing = [row for row, name in enumerate(names) if name not in known]
        free = known.difference(names) if missing else set[str]()
        if not free:
            return {}, {}
        full = Names((file, file) for file in sorted(free))
        stems = Names((file.rpartition(".")[0], file) for file in sorted(free))
        answers = match([((names[row], full), (names[row].rpartition(".")[0], stems)) for row in missing])
        fits = list(zip(missing, answers, strict=True))
        several = {
            row: f"{len(same)} pictures fit its name: {', '.join(same[:3])}" for row, same in fits if len(same) > 1
        }
        return {row: same[0] for row, same in fits if len(same) == 1}, several


def find_images(root: Path, name: str) -> CelebaImages:
    """The pictures in the folder, or else in the zip archive, called `name` below `root`, else in its PNG release.

    Raises:
        UserError: neither is there, the archive is no zip, or it cannot be read.
    """
    path = find_place(root, name)
    if path is None:
        raise _nowhere(root, name)
    name = path.name.removesuffix(".zip")
    archive = not path.is_dir()
    listing = list_zip(path) if archive else _list_folder(path)
    folders = Counter(_folder(file) for file in (*listing.sizes, *listing.problems) if _is_picture(file))
    # The pictures are in one folder, the fullest one, at the top or deeper (Kaggle's zip nests the folder twice).
    below = max(sorted(folders), key=lambda folder: folders[folder]) if folders else ""
    place = CelebaPlace(name, path, below) if archive else CelebaPlace(name, path / below, None)
    images = CelebaImages(place, {}, {}, {f"{path.name}: {file}": why for file, why in listing.unsafe.items()})
    for file in (*listing.sizes, *listing.problems):
        inner, unread = file.removeprefix(below), not_read(file)
        label = f"{name}/{inner}" if file.startswith(below) else f"{path.name}: {file}"
        if unread:
            images.strays[label] = unread
        elif not _is_picture(file):
            continue
        elif _folder(file) != below:
            images.strays[label] = f"in another folder than the other pictures: they are in {below or name}"
        elif file in listing.sizes:
            images.sizes[inner] = listing.sizes[file]
        else:
            images.problems[inner] = listing.problems[file]
    return images


def find_place(root: Path, name: str) -> Path | None:
    """The folder or else the zip archive called `name`, or else that of the PNG release, below `root`; or None."""
    for release in (name, name + PNG):
        paths = [root / folder / release for folder in FOLDERS]
        archives = [path.with_name(f"{release}.zip") for path in paths]
        found = [path for path in paths if path.is_dir()] or [path for path in archives if path.is_file()]
        if found:
            return found[0]
    return None


def _nowhere(root: Path, name: str) -> UserError:
    packed = next((path for folder in FOLDERS for path in sorted((root / folder).glob(f"{name}*.7z*"))), None)
    if packed is not None:
        return UserError(
            f"source.root={root} holds {name} as 7z ({packed.relative_to(root)}), which is not read here: unpack it "
            f"into {root / packed.name.partition('.7z')[0]} (7z x FIRST_PART -o{root})"
        )
    if root.resolve().name in (name, name + PNG):
        return UserError(f"source.root={root} is the folder with the pictures: give the one above it, with the lists")
    kind = "the aligned pictures" if "align" in name else "the pictures in the wild (the others: source.images=aligned)"
    return UserError(
        f"source.root={root} holds neither {name}/ nor {name}.zip, {kind}: put one there, or try "
        f"python -m src.source.celeba.download {root}"
    )


def _list_folder(folder: Path) -> ZipListing:
    """The files below a folder, named as in a zip archive of that folder."""
    listing, inner = ZipListing({}, {}, {}), [""]
    while inner:
        below = inner.pop()
        try:
            with os.scandir(folder / below) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if is_companion(entry.name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        inner.append(f"{below}{entry.name}/")
                    elif entry.is_file():
                        listing.sizes[below + entry.name] = entry.stat().st_size
                    elif entry.is_symlink() and not (folder / below / entry.name).exists():
                        listing.problems[below + entry.name] = NOWHERE
        except OSError as error:
            raise UserError(f"{folder / below} cannot be read: {error.strerror or error}") from None
    return listing


def _folder(file: str) -> str:
    return file[: file.rfind("/") + 1]


def _is_picture(file: str) -> bool:
    return file[file.rfind(".") :].lower() in SUFFIXES
