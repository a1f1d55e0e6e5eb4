"""STN0, the separate aligner of LR faces: it stands in front of methods that need aligned inputs."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from src.image.pixels import upsample_bicubic
from src.image.sides import LR_SIDE, SIDE
from src.image.warp import align_small
from src.model.aligner import Aligner, AlignerConfig
from src.model.output import Upscaled
from src.model.stage import WHOLE, Stage


@dataclass(frozen=True)
class STN0Config(AlignerConfig):
    """STN0: the aligner of the light generator, alone; 1.66 M parameters with the defaults."""

    name: Literal["stn0"] = "stn0"
    title: ClassVar[str] = "STN0"
    heatmaps: ClassVar[int] = 0
    heatmap_side: ClassVar[int | None] = None
    aligns: ClassVar[bool] = True
    aligns_alone: ClassVar[bool] = True
    stages: ClassVar[tuple[Stage, ...]] = WHOLE

    def build(self) -> "STN0":
        """The network."""
        return STN0(self)

    def parameter_groups(self, generator: nn.Module) -> list[list[nn.Parameter]]:
        """All weights in one group: there is nothing beside the aligner."""
        return [list(generator.parameters())]


class STN0(nn.Module):
    """16x16 in; the upright 16x16, enlarged by bicubic, and its transform out."""

    def __init__(self, config: STN0Config | None = None) -> None:
        super().__init__()
        self.stn = Aligner(config or STN0Config())

    def forward(self, lr: Tensor) -> Upscaled:
        """(B, 3, 16, 16) in [-1, 1], unaligned -> the bicubic enlargement of the aligned face, and the transform."""
        if lr.shape[1:] != (3, LR_SIDE, LR_SIDE):
            raise ValueError(f"STN0 takes (B, 3, {LR_SIDE}, {LR_SIDE}), not {tuple(lr.shape)}")
        matrix = self.stn(lr)  # (B, 2, 3)
        upright = align_small(lr, matrix.detach())  # (B, 3, 16, 16); the alignment loss alone teaches the aligner
        return Upscaled(upsample_bicubic(upright, SIDE), [], matrix)
