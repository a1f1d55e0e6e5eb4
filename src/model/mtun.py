"""MTUN, the generator: an unaligned 16x16 face in, the upright 128x128 face and its component heatmaps out.

The order is that of the source text (sections 7.5.3-7.5.4); the layers and widths are those of the published code.
Every convolution has a bias; the leaky ReLUs have slope 0.2; image values are in [-1, 1].
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.image.sides import LR_SIDE, SIDE
from src.image.warp import warp
from src.model.branches import Branches
from src.model.hourglass import HeatmapEstimation, HEBConfig
from src.model.layers import Residual, Upsample, conv_bn_relu, down_bn_lrelu, up_bn_relu
from src.model.output import Upscaled
from src.model.parameters import groups_without
from src.model.recompute import recompute
from src.model.stn import Localisation, SpatialTransformer

ALIGN_SIDE = 64


@dataclass(frozen=True)
class MTUNConfig(Branches):
    """The generator of the paper; the defaults are the source text's network of 45.0 M parameters."""

    name: Literal["mtun"] = "mtun"
    heatmaps: int = 4
    """Facial component heatmaps M: 4, 5 or 68."""
    autoencoder: bool = True
    """False: the upsampler reads the LR face itself (ablation)."""
    encoder_widths: tuple[int, int, int, int] = (32, 128, 512, 2048)
    """Channels at 8x8, 4x4, 2x2 and 1x1."""
    decoder_widths: tuple[int, int, int, int] = (1024, 768, 512, 256)
    """Channels at 2x2, 4x4, 8x8 and 16x16."""
    upsampler_widths: tuple[int, int] = (128, 64)
    """Channels at 32x32 and 64x64."""
    localisation: Localisation = "source"
    """The STN's localisation net: source | published (at 64x64), features16 (at 16x16), none."""
    features: int = 64
    """Channels of the aligned features F."""
    heb: HEBConfig = field(default_factory=HEBConfig)
    skip: bool = True
    """False: the tail sees only the fused path (ablation)."""
    residual: Literal["source", "published"] = "source"
    """Hidden width of the one block that narrows (tail, 64 to 32): its inputs (source) or its outputs (published)."""

    @property
    def title(self) -> str:
        """Its name in tables."""
        return "MTUN"

    @property
    def aligns_alone(self) -> bool:
        """Never: the STN looks at features."""
        return False

    def build(self) -> "MTUN":
        """The network."""
        return MTUN(self)

    def parameter_groups(self, generator: nn.Module) -> list[list[nn.Parameter]]:
        """The weights outside the STN, then those of the STN."""
        assert isinstance(generator, MTUN)
        return groups_without(generator, generator.stn)


