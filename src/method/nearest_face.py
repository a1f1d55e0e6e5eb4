"""The training face whose LR face is nearest: the floor of what a method that knows faces should reach."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import torch
from torch import Tensor

from src.data.batch import Pairs
from src.image.pixels import to_bytes, to_network
from src.image.sides import LR_SIDE, SIDE
from src.method.dictionary_file import Layout
from src.model.output import Upscaled


@dataclass(frozen=True)
class NearestFaceConfig:
    """The nearest training face."""

    name: Literal["nearest_face"] = "nearest_face"
    faces: int | None = 2000
    """Training faces, evenly spread over the stores, 1 or more; 50 kB each. null: all."""

    def __post_init__(self) -> None:
        if self.faces is not None and self.faces < 1:
            raise ValueError(f"faces must be 1 or more, or null for all, not {self.faces}")

    def gather(self, batches: Iterable[Pairs]) -> dict[str, Tensor]:
        """The tensors of the dictionary: all LR and HR faces, 8 bits."""
        small, large = [], []
        for pairs in batches:
            small.append(to_bytes(pairs.lr))
            large.append(to_bytes(pairs.hr))
        return {"lr": torch.cat(small), "hr": torch.cat(large)}


class NearestFace:
    """The HR face of the nearest LR face, by the squared distance of their 16x16 pixels; of equals, any.

    Args:
        tensors: as `LAYOUT` says.
        device: where it computes.
    """

    LAYOUT: Final[Layout] = {
        "lr": (torch.uint8, (-1, LR_SIDE, LR_SIDE, 3)),
        "hr": (torch.uint8, (-1, SIDE, SIDE, 3)),
    }
    title: ClassVar[str] = "nearest training face"

    def __init__(self, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        self._lr = to_network(tensors["lr"]).flatten(1).to(device)  # (N, 768)
        self._hr = tensors["hr"]  # on the CPU: of all faces, few are ever taken

    def __call__(self, lr: Tensor) -> Upscaled:
        """(B, 3, 16, 16) in [-1, 1], upright, to (B, 3, 128, 128)."""
        # Differences, not the expanded square, which rounds small distances away.
        distance = torch.cdist(lr.float().flatten(1), self._lr, compute_mode="donot_use_mm_for_euclid_dist")
        nearest = distance.argmin(1)
        return Upscaled(to_network(self._hr[nearest.cpu()]).to(lr.device), [], None)
