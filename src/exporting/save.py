"""A network in use, written as a release or pushed to the hub; one that was read from a release keeps its files."""

import tempfile
from pathlib import Path

from src.exporting.card import card_of
from src.method.method import Network
from src.method.trained import Trained
from src.model.hub import FILES, NAME, push
from src.model.release import MODEL, SUMS, is_release, verify, write_release
from src.report.card import Notes
from src.system.errors import UserError
from src.system.files import write_whole


def save_release(network: Network, folder: Path, overwrite: bool = False) -> None:
    """Write a network as a release.

    A network that was read from a release keeps its bytes and its card, with the terms of its weights; another one gets
    a card that knows of no data.

    Args:
        network: as `load_network` reads it.
        folder: made if it is not there.
        overwrite: replace the release that it holds.

    Raises:
        UserError: the network has no weights to write, the folder holds something else, or cannot be written.
    """
    if not isinstance(network, Trained) or any(part.is_meta for part in network.checkpoint.generator.parameters()):
        raise UserError("this network has no weights to write: take the checkpoint or release that it was made from")
    _check(folder, overwrite)
    path = network.checkpoint.path
    try:
        if path.name == MODEL and is_release(path.parent):
            _copy(path.parent, folder)
        else:
            write_release(network.checkpoint, folder, card_of(network, Notes()))
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or error}") from None


def push_network(network: Network, name: str, endpoint: str | None = None, private: bool = True) -> str:
    """Push a network to the hub as a release, see `push`; returns the address of the commit.

    Raises:
        UserError: it has no weights to write, or the hub refuses it.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"{name} is no name on the hub: write OWNER/NAME")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, name.partition("/")[2])
        save_release(network, folder)
        return push(folder, name, endpoint, private)


def _check(folder: Path, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: a release is a folder")
    if folder.is_dir() and any(folder.iterdir()):
        if not is_release(folder):
            raise UserError(f"{folder} holds other files: choose an empty folder, or a new one")
        if not overwrite:
            raise UserError(f"{folder} holds a release already: overwrite=True replaces it")


def _copy(source: Path, folder: Path) -> None:
    """Copy a release's four files; the checksums come last, so that a folder without them is not whole."""
    verify(source)
    contents = {name: (source / name).read_bytes() for name in FILES}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMS).unlink(missing_ok=True)
    for name in sorted(FILES, key=lambda name: name == SUMS):
        write_whole(folder / name, contents[name])
    verify(folder)