class Autoencoder(nn.Module):
    """A U-Net with a 1x1 bottleneck, 3x16x16 to 256x16x16: context from the whole face."""

    def __init__(self, encoder: tuple[int, int, int, int], decoder: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.down8 = down_bn_lrelu(3, encoder[0])
        self.down4 = down_bn_lrelu(encoder[0], encoder[1])
        self.down2 = down_bn_lrelu(encoder[1], encoder[2])
        self.bottleneck = down_bn_lrelu(encoder[2], encoder[3], kernel=2, stride=1, padding=0)
        self.up2 = up_bn_relu(encoder[3], decoder[0], kernel=2, stride=1, padding=0)
        self.up4 = up_bn_relu(decoder[0] + encoder[2], decoder[1])
        self.up8 = up_bn_relu(decoder[1] + encoder[1], decoder[2])
        self.up16 = up_bn_relu(decoder[2] + encoder[0], decoder[3])

    def forward(self, lr: Tensor) -> Tensor:
        """(B, 3, 16, 16) -> (B, decoder[3], 16, 16)."""
        at8 = self.down8(lr)  # (B, 32, 8, 8)
        at4 = self.down4(at8)  # (B, 128, 4, 4)
        at2 = self.down2(at4)  # (B, 512, 2, 2)
        at1 = self.bottleneck(at2)  # (B, 2048, 1, 1)
        up = self.up2(at1)  # (B, 1024, 2, 2)
        up = self.up4(torch.cat([up, at2], 1))  # (B, 768, 4, 4)
        up = self.up8(torch.cat([up, at4], 1))  # (B, 512, 8, 8)
        out: Tensor = self.up16(torch.cat([up, at8], 1))  # (B, 256, 16, 16)
        return out


class MTUN(nn.Module):
    """The multi-task upsampling network U of Eqs. 7.1-7.6.

    Attributes:
        checkpoint_activations: less memory for more computation in training, see `recompute`.
    """

    def __init__(self, config: MTUNConfig | None = None) -> None:
        super().__init__()
        self.checkpoint_activations = False
        self.config = config = config or MTUNConfig()
        width, (up32, up64) = config.features, config.upsampler_widths

        self.autoencoder = Autoencoder(config.encoder_widths, config.decoder_widths) if config.autoencoder else None
        at16 = config.decoder_widths[3] + 3 if config.autoencoder else 3
        self.upsampler = nn.Sequential(up_bn_relu(at16, up32), up_bn_relu(up32, up64))

        self.stn: SpatialTransformer | None = None
        if config.localisation != "none":
            self.stn = SpatialTransformer(
                at16 if config.localisation == "features16" else up64 + 3, config.localisation
            )
        self.align = conv_bn_relu(up64 + 3, width)

        self.heb = HeatmapEstimation(width, config.heatmaps, config.heb) if config.heb.enabled else None
        maps = config.heatmaps if config.heb.enabled else 0
        self.fuse = nn.Sequential(
            nn.Conv2d(width + maps, width, 3, padding=1),
            Residual(width, width),
            nn.ReLU(inplace=True),
        )
        self.grow = nn.Sequential(nn.Conv2d(width, 32, 3, padding=1), Residual(32, 32), nn.ReLU(inplace=True))
        self.skip = (
            nn.Sequential(Upsample(2), nn.Conv2d(width, 64, 3, padding=1), Residual(64, 64), nn.ReLU(inplace=True))
            if config.skip
            else None
        )
        tail = (64, 32) if config.skip else (32, 32)
        self.tail = nn.Sequential(
            nn.Conv2d(96 if config.skip else 32, tail[0], 3, padding=1),
            Residual(*tail, hidden=tail[0] if config.residual == "source" else tail[1]),
            Residual(32, 32),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, 16, 3, padding=1),
            Residual(16, 16),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 3, 5, padding=2),
        )

    def forward(self, lr: Tensor) -> Upscaled:
        """(B, 3, 16, 16) in [-1, 1], unaligned -> the upright face, its heatmaps and the estimated transform."""
        if lr.shape[1:] != (3, LR_SIDE, LR_SIDE):
            raise ValueError(f"MTUN takes (B, 3, {LR_SIDE}, {LR_SIDE}), not {tuple(lr.shape)}")
        context = lr if self.autoencoder is None else torch.cat([self._run(self.autoencoder, lr), lr], 1)  # 259x16x16
        upsampled = self._run(self.upsampler, context)  # (B, 64, 64, 64)
        features = torch.cat([upsampled, F.interpolate(lr, scale_factor=4.0, mode="nearest")], 1)  # (B, 67, 64, 64)

        matrix = None
        if self.stn is not None:
            matrix = self.stn(context if self.config.localisation == "features16" else features)  # (B, 2, 3)
            features = warp(features, matrix)
        aligned = self._run(self.align, features)  # F: (B, 64, 64, 64)

        heatmaps = [] if self.heb is None else self.heb(self._to_heb(aligned))  # 4 x (B, M, 64, 64)
        fused = self._run(self.grow, self._fuse(aligned, heatmaps))  # (B, 32, 128, 128)
        if self.skip is not None:
            fused = torch.cat([self._run(self.skip, aligned), fused], 1)  # (B, 96, 128, 128)
        if not self.checkpoint_activations:
            return Upscaled(self.tail(fused), heatmaps, matrix)  # (B, 3, 128, 128)
        # In three parts: the activations of the whole tail at 128x128 would set the peak memory.
        for part in (self.tail[:2], self.tail[2:4], self.tail[4:]):
            fused = self._run(part, fused)
        return Upscaled(fused, heatmaps, matrix)

    def _run(self, part: nn.Module, features: Tensor) -> Tensor:
        return recompute(part, features, enabled=self.checkpoint_activations)

    def _to_heb(self, aligned: Tensor) -> Tensor:
        """F at the branch's resolution. Our choice for the ablations: resample F, so that all else stays equal."""
        side = self.config.heb.resolution
        if side < ALIGN_SIDE:
            return F.avg_pool2d(aligned, ALIGN_SIDE // side)
        return aligned if side == ALIGN_SIDE else F.interpolate(aligned, scale_factor=2.0, mode="nearest")

    def _fuse(self, aligned: Tensor, heatmaps: list[Tensor]) -> Tensor:
        """F with the last stack's heatmaps, at 128x128: (B, 64, 128, 128). Heatmaps are not detached."""
        if not heatmaps:
            return F.interpolate(self._run(self.fuse, aligned), scale_factor=2.0, mode="nearest")
        last, side = heatmaps[-1], max(ALIGN_SIDE, self.config.heb.resolution)
        grown = [
            tensor if tensor.shape[-1] == side else F.interpolate(tensor, (side, side), mode="nearest")
            for tensor in (aligned, last)
        ]
        fused = self._run(self.fuse, torch.cat(grown, 1))
        return fused if side == SIDE else F.interpolate(fused, scale_factor=2.0, mode="nearest")
