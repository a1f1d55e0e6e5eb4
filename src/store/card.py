"""The card of a store, `card.json`: its contents, how it was made, and the file sizes and hashes that reveal damage."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike
from pydantic import ConfigDict, TypeAdapter, ValidationError

from src.face.points import POINTS
from src.image.sides import SIDE
from src.system.errors import UserError

LAYOUT = 3
READABLE = (2, 3)
"""Layouts that this version reads: 2 is 3 without surroundings, a margin of 0."""
MOST_MARGIN = 128
CARD, MANIFEST, REJECTED, CONTACT = "card.json", "manifest.csv", "rejected.csv", "contact.png"
ARRAYS = ("images.npy", "landmarks.npy", "visible.npy")


def layout_of(margin: int) -> dict[str, tuple[DTypeLike, tuple[int, ...]]]:
    """Each array of a store by its file: type, and shape of a face.

    Args:
        margin: pixels of surroundings on each side of the 128x128 face, 0 to 128.
    """
    side = SIDE + 2 * margin
    return {
        "images.npy": (np.uint8, (side, side, 3)),
        "landmarks.npy": (np.float32, (POINTS, 2)),
        "visible.npy": (np.bool_, (POINTS,)),
    }


def bytes_a_face(margin: int) -> int:
    """Bytes on disk, about: the arrays and a line of the manifest."""
    return (SIDE + 2 * margin) ** 2 * 3 + POINTS * 2 * 4 + POINTS + 256


SOURCE_KEYS = ("source.seed", "source.count", "source.train", "source.val", "source.test")

Setting = str | int | float | bool | None
Settings = dict[str, Setting]


class StoreError(UserError):
    """A store is missing, damaged, empty or has another layout; the message names the file and the remedy."""


@dataclass(frozen=True)
class StoredFile:
    """The size of a store's file when it was written, and its SHA-256 as `sha256sum` prints it."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Card:
    """The content of `card.json`.

    Attributes:
        faces: the number of faces, which is the number of rows of every array.
        rejected: the number of files or faces of the source that were left out (see `rejected.csv`).
        split: "train", "val", "test" or "".
        crop: the crop rule with its formula, the resampler and the coordinate convention.
        source: a description for people: name, counts, seed; no path of the machine that made it.
        settings: everything that affects the store's bytes, by dotted key.
        fingerprint: the hash of `settings`.
        files: size and hash of every other file of the store, by name.
        layout: version of the folder's layout.
        margin: pixels of surroundings on each side of the 128x128 face in `images.npy`.
    """

    faces: int
    rejected: int
    split: str
    crop: dict[str, str]
    source: Settings
    settings: Settings
    fingerprint: str
    files: dict[str, StoredFile]
    layout: int = LAYOUT
    margin: int = 0

    __pydantic_config__ = ConfigDict(extra="forbid")


def remake(folder: Path, card: Card | None = None) -> str:
    """A hint with the command that makes a store again, as far as its card records it."""
    if card is None:
        return f"make it again: python -m src.prepare source=... out={folder} overwrite=true"
    words = [f"source={card.source.get('name', '...')}"]
    if card.source.get("name") != "synthetic":
        words.append("source.root=...")
    words += [f"{key}={value}" for key, value in card.settings.items() if key in SOURCE_KEYS]
    out = folder.parent if card.split else folder
    return f"make it again: python -m src.prepare {' '.join(words)} out={out} overwrite=true"


def fingerprint(settings: Settings) -> str:
    """SHA-256 of the settings, independent of their order."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def write_card(folder: Path, card: Card) -> None:
    """Write `card.json` into a store's folder."""
    text = json.dumps(asdict(card), indent=2, ensure_ascii=False)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")


def read_card(folder: Path) -> Card:
    """The card of a store; StoreError if it cannot be read or has another layout."""
    again = remake(folder)
    try:
        text = (folder / CARD).read_text(encoding="utf-8")
        layout = json.loads(text)["layout"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder / CARD} cannot be read ({type(error).__name__}); {again}") from None
    if layout not in READABLE:
        known = " and ".join(map(str, READABLE))
        raise StoreError(f"{folder} has the store layout {layout!r}, this version reads {known}; {again}")
    try:
        card = TypeAdapter(Card).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise StoreError(f"{folder / CARD} does not describe a store ({what}); {again}") from None
    if not 0 <= card.margin <= (MOST_MARGIN if layout == LAYOUT else 0):
        what = f"a margin of {card.margin} in layout {layout}"
        raise StoreError(f"{folder / CARD} does not describe a store ({what}); {again}")
    return card
