"""MTUN-light, the generator for CPUs and quick runs: the method's parts, with most work at 16x16.

Our choice throughout. It keeps what makes the method: upsampled features, a similarity STN that warps them upright,
supervised hourglasses on the aligned features, their last heatmaps fused back. It leaves out the autoencoder through
a 1x1 bottleneck (94 % of MTUN's parameters). Upright features are folded to 16x16, where a 3x3 convolution costs 1/16
of one at 64x64; the trunk is a U-Net there, which sees the whole face and knows where in it a pixel lies.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.image.back_projection import back_projected
from src.image.own_size import FOLDED, check_lr, folded
from src.image.pixels import enlarged
from src.image.sides import LR_SIDE, OWN_LR_SIDE, SIDE
from src.image.warp import mirrored, warp
from src.model.aligner import Aligner, AlignerConfig
from src.model.branches import Branches
from src.model.hourglass import HeatmapEstimation, HEBConfig
from src.model.layers import Modulation, Residual, residuals
from src.model.output import Upscaled, mean_of_mirrored
from src.model.parameters import groups_without
from src.model.recompute import recompute
from src.model.stn import SpatialTransformer
from src.model.trunk import Trunk

WARPED: Final = 32
"""Side of the features that the STN warps: twice that of the LR face, so that bilinear sampling loses little."""
STEM: Final = 32
"""Channels of the warped features, beside the three of the enlarged LR face."""


@dataclass(frozen=True)
class LightConfig(Branches):
    """MTUN-light: the size of each part."""

    name: Literal["light"] = "light"
    heatmaps: int = 4
    """Facial component heatmaps M: 4, 5 or 68."""
    lr_side: int = LR_SIDE
    """Side of the LR faces: 16, or 32 with the size that the face had in its photograph."""
    width: int = 128
    """Channels of the trunk at 16x16, a multiple of 8; 5/4 as many at 8x8, 3/2 as many at 4x4, half at 32x32."""
    width64: int = 32
    """Channels of the tail at 64x64."""
    stem: int = 2
    """Residual blocks on the unaligned 16x16 features, before the STN."""
    blocks16: int = 4
    """Residual blocks of the trunk at 16x16, half of them on the way down."""
    blocks8: int = 2
    """The same at 8x8."""
    blocks4: int = 2
    """Residual blocks at the bottom of the U-Net, at 4x4."""
    blocks32: int = 2
    """Residual blocks on the 32x32 features, after the heatmaps are fused in."""
    leak: float = 0.0
    """Slope of the last activation below 0, 0-1; 0: a ReLU, which may die early: nothing normalises its inputs."""
    positions: int = 16
    """Learnt maps that tell the trunk where in the upright face a pixel lies; 0: none."""
    attention: bool = True
    """A block of self-attention among the 4x4 and among the 16x16 places."""
    localisation: Literal["aligner", "features16", "none"] = "features16"
    """Who estimates the transform: a network of its own on the LR face, which the alignment loss alone teaches
    (aligner), a small one on 16x16 features (features16), or nobody (ablation)."""
    aligner: AlignerConfig = field(default_factory=AlignerConfig)
    heb: HEBConfig = field(default_factory=lambda: HEBConfig(resolution=32, stacks=2, width=32, depth=3))
    """The heatmap branch; at resolution 16 it reads the trunk's 16x16 features, at 32 the 32x32 ones."""
    guidance: Literal["concat", "modulate"] = "concat"
    """How the last heatmaps act on the 32x32 features: a convolution of both adds to them (concat), or the heatmaps
    alone give each place a scale and a shift (modulate); without heatmaps it has no effect."""
    mirror: bool = False
    """In eval mode, the mean of the outputs for the face and for its mirror image (self-ensemble, Timofte et al. 2016):
    1.8 times the GMAC. Not with `localisation=features16`, which turns the two by different angles."""
    back_projection: bool = False
    """In eval mode, the SR face is corrected so that it gives, misaligned and reduced again by anti-aliased bicubic,
    the LR face (Irani and Peleg 1991): for LR faces without noise and JPEG, of 16 pixels."""

    def __post_init__(self) -> None:
        if self.heb.enabled and self.heb.resolution not in (LR_SIDE, WARPED):
            raise ValueError(
                f"model.generator.heb.resolution must be 16 or 32 in the light generator, not {self.heb.resolution}: "
                "its features are 16x16 and 32x32"
            )
        if self.mirror and self.localisation == "features16":
            raise ValueError(
                "model.generator.mirror=true needs model.generator.localisation=aligner or none: features16 turns a "
                "face and its mirror image by different angles"
            )
        if self.lr_side not in FOLDED:
            raise ValueError(f"model.generator.lr_side must be {LR_SIDE} or {OWN_LR_SIDE}, not {self.lr_side}")
        if self.back_projection and self.lr_side != LR_SIDE:
            raise ValueError(
                f"model.generator.back_projection=true needs model.generator.lr_side={LR_SIDE}, not {self.lr_side}"
            )
        if not 0 <= self.leak <= 1:
            raise ValueError(f"model.generator.leak must be 0 to 1, not {self.leak}")
        if self.width < 8 or self.width % 8:
            raise ValueError(f"model.generator.width must be a multiple of 8, not {self.width}")

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
    """Stem at 16x16, pixel shuffle, STN at 32x32, trunk at 16x16, hourglasses at 32x32 or 16x16, two pixel shuffles.

    The image is the enlarged upright LR face plus what the network adds, which is nothing at first.

    Attributes:
        checkpoint_activations: less memory for more computation in training, see `recompute`.
    """

    def __init__(self, config: LightConfig | None = None) -> None:
        super().__init__()
        self.checkpoint_activations = False
        self.config = config = config or LightConfig()
        width, width32, width64 = config.width, config.width // 2, config.width64
        inputs = FOLDED[config.lr_side]
        self.stem = nn.Sequential(nn.Conv2d(inputs, width32, 3, padding=1), *residuals(width32, config.stem))
        self.upsampler = nn.Sequential(nn.Conv2d(width32, 4 * STEM, 1), nn.PixelShuffle(2))
        self.stn: nn.Module | None = None
        if config.localisation == "aligner":
            self.stn = Aligner(config.aligner, config.lr_side)
        elif config.localisation == "features16":
            self.stn = SpatialTransformer(width32 + inputs, "features16")
        self.fold = nn.PixelUnshuffle(WARPED // LR_SIDE)
        self.trunk = Trunk(
            4 * (STEM + 3), width, (config.blocks16, config.blocks8, config.blocks4), config.positions, config.attention
        )
        self.to32 = nn.Sequential(nn.Conv2d(width, 4 * width32, 1), nn.PixelShuffle(2))
        self.heb: HeatmapEstimation | None = None
        self.fuse: nn.Conv2d | Modulation | None = None
        if config.heb.enabled:
            read = width if config.heb.resolution == LR_SIDE else width32
            self.heb = HeatmapEstimation(read, config.heatmaps, config.heb)
            self.fuse = (
                Modulation(config.heatmaps, width32)
                if config.guidance == "modulate"
                else nn.Conv2d(width32 + config.heatmaps, width32, 3, padding=1)
            )
        last = nn.Conv2d(width64, 4 * 3, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.tail = nn.Sequential(
            *residuals(width32, config.blocks32),
            nn.Conv2d(width32, 4 * width64, 1),
            nn.PixelShuffle(2),
            Residual(width64, width64),
            nn.LeakyReLU(config.leak, inplace=True) if config.leak else nn.ReLU(inplace=True),
            # No feature map at 128x128: on a CPU one block of 16 channels there takes longer than everything before it.
            last,
            nn.PixelShuffle(2),
        )

    def forward(self, lr: Tensor) -> Upscaled:
        """(B, 3, 16, 16) in [-1, 1], unaligned -> the upright face, its heatmaps and the estimated transform.

        With `lr_side` 32 it takes (B, 4, 32, 32), see `with_own_size`. With `mirror`, in eval mode, the image and the
        heatmaps are the means over the face and its mirror image. With `back_projection`, in eval mode, the image is
        in float32.
        """
        check_lr(lr, self.config.lr_side, "MTUN-light")
        matrix = self.stn(lr) if self.stn is not None and self.config.aligns_alone else None
        output = self._upscaled(lr, matrix)
        if self.training:
            return output
        if self.config.mirror:
            twin = self._upscaled(lr.flip(3), None if matrix is None else mirrored(matrix))
            output = mean_of_mirrored(output, twin)
        if self.config.back_projection:
            output = output._replace(image=back_projected(output.image, lr, output.matrix))
        return output

    def _upscaled(self, lr: Tensor, matrix: Tensor | None) -> Upscaled:
        """The output for LR faces and the aligner's transform of them; None: there is no aligner."""
        at16 = folded(lr)  # (B, 3 or 13, 16, 16)
        context = self._run(self.stem, at16)  # (B, 64, 16, 16)
        pixels = enlarged(lr, WARPED) if self.config.lr_side == LR_SIDE else lr[:, :3]
        features = torch.cat([pixels, self.upsampler(context)], 1)  # (B, 35, 32, 32)

        face = pixels
        if self.stn is not None:
            alone = matrix is not None
            if matrix is None:
                matrix = self.stn(torch.cat([context, at16], 1))  # (B, 2, 3)
            # The alignment loss alone teaches the aligner: where targets move with it, images show no error of it.
            features = warp(features, matrix.detach() if alone else matrix)
            # An aligner learns nothing from the enlarged face, whose gradient would take time.
            face = features[:, :3].detach() if alone else features[:, :3]

        at16 = self._run(self.trunk, self.fold(features))  # (B, 128, 16, 16)
        upright = self.to32(at16)  # (B, 64, 32, 32)
        heatmaps: list[Tensor] = []
        if self.heb is not None:
            heatmaps = self.heb(at16 if self.config.heb.resolution == LR_SIDE else upright)  # 2 x (B, M, R, R)
            upright = self._guided(upright, heatmaps[-1])
        image = enlarged(face, SIDE) + self._run(self.tail, upright)  # (B, 3, 128, 128)
        return Upscaled(image, heatmaps, matrix)

    def _guided(self, upright: Tensor, heatmaps: Tensor) -> Tensor:
        """The 32x32 features (B, 64, 32, 32) under the guidance of heatmaps (B, M, R, R); these are not detached."""
        if heatmaps.shape[-1] < WARPED:
            heatmaps = F.interpolate(heatmaps, (WARPED, WARPED), mode="bilinear", align_corners=False)
        if isinstance(self.fuse, Modulation):
            return self._run(self.fuse, upright, heatmaps)
        assert self.fuse is not None
        out: Tensor = upright + self.fuse(torch.cat([upright, heatmaps], 1))
        return out

    def _run(self, part: nn.Module, *inputs: Tensor) -> Tensor:
        return recompute(part, *inputs, enabled=self.checkpoint_activations)
