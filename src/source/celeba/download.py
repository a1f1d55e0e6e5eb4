"""`python -m src.source.celeba.download ROOT`: fetch CelebA with torchvision, or say which files to put where."""

import argparse
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path

from src.source.celeba.images import find_images, find_place
from src.source.celeba.lists import ATTRIBUTES, BOXES, FIVE_ALIGNED, IDENTITY, PARTITION, find_list, read_list
from src.source.celeba.splits import IMAGES
from src.system.console import show_everything
from src.system.errors import UserError
from src.system.extras import missing_package
from src.system.progress import Say

PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
PICTURES = "img_align_celeba"
# The files to fetch, each with its bytes and its folder on the official page.
FILES = {
    f"{PICTURES}.zip": (1_443_490_838, "Img"),
    f"{PARTITION}.txt": (2_836_386, "Eval"),
    f"{IDENTITY}.txt": (3_424_458, "Anno"),
    f"{ATTRIBUTES}.txt": (26_721_026, "Anno"),
    f"{FIVE_ALIGNED}.txt": (12_156_055, "Anno"),
    f"{BOXES}.txt": (6_082_035, "Anno"),
}
TIMEOUT = 10.0  # seconds for the first answer; gdown itself would wait for ever
EXIT_INCOMPLETE = 2

Fetch = Callable[[str, Path], None]


def fetch_by_torchvision(name: str, folder: Path) -> None:
    """Download one of CelebA's files into `folder` and verify its MD5.

    Raises:
        ConnectionError: Google Drive does not answer, so nothing can be downloaded.
        UserError: gdown is missing; or this file cannot be downloaded or has another MD5, most often because its quota
            is used up.
    """
    from torchvision.datasets import CelebA
    from torchvision.datasets.utils import download_file_from_google_drive

    try:
        import gdown  # noqa: F401 - torchvision downloads with it; checked before the network is tried
    except ModuleNotFoundError as error:
        missing = missing_package(error)
        if missing is None:
            raise
        raise ConnectionError(str(missing)) from None
    try:
        with urllib.request.urlopen("https://drive.google.com", timeout=TIMEOUT):
            pass
    except urllib.error.HTTPError:
        pass  # any answer will do
    except (OSError, HTTPException) as error:
        raise ConnectionError(f"drive.google.com cannot be reached ({getattr(error, 'reason', error)})") from None
    file_id, md5 = next((file_id, md5) for file_id, md5, known in CelebA.file_list if known == name)
    try:
        # Not CelebA(download=True): that unpacks 202,599 files beside the zip, and gives up if one file fails.
        download_file_from_google_drive(file_id, str(folder), name, md5)
    except Exception as error:  # those of gdown and requests, and RuntimeError for another MD5
        raise UserError(f"{name}: {' '.join(str(error).split())[:300] or type(error).__name__}") from None


def complaint(root: Path, name: str, rows: int = IMAGES) -> str:
    """The fault of one of CelebA's files below `root`; "" if it is there and complete."""
    try:
        if name.endswith(".zip"):
            place = find_place(root, PICTURES)
            if place is None:
                return "is missing"
            count, what = len(find_images(root, PICTURES).sizes), "pictures"
        else:
            place = find_list(root, Path(name).stem)
            if place is None:
                return "is missing"
            count, what = len(read_list(place).names), "rows"
    except UserError as error:
        return f"is broken: {error}"
    return "" if count == rows else f"is incomplete: {place} has {count:,} {what} instead of {rows:,}"


def download(root: Path, say: Say, fetch: Fetch = fetch_by_torchvision, rows: int = IMAGES) -> bool:
    """Fetch the files that are missing or incomplete below `root`, and report those still missing afterwards.

    Complete files are not touched, wherever `source=celeba` finds them; new ones go to `root/celeba`.

    Returns:
        Whether CelebA is complete.
    """
    missing = [name for name in FILES if complaint(root, name, rows)]
    if not missing:
        say(f"{root}: CelebA is complete ({rows:,} images): nothing to download")
        return True
    folder = root / "celeba"
    for name in missing:
        say(f"{name}: downloading {_megabytes(name)} to {folder}")
        try:
            fetch(name, folder)
        except UserError as error:
            say(f"  failed: {error}")
        except ConnectionError as error:
            say(f"  failed: {error}")
            break
    complaints = {name: complaint(root, name, rows) for name in FILES}
    missing = [name for name in FILES if complaints[name]]
    if not missing:
        say(f"{root}: CelebA is complete ({rows:,} images): OK")
        return True
    say(f"\nCelebA in {root} is not complete:")
    for name in FILES:
        say(f"  {name}: {complaints[name] or 'OK'}")
    say(f"\nTo download by hand, open {PAGE} (Google Drive or Baidu), and put")
    for name in missing:
        say(f"  {FILES[name][1]}/{name} ({_megabytes(name)}) to {folder / name}")
    say("The zip stays packed. First remove broken and incomplete files. Then run this again: it checks all files.")
    say("If Google says that too many people have downloaded a file, its quota is used up for up to 24 hours.")
    return False


def _megabytes(name: str) -> str:
    return f"{FILES[name][0] / 1e6:,.1f} MB"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exit with 2 if a file is missing."""
    show_everything()
    parser = argparse.ArgumentParser(
        prog="python -m src.source.celeba.download",
        description=f"Download CelebA (1.5 GB; {PAGE}; for non-commercial research only), or check it.",
    )
    parser.add_argument("root", type=Path, help="the folder for CelebA; complete files in it are left alone")
    root = parser.parse_args(arguments).root
    if root.exists() and not root.is_dir():
        parser.error(f"{root} is a file: give a folder")
    try:
        complete = download(root, lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        print(f"error: {root}: {error.strerror or error}", file=sys.stderr)
        complete = False
    sys.exit(0 if complete else EXIT_INCOMPLETE)


if __name__ == "__main__":
    main()
