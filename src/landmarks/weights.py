"""Search for weight files, and their check against the SHA-256 in their name or in a list."""

import contextlib
import hashlib
import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.error import URLError

from src.system.errors import UserError

# Those of face-alignment 1.5 (a test compares), copied here so that a search for files does not import the library.
URLS: Final = {
    "2DFAN4": "https://www.adrianbulat.com/downloads/python-fan/2DFAN4-11f355bf06.pth.tar",
    "3DFAN4": "https://www.adrianbulat.com/downloads/python-fan/3DFAN4-7835d9f11d.pth.tar",
    "depth": "https://www.adrianbulat.com/downloads/python-fan/depth-2a464da4ea.pth.tar",
    "s3fd": "https://www.adrianbulat.com/downloads/python-fan/s3fd-619a316812.pth",
}
KNOWN_ONNX: Final = {
    "pfld68.onnx": "7d7bbd5c6a1d9272e58d9773898284a1905d872eba9a662df9b5f20f1ba6f83e",
    "rfb320.onnx": "34cd7e60aeff28744c657de7a3dc64e872d506741de66987f3426f2b79f88017",
}
SUMS: Final = "SHA256SUMS"

_DIGITS = re.compile(r"-([0-9a-f]{8,64})\.pth(?:\.tar)?$")
_SUM = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")
_TIMEOUT = 30.0  # seconds without a byte from the server


@dataclass(frozen=True)
class WeightFile:
    """A weight file that passed its check."""

    path: Path
    sha256: str


def cache_folder() -> Path:
    """The download folder of torch hub, which the face-alignment library uses too."""
    import torch  # takes seconds and hundreds of megabytes, which the workers of an ONNX network save

    return Path(torch.hub.get_dir()) / "checkpoints"


def library_file(kind: str, folder: str | None) -> Path | None:
    """The weights of one network of the face-alignment library: `KIND-<first digits of its SHA-256>.pth.tar`.

    Args:
        kind: a key of `URLS`.
        folder: `landmarks.weights`, the only folder searched; None: torch hub's cache.

    Returns:
        The file, or None.

    Raises:
        UserError: the folder is missing, or holds more than one candidate.
    """
    where = cache_folder()
    if folder is not None:
        where = existing_folder(folder)
    elif (usual := where / Path(URLS[kind]).name).is_file():
        return usual
    found = sorted(path for path in where.glob(f"{kind}-*") if path.is_file() and _DIGITS.search(path.name))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UserError(f"{where} holds {len(found)} files for {kind} ({names}): leave one there")
    return found[0] if found else None


def library_weights(kind: str, folder: str | None) -> WeightFile:
    """The file of `library_file`, checked against the digits in its name; downloaded if missing and `folder` is None.

    Raises:
        UserError: as `library_file`; or the file is damaged or cannot be fetched.
    """
    path = library_file(kind, folder) or _download(kind, folder)
    return WeightFile(path, hashlib.sha256(read_library_file(path)).hexdigest())


def read_library_file(path: Path) -> bytes:
    """The bytes of a file whose name holds the first digits of its SHA-256; UserError if they differ."""
    data = _read(path)
    digest, digits = hashlib.sha256(data).hexdigest(), _DIGITS.search(path.name)
    if not digits or not digest.startswith(digits[1]):
        wanted = digits[1] if digits else "nothing"
        url = URLS.get(path.name.partition("-")[0], "where it came from")
        raise UserError(
            f"{path} is cut short or another file: its sha256 begins with {digest[:10]}, its name says {wanted}; "
            f"fetch it again from {url}"
        )
    return data


def _download(kind: str, folder: str | None) -> Path:
    import torch

    url, cache = URLS[kind], cache_folder()
    name = Path(url).name
    ways = "give landmarks.weights=DIR with it, or use landmarks=onnx"
    if folder is not None:
        raise UserError(f"{folder} holds no {kind}-*.pth*: put {name} there (from {url}), or use landmarks=onnx")
    digits = _DIGITS.search(name)
    print(f"downloading {url} to {cache}", file=sys.stderr)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _patience(_TIMEOUT):
            torch.hub.download_url_to_file(
                url, str(cache / name), digits[1] if digits else None, progress=sys.stderr.isatty()
            )
    except (OSError, URLError, RuntimeError) as error:  # RuntimeError: the sum differs
        reason = " ".join(str(getattr(error, "reason", error)).split())
        raise UserError(f"{name} is not in {cache} and {url} cannot be fetched ({reason}): {ways}") from None
    return cache / name


@contextlib.contextmanager
def _patience(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def existing_folder(folder: str) -> Path:
    """The folder of `landmarks.weights`; UserError if it does not exist."""
    path = Path(folder).expanduser()
    if not path.is_dir():
        what = "is not a folder" if path.exists() else "does not exist"
        raise UserError(f"landmarks.weights={folder} {what}: give the folder that holds the weights")
    return path


def read_onnx_file(path: Path) -> bytes:
    """The bytes of an ONNX file, checked against `SHA256SUMS` beside it, else against `KNOWN_ONNX`.

    A file that neither lists is not checked.

    Raises:
        UserError: the file cannot be read, or its SHA-256 differs from the listed one.
    """
    data = _read(path)
    listed = _listed_sums(path.parent)
    wanted, where = listed.get(path.name), SUMS
    if wanted is None:
        wanted, where = KNOWN_ONNX.get(path.name), "this version"
    digest = hashlib.sha256(data).hexdigest()
    if wanted is not None and digest != wanted:
        raise UserError(
            f"{path} is cut short or another file: its sha256 begins with {digest[:10]}, {where} says {wanted[:10]}; "
            f"fetch it again, or list a file of your own in {path.parent / SUMS} (sha256sum *.onnx > {SUMS})"
        )
    return data


def _listed_sums(folder: Path) -> dict[str, str]:
    """SHA-256 by file name from a folder's `SHA256SUMS`, as sha256sum writes it; empty if there is none."""
    path = folder / SUMS
    if not path.is_file():
        return {}
    sums = {}
    for number, line in enumerate(_read(path).decode("utf-8", "replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _SUM.fullmatch(line.rstrip())
        if not match:
            raise UserError(f"{path}, line {number} is not 'SHA-256  name': write it with sha256sum *.onnx > {SUMS}")
        sums[match[2].removeprefix("./")] = match[1].lower()
    return sums


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
