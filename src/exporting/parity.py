"""How far an exported generator is from eager torch, output by output."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from src.image.pixels import quantise
from src.metric.image import psnr
from src.model.output import Upscaled
from src.system.errors import UserError

LEVEL: Final = 2 / 255
"""A step of 8 bits in [-1, 1]."""
BATCH: Final = 16
Run = Callable[[Tensor], Upscaled]
"""LR faces as the network takes them to its output."""


@dataclass(frozen=True)
class Difference:
    """The absolute difference of one output over all faces: `image` and `matrix` in [-1, 1], `heatmaps` in 0-1."""

    output: str
    largest: float
    mean: float
    allowed: float

    @property
    def held(self) -> bool:
        """Whether it is allowed; NaN is not."""
        return self.largest <= self.allowed


def outputs(run: Run, lr: Tensor) -> Upscaled:
    """All faces' outputs, one face alone, the others in batches: an export has a free batch."""
    with torch.inference_mode():
        parts = [run(part) for part in (lr[:1], *lr[1:].split(BATCH))]
    matrices = [part.matrix for part in parts if part.matrix is not None]
    heatmaps = [part.heatmaps[-1] for part in parts if part.heatmaps]
    return Upscaled(
        torch.cat([part.image for part in parts]),
        [torch.cat(heatmaps)] if heatmaps else [],
        torch.cat(matrices) if matrices else None,
    )


def differences(eager: Upscaled, other: Upscaled, tolerance: float, uint8: bool) -> list[Difference]:
    """The differences of each output.

    Args:
        eager: of torch.
        other: of the export, for the same faces.
        tolerance: what is allowed.
        uint8: the export's images are rounded to 8 bits; then one level is allowed.
    """
    image = quantise(eager.image) if uint8 else eager.image
    found = [_difference("image", image, other.image, LEVEL * 1.01 if uint8 else tolerance)]
    for mine, theirs in zip(eager.heatmaps[-1:], other.heatmaps, strict=True):
        found.append(_difference("heatmaps", mine, theirs, tolerance))
    if eager.matrix is not None and other.matrix is not None:
        found.append(_difference("matrix", eager.matrix, other.matrix, tolerance))
    return found


def _difference(name: str, one: Tensor, other: Tensor, allowed: float) -> Difference:
    apart = (one.double() - other.double()).abs()
    return Difference(name, float(apart.max()), float(apart.mean()), allowed)


def refuse(found: Sequence[Difference]) -> None:
    """UserError if a difference is not allowed."""
    for one in found:
        if not one.held:
            raise UserError(
                f"nothing is written: {one.output} of the export is {one.largest:.3g} from eager torch, "
                f"{one.allowed:.3g} is allowed (tolerance=)"
            )


def words(found: Sequence[Difference]) -> Iterator[str]:
    """A line for each output."""
    for one in found:
        yield f"{one.output}: at most {one.largest:.2g}, on average {one.mean:.2g} from eager torch"


def mean_psnr(output: Upscaled, hr: Tensor) -> float:
    """The mean over faces of PSNR RGB in dB, images rounded to 8 bits."""
    return float(psnr((quantise(output.image) + 1) / 2, (hr + 1) / 2).mean())
