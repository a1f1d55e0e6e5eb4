"""The bicubic baselines: of the unaligned input, and of the input aligned by the known transform."""

from torch import Tensor

from src.image.pixels import upsample_bicubic
from src.image.sides import OWN_LR_SIDE, SIDE
from src.image.warp import align
from src.method.method import OF_UNALIGNED, Facts
from src.model.output import Upscaled


class Bicubic:
    """Bicubic enlargement of the unaligned input."""

    name, title = "bicubic", f"bicubic{OF_UNALIGNED}"
    facts = Facts(lr_side=OWN_LR_SIDE)

    def __call__(self, lr: Tensor) -> Upscaled:
        """(B, 3, 16, 16) or (B, 4, 32, 32) to (B, 3, 128, 128)."""
        return Upscaled(upsample_bicubic(lr[:, :3], SIDE), [], None)


class BicubicAligned(Bicubic):
    """Bicubic enlargement, then the known transform: what perfect alignment alone would give."""

    name, title = "bicubic_aligned", "bicubic of the input aligned by the known transform"

    def upright(self, lr: Tensor, matrix: Tensor) -> Upscaled:
        """See `ToldTransform`."""
        return Upscaled(align(upsample_bicubic(lr[:, :3], SIDE), matrix), [], None)
