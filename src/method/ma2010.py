"""Position patches (Ma, Zhang and Qi 2010): each patch as the combination of training patches at the same place.

At every place, the weights w of the N training patches X (27 x N) solve

    min |x - X w|^2 + r |w|^2,   sum of w = 1,   r = regularisation * trace G,

where G is the local Gram matrix of x, (x 1' - X)' (x 1' - X). The HR patch is Y w, of the HR patches Y (1728 x N) at
that place, and HR patches are averaged where they overlap. The sum of w is 1, so with the means m of X and n of Y,

    Y w = n + (Y - n) (X - m)' ((X - m) (X - m)' + r)^-1 (x - m)

(Woodbury): a system of 27 unknowns in place of N. r depends on x, but the eigenvectors of (X - m) (X - m)' do not.
So the dictionary keeps these, and (Y - n) (X - m)' in their coordinates; its size does not depend on N.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import torch
from torch import Tensor

from src.data.batch import Pairs
from src.image.sides import LR_SIDE, SIDE
from src.method.dictionary_file import Layout
from src.model.output import Upscaled

PATCH: Final = 3
"""Side of an LR patch; the paper's overlap is 1 pixel."""
SCALE: Final = SIDE // LR_SIDE
STARTS: Final = (*range(0, LR_SIDE - PATCH, PATCH - 1), LR_SIDE - PATCH)
"""Where patches begin, by row and by column. Our choice: the last one ends at the border, with an overlap of 2."""
PLACES: Final = len(STARTS) ** 2
LR_VALUES, HR_VALUES = 3 * PATCH**2, 3 * (PATCH * SCALE) ** 2
EMPTY: Final = 1e-10
"""Eigenvalues below this share of the largest are rounding: the training patches don't vary in that direction."""


@dataclass(frozen=True)
class Ma2010Config:
    """Position patches."""

    name: Literal["ma2010"] = "ma2010"
    faces: int | None = 2000
    """Training faces, evenly spread over the stores, 2 or more; null: all."""
    regularisation: float = 1e-6
    """Share of the local Gram matrix' trace that is added to its diagonal, above 0."""

    def __post_init__(self) -> None:
        if self.faces is not None and self.faces < 2:
            raise ValueError(f"faces must be 2 or more, or null for all, not {self.faces}")
        if not 0 < self.regularisation < float("inf"):
            raise ValueError(f"regularisation must be above 0, not {self.regularisation}")

    def gather(self, batches: Iterable[Pairs]) -> dict[str, Tensor]:
        """The tensors of the dictionary, from the moments of the patches at each place, summed in float64."""
        moments = Moments()
        for pairs in batches:
            moments.add(pairs.lr, pairs.hr)
        count = torch.tensor([moments.count], dtype=torch.int64)
        share = torch.tensor([self.regularisation], dtype=torch.float64)
        return {**moments.solved(), "count": count, "regularisation": share}


class Moments:
    """Sums over training faces of the patches at each place, and of their products."""

    def __init__(self) -> None:
        def zeros(*shape: int) -> Tensor:
            return torch.zeros(PLACES, *shape, dtype=torch.float64)

        self.count = 0
        self._x, self._y = zeros(LR_VALUES), zeros(HR_VALUES)
        self._xx, self._yx = zeros(LR_VALUES, LR_VALUES), zeros(HR_VALUES, LR_VALUES)

    def add(self, lr: Tensor, hr: Tensor) -> None:
        """Add B faces: LR (B, 3, 16, 16) and HR (B, 3, 128, 128)."""
        x, y = patches(lr.double(), PATCH, 1), patches(hr.double(), PATCH * SCALE, SCALE)
        self.count += len(lr)
        self._x += x.sum(1)
        self._y += y.sum(1)
        self._xx += x.mT @ x
        self._yx += y.mT @ x

    def solved(self) -> dict[str, Tensor]:
        """The means, the eigenvectors and eigenvalues of the LR patches, and the HR response to each eigenvector."""
        mean_lr, mean_hr = self._x / self.count, self._y / self.count
        scatter = self._xx - self.count * mean_lr[:, :, None] * mean_lr[:, None]
        values, axes = torch.linalg.eigh(scatter)  # (P, 27), (P, 27, 27)
        empty = values <= EMPTY * values[:, -1:].clamp(min=EMPTY)
        values = values.masked_fill(empty, 0)
        response = (self._yx - self.count * mean_hr[:, :, None] * mean_lr[:, None]) @ axes  # (P, 1728, 27)
        response = response.masked_fill(empty[:, None], 0)
        found = {"mean_lr": mean_lr, "mean_hr": mean_hr, "axes": axes, "values": values, "response": response}
        return {name: tensor.float().contiguous() for name, tensor in found.items()}


