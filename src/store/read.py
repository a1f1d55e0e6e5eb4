"""Reading faces from stores: memory-mapped, in batches, by index."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from src.store.card import ARRAYS, CARD, MANIFEST, Card, StoreError, layout_of, read_card, remake
from src.store.face import FaceRow
from src.store.manifest import read_manifest

SPLITS = ("train", "val", "test")


class FaceStore:
    """A store on disk. Opening it reads the card and the files' sizes; arrays are mapped on first use.

    A pickle holds only the path and the card: each loader worker maps the files itself.

    Args:
        path: the store's folder.

    Raises:
        StoreError: the path is missing or no store, a file has the wrong size, the layout version differs, or the
            store is empty.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.card = _checked_card(self.path)
        self._arrays: dict[str, NDArray[Any]] = {}
        self._manifest: list[FaceRow] | None = None

    def __len__(self) -> int:
        return self.card.faces

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "card": self.card, "_arrays": {}, "_manifest": None}

    def images(self, indices: ArrayLike) -> NDArray[np.uint8]:
        """(B, S, S, 3) uint8 RGB, a copy; S = 128 + 2 x the card's margin, the face in the middle."""
        return self._rows("images.npy", indices)

    def landmarks(self, indices: ArrayLike) -> NDArray[np.float32]:
        """(B, 68, 2) float32, (x, y) in pixels, pixel centres at integers; finite also where hidden."""
        return self._rows("landmarks.npy", indices)

    def visible(self, indices: ArrayLike) -> NDArray[np.bool_]:
        """(B, 68) bool."""
        return self._rows("visible.npy", indices)

    @property
    def manifest(self) -> list[FaceRow]:
        """Every face's row, in the order of the arrays; read on first use."""
        if self._manifest is None:
            again = remake(self.path, self.card)
            try:
                rows = read_manifest(self.path / MANIFEST)
            except (OSError, ValueError) as error:
                raise StoreError(f"{self.path / MANIFEST} cannot be read ({error}); {again}") from None
            if len(rows) != len(self):
                raise StoreError(f"{self.path / MANIFEST} has {len(rows):,} rows for {len(self):,} faces; {again}")
            self._manifest = rows
        return self._manifest

    def wrong_hashes(self) -> list[str]:
        """A line for each file that is missing or differs from the card's SHA-256; reads every byte."""
        wrong = []
        for name, stored in self.card.files.items():
            path = self.path / name
            if not path.is_file():
                wrong.append(f"{name} is missing")
                continue
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != stored.sha256:
                sums = f"sha256 {found[:12]}, the card says {stored.sha256[:12]}"
                wrong.append(f"{name} has changed since it was written: {sums}")
        return wrong

    def array(self, name: str) -> NDArray[Any]:
        """The memory map of one of the store's arrays by its file's name; read only."""
        if name not in self._arrays:
            # A plain view: numpy.memmap's own indexing would wrap every batch in a memmap again.
            self._arrays[name] = np.load(self.path / name, mmap_mode="r").view(np.ndarray)
        return self._arrays[name]

    def _rows(self, name: str, indices: ArrayLike) -> NDArray[Any]:
        return np.take(self.array(name), np.asarray(indices, dtype=np.int64), axis=0)


