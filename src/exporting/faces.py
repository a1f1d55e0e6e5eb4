"""The faces that an export is checked on: those of stores as the training drew them, or smooth random pictures."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from src.evaluation.config import ProtocolConfig
from src.evaluation.inputs import DrawnFaces
from src.image.own_size import with_own_size
from src.image.pixels import enlarged, quantise
from src.image.sides import LR_SIDE
from src.method.trained import Trained
from src.store.read import FaceStores, spread


@dataclass(frozen=True, eq=False)
class Faces:
    """Inputs, and the truth where it is known.

    Attributes:
        lr: as the network takes them, (N, 3, 16, 16) or (N, 4, 32, 32).
        hr: (N, 3, 128, 128) in [-1, 1]; None for random pictures.
        words: what they are, for messages.
    """

    lr: Tensor
    hr: Tensor | None
    words: str


def store_faces(method: Trained, stores: Sequence[str], count: int, seed: int) -> Faces:
    """Faces spread evenly over stores, as the generator's training misaligned and reduced its own.

    Args:
        method: the generator.
        stores: folders.
        count: the largest number of faces.
        seed: of the draws; another one gives other inputs.
    """
    opened = FaceStores(stores)
    facts, own = method.facts, method.own_size
    assert facts.trained_on is not None
    protocol = ProtocolConfig(
        **asdict(facts.trained_on),
        degradation="camera" if facts.degradation == "camera" else "bicubic",
        own_size=own if method.lr_side != LR_SIDE else None,
        seed=seed,
    )
    indices = spread(len(opened), min(count, len(opened)))
    inputs = DrawnFaces(opened, protocol, torch.device("cpu")).inputs([int(index) for index in indices])
    return Faces(inputs.pairs.lr, inputs.pairs.hr, f"{len(indices)} store faces")


def random_faces(lr_side: int, count: int, seed: int = 0) -> Faces:
    """Smooth random pictures, 8-bit values; own sizes of 12-40 pixels where the network is told them."""
    random = torch.Generator().manual_seed(seed)
    lr = quantise(enlarged(1.5 * torch.randn(count, 3, 4, 4, generator=random).clamp(-1, 1), lr_side))
    if lr_side != LR_SIDE:
        lr = with_own_size(lr, 12 + 28 * torch.rand(count, generator=random))
    return Faces(lr, None, f"{count} random pictures")
