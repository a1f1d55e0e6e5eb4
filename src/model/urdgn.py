"""URDGN (Yu and Porikli 2016), the generator of ultra-resolution by a discriminative network, for aligned faces.

Its layers are those of the authors' public code. Our choice, where that is all we know: 3x3 kernels, batch
normalisation and ReLU in front of each enlargement, as in MTUN. Its discriminator is MTUN's.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from src.model.layers import Upsample, conv_bn_relu
from src.model.output import Upscaled
from src.model.plain import Plain


@dataclass(frozen=True)
class URDGNConfig(Plain):
    """URDGN: 0.40 M parameters and 5.5 GMAC with the defaults, most of them at 128x128."""

    name: Literal["urdgn"] = "urdgn"
    widths: tuple[int, int, int, int] = (16, 64, 128, 256)
    """Channels at 16x16, 32x32, 64x64 and 128x128."""
    title: ClassVar[str] = "URDGN"

    def build(self) -> "URDGN":
        """The network."""
        return URDGN(self)


class URDGN(nn.Module):
    """Four convolutions with a nearest-neighbour enlargement by 2 between each two, then a 5x5 convolution."""

    def __init__(self, config: URDGNConfig | None = None) -> None:
        super().__init__()
        inputs, layers = 3, list[nn.Module]()
        for width in (config or URDGNConfig()).widths:
            layers += [Upsample(2)] if layers else []
            layers.append(conv_bn_relu(inputs, width))
            inputs = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(inputs, 3, 5, padding=2))

    def forward(self, lr: Tensor) -> Upscaled:
        """(B, 3, 16, 16) in [-1, 1] -> the face (B, 3, 128, 128), without heatmaps and transform."""
        return Upscaled(self.layers(lr), [], None)