class FaceStores:
    """Several stores as one data set; indices run through them in the given order.

    Args:
        paths: the stores' folders, at least one.

    Attributes:
        margin: pixels of surroundings that all of them have.

    Raises:
        StoreError: `paths` is empty, or one of the stores raises it.
    """

    def __init__(self, paths: Sequence[str | Path]) -> None:
        if not paths:
            raise StoreError("no store was given: name at least one, as in 'data.train=[data/synthetic/train]'")
        self.stores = [FaceStore(path) for path in paths]
        self.margin = min(store.card.margin for store in self.stores)
        self.starts = np.concatenate([[0], np.cumsum([len(store) for store in self.stores])])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def locate(self, indices: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(number of the store, row in it) of each index; IndexError for one outside 0..len-1."""
        wanted = np.asarray(indices, dtype=np.int64)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"indices {wanted.min()} to {wanted.max()} of a data set of {len(self)} faces")
        which = np.searchsorted(self.starts, wanted, side="right") - 1
        return which, wanted - self.starts[which]

    def images(self, indices: ArrayLike, margin: int | None = None) -> NDArray[np.uint8]:
        """(B, S, S, 3) uint8 RGB, a copy, the face in the middle.

        Args:
            indices: (B,).
            margin: pixels of surroundings on each side, at most those of every store; None: all that they share.
        """
        return self._rows("images.npy", indices, self.margin if margin is None else margin)

    def landmarks(self, indices: ArrayLike) -> NDArray[np.float32]:
        """(B, 68, 2) float32, as `FaceStore.landmarks`."""
        return self._rows("landmarks.npy", indices)

    def visible(self, indices: ArrayLike) -> NDArray[np.bool_]:
        """(B, 68) bool."""
        return self._rows("visible.npy", indices)

    def row(self, index: int) -> FaceRow:
        """The manifest's row of one face."""
        which, row = self.locate([index])
        return self.stores[int(which[0])].manifest[int(row[0])]

    def _rows(self, name: str, indices: ArrayLike, margin: int = 0) -> NDArray[Any]:
        which, rows = self.locate(indices)
        dtype, shape = layout_of(margin)[name]
        batch = np.empty((len(rows), *shape), dtype)
        if name != "images.npy":
            for number in np.unique(which):
                mine = which == number
                batch[mine] = self.stores[number]._rows(name, rows[mine])
            return batch
        # Picture by picture, straight from the map: gathering them first would copy everything twice.
        for place, (number, row) in enumerate(zip(which.tolist(), rows.tolist(), strict=True)):
            store = self.stores[number]
            cut, side = store.card.margin - margin, shape[0]
            batch[place] = store.array(name)[row, cut : cut + side, cut : cut + side]
        return batch


def spread(total: int, count: int | None) -> NDArray[np.int64]:
    """At most `count` of 0..total-1, evenly spread from the first to the last; all if it is None."""
    if count is None or count >= total:
        return np.arange(total)
    return np.linspace(0, total - 1, count).round().astype(np.int64)


def _layout(path: Path) -> str:
    """The type and the shape of the array in a .npy file, by its header."""
    try:
        array = np.load(path, mmap_mode="r")
        return f"{array.dtype} {array.shape}"
    except Exception:  # numpy and ast raise half a dozen types for a damaged header
        return "no array"


def _checked_card(path: Path) -> Card:
    prepare = f"make it with: python -m src.prepare source=... out={path}"
    if not path.exists():
        raise StoreError(f"{path} does not exist; {prepare}")
    if not path.is_dir():
        raise StoreError(f"{path} is a file, not a store (a folder); {prepare}")
    missing = [name for name in (CARD, *ARRAYS, MANIFEST) if not (path / name).is_file()]
    if missing:
        splits = [str(path / split) for split in SPLITS if (path / split / CARD).is_file()]
        if splits:
            raise StoreError(f"{path} is not a store itself, but holds stores: give {' or '.join(splits)}")
        raise StoreError(f"{path} is not a store: it has no {', '.join(missing)}; {prepare}")
    card = read_card(path)
    again = remake(path, card)
    for name in (*ARRAYS, MANIFEST):
        if name not in card.files:
            raise StoreError(f"{path / CARD} does not list {name}; {again}")
        actual, expected = (path / name).stat().st_size, card.files[name].bytes
        if actual != expected:
            what = "cut short" if actual < expected else "too long"
            raise StoreError(f"{path / name} is {what}: {actual:,} bytes, {expected:,} expected; {again}")
    if card.faces < 1:
        raise StoreError(f"{path} is an empty store: it holds no face; {again}")
    for name, (dtype, shape) in layout_of(card.margin).items():
        found, wanted = _layout(path / name), f"{np.dtype(dtype)} {(card.faces, *shape)}"
        if found != wanted:
            raise StoreError(
                f"{path / name} is {found}, not {wanted} as its card with a margin of {card.margin} says; {again}"
            )
    return card