class Ma2010:
    """Position patches of a dictionary.

    Args:
        tensors: as `LAYOUT` says.
        device: where it computes.
    """

    LAYOUT: Final[Layout] = {
        "mean_lr": (torch.float32, (PLACES, LR_VALUES)),
        "mean_hr": (torch.float32, (PLACES, HR_VALUES)),
        "axes": (torch.float32, (PLACES, LR_VALUES, LR_VALUES)),
        "values": (torch.float32, (PLACES, LR_VALUES)),
        "response": (torch.float32, (PLACES, HR_VALUES, LR_VALUES)),
        "count": (torch.int64, (1,)),
        "regularisation": (torch.float64, (1,)),
    }
    title: ClassVar[str] = "position patches (Ma et al. 2010)"

    def __init__(self, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        self._mean_lr, self._mean_hr = tensors["mean_lr"][:, None].to(device), tensors["mean_hr"][:, None].to(device)
        self._axes, self._values = tensors["axes"].to(device), tensors["values"][:, None].to(device)
        self._response = tensors["response"].mT.to(device)  # (P, 27, 1728)
        self._count, self._share = int(tensors["count"]), float(tensors["regularisation"])

    def __call__(self, lr: Tensor) -> Upscaled:
        """(B, 3, 16, 16) in [-1, 1], upright, to (B, 3, 128, 128), clamped."""
        x = patches(lr.float(), PATCH, 1) - self._mean_lr  # (P, B, 27)
        trace = self._count * x.square().sum(2, keepdim=True) + self._values.sum(2, keepdim=True)
        # The floor is for a place where neither the training patches nor x differ from the mean.
        along = (x @ self._axes) / (self._values + self._share * trace).clamp(min=1e-20)
        return Upscaled(averaged(self._mean_hr + along @ self._response).clamp(-1, 1), [], None)


def patches(images: Tensor, side: int, scale: int) -> Tensor:
    """The patches at every place: (B, 3, S, S) -> (P, B, 3 side^2); they begin at `scale` times `STARTS`."""
    starts = torch.tensor([start * scale for start in STARTS], device=images.device)
    rows = images.unfold(2, side, 1)[:, :, starts]
    found = rows.unfold(3, side, 1)[:, :, :, starts]  # (B, 3, rows, columns, side, side)
    return found.permute(2, 3, 0, 1, 4, 5).reshape(PLACES, len(images), 3 * side**2)


def averaged(found: Tensor) -> Tensor:
    """HR patches (P, B, 1728) put in their places, averaged where they overlap: (B, 3, 128, 128)."""
    side, batch = PATCH * SCALE, found.shape[1]
    total, count = found.new_zeros(batch, 3, SIDE, SIDE), found.new_zeros(SIDE, SIDE)
    places = [(row * SCALE, column * SCALE) for row in STARTS for column in STARTS]
    for patch, (top, left) in zip(found.view(PLACES, batch, 3, side, side), places, strict=True):
        total[:, :, top : top + side, left : left + side] += patch
        count[top : top + side, left : left + side] += 1
    return total / count
