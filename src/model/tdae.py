"""TDAE (Yu and Porikli 2017b): a decoder, an encoder and a second decoder, trained one after the other.

Layers, kernels and channels are those of the authors' public code, and so are the three trainings. The first decoder
enlarges the unaligned, noisy LR face, the encoder takes its face back to an upright and clean LR face, and the second
decoder enlarges that.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from src.image.sides import LR_SIDE
from src.image.warp import compose, warp
from src.model.layers import Upsample, conv_bn_relu
from src.model.output import Upscaled
from src.model.parameters import groups_without
from src.model.stage import Stage, in_turn
from src.model.stn import SpatialTransformer


@dataclass(frozen=True)
class TDAEConfig:
    """TDAE: 6.91 M parameters and 17.3 GMAC with the defaults, most of the work at 64x64 and 128x128."""

    name: Literal["tdae"] = "tdae"
    entry: tuple[int, ...] = (64, 128)
    """Channels of the first decoder's convolutions in front of the others, each 1 or more; (): none."""
    decoder_widths: tuple[int, int, int, int] = (512, 256, 128, 64)
    """Channels of each decoder at 16x16, 32x32, 64x64 and 128x128."""
    encoder_widths: tuple[int, int, int, int] = (32, 64, 128, 256)
    """Channels of the encoder at 128x128, 64x64, 32x32 and 16x16."""
    second_stns: bool = False
    """STNs in the second decoder too, whose input is upright already."""
    noise: float = 0.1
    """Standard deviation of the noise on training LR faces, as a share of the range of values, 0-1."""
    # Our choice: in the public code a person stops the training of each part, and the parts never learn together.
    shares: tuple[float, float, float, float] = (0.4, 0.15, 0.35, 0.1)
    """Shares of the run in which the first decoder, the encoder, the second decoder and all of them learn; their sum is
    1; 0 leaves a stage out."""
    title: ClassVar[str] = "TDAE"
    heatmaps: ClassVar[int] = 0
    heatmap_side: ClassVar[int | None] = None
    aligns: ClassVar[bool] = True
    aligns_alone: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.noise <= 1:
            raise ValueError(f"model.generator.noise must be 0-1, not {self.noise:g}")
        if min(self.shares) < 0 or not math.isclose(sum(self.shares), 1, abs_tol=1e-6):
            raise ValueError(f"model.generator.shares must be 0 or more and add up to 1, not {list(self.shares)}")

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The first decoder, the encoder, the second decoder, then all of them."""
        return in_turn(
            self.shares,
            (
                Stage(part="hallucinate", learns=("first",)),
                Stage(half="aligned_lr", part="encode", learns=("encoder",)),
                Stage(learns=("second",)),
                Stage(),
            ),
        )

    def build(self) -> "TDAE":
        """The network."""
        return TDAE(self)

    def parameter_groups(self, generator: nn.Module) -> list[list[nn.Parameter]]:
        """The weights outside the STNs, then those of the STNs."""
        stns = nn.ModuleList(module for module in generator.modules() if isinstance(module, SpatialTransformer))
        return groups_without(generator, stns)


class Decoder(nn.Module):
    """16x16 to 128x128: nearest-neighbour enlargements, convolutions, and STNs at 32x32 and 64x64.

    Args:
        widths: channels at 16x16, 32x32, 64x64 and 128x128.
        entry: channels of convolutions in front, the first of them k5.
        stns: whether there are STNs.
    """

    def __init__(self, widths: tuple[int, int, int, int], entry: tuple[int, ...] = (), stns: bool = True) -> None:
        super().__init__()
        at16, at32, at64, at128 = widths
        inputs, front = 3, list[nn.Module]()
        for width in entry:
            kernel = 3 if front else 5
            front += [nn.Conv2d(inputs, width, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
            inputs = width
        self.to32 = nn.Sequential(*front, conv_bn_relu(inputs, at16), Upsample(2))
        self.stn32 = SpatialTransformer(at16, "source") if stns else None
        self.to64 = nn.Sequential(conv_bn_relu(at16, at32), Upsample(2))
        self.stn64 = SpatialTransformer(at32, "published") if stns else None
        self.to128 = nn.Sequential(
            conv_bn_relu(at32, at64, 5), Upsample(2), conv_bn_relu(at64, at128, 5), nn.Conv2d(at128, 3, 5, padding=2)
        )

    def forward(self, lr: Tensor, matrix: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """(B, 3, 16, 16) and the transform of earlier parts -> (B, 3, 128, 128) and the transform with this one's."""
        features, matrix = aligned(self.to32(lr), self.stn32, matrix)  # (B, 512, 32, 32)
        features, matrix = aligned(self.to64(features), self.stn64, matrix)  # (B, 256, 64, 64)
        return self.to128(features), matrix


