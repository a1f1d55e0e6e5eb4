"""MTUN-light, the generator for CPUs and quick runs: the method's parts, with most work at 16x16 and 32x32.

Our choice throughout. It keeps what makes the method: upsampled features, a similarity STN that warps them upright,
supervised hourglasses on the aligned features, their last heatmaps fused back. It leaves out the autoencoder through
a 1x1 bottleneck (94 % of MTUN's parameters) and moves the STN's localisation to 16x16 features and the hourglasses to
32x32, where a 3x3 convolution costs 1/4 of one at 64x64 and 1/16 of one at 128x128.
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.image.sides import LR_SIDE
from src.image.warp import warp
from src.model.aligner import Aligner, AlignerConfig
from src.model.branches import Branches
from src.model.hourglass import HeatmapEstimation, HEBConfig
from src.model.layers import Residual, conv_bn_relu
from src.model.output import Upscaled
from src.model.parameters import groups_without
from src.model.recompute import recompute
from src.model.stn import SpatialTransformer


@dataclass(frozen=True)
class LightConfig(Branches):
    """MTUN-light: 1.11 M parameters and 0.595 GMAC with the defaults."""

    name: Literal["light"] = "light"
    heatmaps: int = 4
    """Facial component heatmaps M: 4, 5 or 68."""
    width: int = 64
    """Channels of the trunk at 16x16 and 32x32."""
    width64: int = 40
    """Channels of the tail at 64x64."""
    blocks16: int = 6
    """Residual blocks on the unaligned 16x16 features, before the STN."""
    blocks32: int = 4
    """Residual blocks on the aligned 32x32 features, after the heatmaps are fused in."""
    localisation: Literal["aligner", "features16", "none"] = "features16"
    """Who estimates the transform: a network of its own on the LR face, which the alignment loss alone teaches
    (aligner), a small one on 16x16 features (features16), or nobody (ablation)."""
    aligner: AlignerConfig = field(default_factory=AlignerConfig)
    heb: HEBConfig = field(default_factory=lambda: HEBConfig(resolution=32, stacks=2, width=32, depth=3))

    def __post_init__(self) -> None:
        if self.heb.enabled and self.heb.resolution != 32:
            raise ValueError("model.generator.heb.resolution must be 32 in the light generator: its features are 32x32")

    @property
    def title(self) -> str:
        """Its name in tables; without STN and heatmaps it is no MTUN."""
        return "MTUN-light" if self.aligns or self.heb.enabled else "light trunk"

    @property
    def aligns_alone(self) -> bool:
        """Whether the STN needs nothing but the LR face."""
        return self.localisation == "aligner"

    def build(self) -> "LightMTUN":
        """The network."""
        return LightMTUN(self)

    def parameter_groups(self, generator: nn.Module) -> list[list[nn.Parameter]]:
        """The weights outside the STN, then those of the STN."""
        assert isinstance(generator, LightMTUN)
        return groups_without(generator, generator.stn)


class LightMTUN(nn.Module):
    """Stem and residuals at 16x16, pixel shuffle, STN, hourglasses and residuals at 32x32, two pixel shuffles.

    Attributes:
        checkpoint_activations: less memory for more computation in training, see `recompute`.
    """

    def __init__(self, config: LightConfig | None = None) -> None:
        super().__init__()
        self.checkpoint_activations = False
        self.config = config = config or LightConfig()
        width = config.width
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), *(Residual(width, width) for _ in range(config.blocks16))
        )
        self.upsampler = nn.Sequential(nn.Conv2d(width + 3, 4 * width, 1), nn.PixelShuffle(2))
        self.stn: nn.Module | None = None
        if config.localisation == "aligner":
            self.stn = Aligner(config.aligner)
        elif config.localisation == "features16":
            self.stn = SpatialTransformer(width + 3, "features16")
        self.align = conv_bn_relu(width + 3, width)
        self.heb = HeatmapEstimation(width, config.heatmaps, config.heb) if config.heb.enabled else None
        maps = config.heatmaps if config.heb.enabled else 0
        self.fuse = nn.Sequential(
            nn.Conv2d(width + maps, width, 3, padding=1), *(Residual(width, width) for _ in range(config.blocks32))
        )
        self.tail = nn.Sequential(
            nn.Conv2d(width, 4 * config.width64, 3, padding=1),
            nn.PixelShuffle(2),
            Residual(config.width64, config.width64),
            nn.ReLU(inplace=True),
            # No feature map at 128x128: on a CPU one block of 16 channels there takes longer than everything before it.
            nn.Conv2d(config.width64, 4 * 3, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def forward(self, lr: Tensor) -> Upscaled:
        """(B, 3, 16, 16) in [-1, 1], unaligned -> the upright face, its heatmaps and the estimated transform."""
        if lr.shape[1:] != (3, LR_SIDE, LR_SIDE):
            raise ValueError(f"MTUN-light takes (B, 3, {LR_SIDE}, {LR_SIDE}), not {tuple(lr.shape)}")
        context = torch.cat([self._run(self.stem, lr), lr], 1)  # (B, 67, 16, 16)
        enlarged = F.interpolate(lr, scale_factor=2.0, mode="bicubic", align_corners=False)
        features = torch.cat([self.upsampler(context), enlarged], 1)  # (B, 67, 32, 32)

        matrix = None
        if self.stn is not None:
            alone = self.config.aligns_alone
            matrix = self.stn(lr if alone else context)  # (B, 2, 3)
            # The alignment loss alone teaches the aligner: where targets move with it, images show no error of it.
            features = warp(features, matrix.detach() if alone else matrix)
        aligned = self._run(self.align, features)  # (B, 64, 32, 32)

        heatmaps = [] if self.heb is None else self.heb(aligned)  # 2 x (B, M, 32, 32)
        guided = torch.cat([aligned, *heatmaps[-1:]], 1)  # (B, 64 + M, 32, 32)
        image = self._run(self.tail, aligned + self._run(self.fuse, guided))  # (B, 3, 128, 128)
        return Upscaled(image, heatmaps, matrix)

    def _run(self, part: nn.Module, features: Tensor) -> Tensor:
        return recompute(part, features, enabled=self.checkpoint_activations)
