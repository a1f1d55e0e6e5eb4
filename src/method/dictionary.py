"""A dictionary of training faces, as a method: made from stores, loaded from its file."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Discriminator
from torch import Tensor

from src.data.batch import HeatmapConfig, Pairs, make_batch
from src.data.camera import ranges_of
from src.data.config import DataConfig
from src.data.dataset import FaceDataset
from src.data.pairs import MisalignmentConfig
from src.method.dictionary_file import BadDictionary, Dictionary, DictionaryCard, made_of, read_card, read_tensors
from src.method.ma2010 import Ma2010, Ma2010Config
from src.method.method import Facts
from src.method.nearest_face import NearestFace, NearestFaceConfig
from src.model.output import Upscaled
from src.store.read import FaceStores, spread
from src.system.plain import to_plain

DictionaryConfig = Annotated[NearestFaceConfig | Ma2010Config, Discriminator("name")]
"""The methods that are dictionaries."""
BATCH = 64


def planned(
    config: DictionaryConfig, data: DataConfig, stores: FaceStores, experiment: str, seed: int
) -> DictionaryCard:
    """The card of the dictionary that `made` would make."""
    degradation: dict[str, Any] = {"name": data.degradation}
    if data.degradation == "camera":
        degradation |= asdict(data.camera)
    if data.own_size is not None:
        degradation["own_size"] = list(data.own_size)
    faces = len(spread(len(stores), config.faces))
    return DictionaryCard(to_plain(config), experiment, seed, faces, degradation, made_of(stores))


def made(
    config: DictionaryConfig,
    data: DataConfig,
    stores: FaceStores,
    card: DictionaryCard,
    tell: Callable[[int], None] | None = None,
) -> Dictionary:
    """Make a dictionary from upright training faces, neither mirrored nor with another light.

    Args:
        config: which method.
        data: how the faces get small; its misalignment is none.
        stores: the training faces.
        card: of `planned`.
        tell: called after each batch with the number of its faces.
    """
    camera = ranges_of(data.degradation, data.camera)
    dataset = FaceDataset(
        stores, data.misalignment, card.seed, surroundings=False, camera=camera, own_size=data.own_size
    )
    indices = spread(len(stores), card.faces).tolist()

    def batches() -> Iterator[Pairs]:
        for start in range(0, len(indices), BATCH):
            taken = indices[start : start + BATCH]
            batch = dataset.__getitems__([(0, index) for index in taken])
            yield make_batch(batch, HeatmapConfig(), None, data.misalignment.fill)
            if tell is not None:
                tell(len(taken))

    with torch.inference_mode():
        return Dictionary(card, config.gather(batches()))


class FaceDictionary:
    """The method of a dictionary's file, on a device.

    Args:
        path: the file.
        card: its card.
        method: what restores upright LR faces with its tensors.
        title: the method's name in tables.
    """

    def __init__(self, path: Path, card: DictionaryCard, method: Callable[[Tensor], Upscaled], title: str) -> None:
        self._card, self._method = card, method
        self.name, self.title = card.name, title
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self.facts = Facts(
            checkpoint=str(path),
            checkpoint_sha256=digest,
            experiment=card.experiment,
            seed=card.seed,
            faces=card.faces,
            trained_on=MisalignmentConfig(rotation=0, scale_min=1, scale_max=1, shift=0),
            degradation=str(card.degradation.get("name")),
            needs_aligned=True,
        )

    def __call__(self, lr: Tensor) -> Upscaled:
        """See `Method`; it restores upright faces."""
        return self._method(lr)


def load_dictionary(path: Path, device: torch.device) -> FaceDictionary:
    """The method of a dictionary's file.

    Raises:
        BadDictionary: the file is missing, damaged, no dictionary, of another layout or of an unknown method.
    """
    card = read_card(path)
    match card.name:
        case "nearest_face":
            kind: type[NearestFace] | type[Ma2010] = NearestFace
        case "ma2010":
            kind = Ma2010
        case name:
            raise BadDictionary(f"{path} is a dictionary of '{name}', which this version lacks")
    tensors = read_tensors(path, kind.LAYOUT, card.faces)
    return FaceDictionary(path, card, kind(tensors, device), kind.title)