class Encoder(nn.Module):
    """128x128 to 16x16: convolutions and max-pools, and STNs at 32x32 and 16x16.

    Args:
        widths: channels at 128x128, 64x64, 32x32 and 16x16.
    """

    def __init__(self, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        at128, at64, at32, at16 = widths
        self.to32 = nn.Sequential(
            conv_bn_relu(3, at128, 5),
            nn.MaxPool2d(2),
            conv_bn_relu(at128, at64, 5),
            nn.MaxPool2d(2),
            conv_bn_relu(at64, at32),
        )
        self.stn32 = SpatialTransformer(at32, "source")
        self.to16 = nn.Sequential(nn.MaxPool2d(2), conv_bn_relu(at32, at16))
        self.stn16 = SpatialTransformer(at16, "source", pool=False)
        self.last = nn.Conv2d(at16, 3, 3, padding=1)

    def forward(self, image: Tensor, matrix: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """(B, 3, 128, 128) and the transform of earlier parts -> (B, 3, 16, 16) and the transform with this one's."""
        features, matrix = aligned(self.to32(image), self.stn32, matrix)  # (B, 128, 32, 32)
        features, matrix = aligned(self.to16(features), self.stn16, matrix)  # (B, 256, 16, 16)
        return self.last(features), matrix


def aligned(features: Tensor, stn: SpatialTransformer | None, matrix: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Features as an STN warps them, (B, C, H, W), and a transform followed by the STN's, each (B, 2, 3).

    Our choice: the transforms of all STNs in a row count as the estimate of the whole network.
    """
    if stn is None:
        return features, matrix
    found = stn(features)
    return warp(features, found), found if matrix is None else compose(matrix, found)


class TDAE(nn.Module):
    """Decoder, encoder, decoder; the faces between them are clamped to [-1, 1]."""

    def __init__(self, config: TDAEConfig | None = None) -> None:
        super().__init__()
        config = config or TDAEConfig()
        self.noise = config.noise
        self.first = Decoder(config.decoder_widths, config.entry)
        self.encoder = Encoder(config.encoder_widths)
        self.second = Decoder(config.decoder_widths, stns=config.second_stns)

    def hallucinate(self, lr: Tensor) -> Upscaled:
        """The first decoder's face: (B, 3, 16, 16) in [-1, 1], in train mode with noise -> (B, 3, 128, 128)."""
        if lr.shape[1:] != (3, LR_SIDE, LR_SIDE):
            raise ValueError(f"TDAE takes (B, 3, {LR_SIDE}, {LR_SIDE}), not {tuple(lr.shape)}")
        if self.training and self.noise:
            lr = (lr + 2 * self.noise * torch.randn_like(lr)).clamp(-1, 1)
        image, matrix = self.first(lr)
        return Upscaled(image, [], matrix)

    def encode(self, lr: Tensor) -> Upscaled:
        """The encoder's upright and clean LR face of the first decoder's face: (B, 3, 16, 16) -> (B, 3, 16, 16)."""
        face = self.hallucinate(lr)
        image, matrix = self.encoder(face.image.clamp(-1, 1), face.matrix)
        return Upscaled(image, [], matrix)

    def forward(self, lr: Tensor) -> Upscaled:
        """(B, 3, 16, 16) in [-1, 1], unaligned -> the upright face (B, 3, 128, 128) and the estimated transform."""
        upright = self.encode(lr)
        image, matrix = self.second(upright.image.clamp(-1, 1), upright.matrix)
        return Upscaled(image, [], matrix)
