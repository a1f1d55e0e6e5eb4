"""The file of a method that is a dictionary of training faces: its layout, its card, reading and writing."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from src.store.read import FaceStores
from src.system.errors import UserError
from src.system.files import replacing, sync

LAYOUT: Final = 1
"""Version of the file's content."""
FILE: Final = "dictionary.safetensors"
"""Its name in a run folder."""
ABOUT: Final = "mtun_dictionary"
"""The key of the card in the file's metadata."""
REMAKE: Final = "make it again: python -m src.train experiment=baseline/ma2010 (or nearest_face) in a new run_dir"


class BadDictionary(UserError):  # noqa: N818 - it describes the file
    """A dictionary file is missing, damaged, of another layout or no dictionary; the message has the remedy."""


@dataclass(frozen=True)
class MadeOf:
    """The store that training faces came from: its size and its hashes, no path."""

    faces: int
    fingerprint: str
    """Of the settings that the store was prepared with."""
    images_sha256: str


@dataclass(frozen=True)
class DictionaryCard:
    """What a dictionary was made from.

    Attributes:
        method: name and settings of the method, plain values.
        experiment: name of the run.
        seed: seed of the draws of `degradation=camera`.
        faces: the number of training faces, evenly spread over the stores.
        degradation: how they got small, bicubic or camera, the ranges of a camera and of own sizes; plain values.
        stores: the stores, in their order.
        layout: version of the file's content.
    """

    method: dict[str, Any]
    experiment: str
    seed: int
    faces: int
    degradation: dict[str, Any]
    stores: tuple[MadeOf, ...]
    layout: int = LAYOUT

    __pydantic_config__ = ConfigDict(extra="forbid")

    @property
    def name(self) -> str:
        """The method's name."""
        return str(self.method.get("name"))


@dataclass(frozen=True, eq=False)
class Dictionary:
    """A dictionary as it lies in its file: its card, and its tensors by name."""

    card: DictionaryCard
    tensors: Mapping[str, Tensor]


Layout = Mapping[str, tuple[torch.dtype, tuple[int, ...]]]
"""Type and shape of each tensor of a dictionary; -1 is the number of faces."""


def made_of(stores: FaceStores) -> tuple[MadeOf, ...]:
    """The stores as a card records them."""
    cards = [store.card for store in stores.stores]
    return tuple(MadeOf(card.faces, card.fingerprint, card.files["images.npy"].sha256) for card in cards)


def write_dictionary(path: Path, dictionary: Dictionary) -> None:
    """Write the file in one step: it appears whole or not at all.

    Raises:
        OSError: it cannot be written; an old file stays as it is.
    """
    metadata = {ABOUT: json.dumps(asdict(dictionary.card), sort_keys=True)}
    with replacing(path) as (hidden,):
        hidden.touch()
        mode = hidden.stat().st_mode
        save_file(dict(dictionary.tensors), hidden, metadata)
        hidden.chmod(mode)  # as any new file has it; safetensors lets its owner alone read
        sync(hidden)


def read_card(path: Path) -> DictionaryCard:
    """The card of a dictionary; its tensors are not read.

    Raises:
        BadDictionary: the file is missing, cut short, no dictionary, or of another layout.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise BadDictionary(f"{path} {what}: give the {FILE} of a run folder")
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(ABOUT)
    except (OSError, SafetensorError) as error:
        raise BadDictionary(f"{path} is cut short, damaged or no safetensors file ({error}); {REMAKE}") from None
    if text is None:
        raise BadDictionary(f"{path} is a safetensors file but no dictionary of faces; give the {FILE} of a run folder")
    try:
        values = json.loads(text)
        layout = values["layout"]
    except (ValueError, KeyError, TypeError):
        raise BadDictionary(f"{path}: its card cannot be read; {REMAKE}") from None
    if layout != LAYOUT:
        raise BadDictionary(f"{path} has the dictionary layout {layout!r}, this version reads {LAYOUT}; {REMAKE}")
    try:
        return TypeAdapter(DictionaryCard).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise BadDictionary(f"{path}: its card does not describe a dictionary ({what}); {REMAKE}") from None


def read_tensors(path: Path, layout: Layout, faces: int) -> dict[str, Tensor]:
    """The tensors of a dictionary whose card was read.

    Args:
        path: the file.
        layout: the tensors that it must hold.
        faces: the number of faces that the card says.

    Raises:
        BadDictionary: a tensor is missing, has another type or shape, or is not finite.
    """
    tensors = {}
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        for name, (dtype, shape) in layout.items():
            if name not in names:
                raise BadDictionary(f"{path} has no tensor '{name}'; {REMAKE}")
            tensor = file.get_tensor(name)
            wanted = tuple(faces if side == -1 else side for side in shape)
            if tensor.dtype != dtype or tuple(tensor.shape) != wanted:
                raise BadDictionary(
                    f"{path}: tensor '{name}' is {tensor.dtype} {tuple(tensor.shape)}, not {dtype} {wanted}; {REMAKE}"
                )
            if dtype.is_floating_point and not tensor.isfinite().all():
                raise BadDictionary(f"{path}: tensor '{name}' is not finite; {REMAKE}")
            tensors[name] = tensor
    return tensors
