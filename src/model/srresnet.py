"""SRResNet and the discriminator of SRGAN (Ledig et al. 2017), with three pixel shuffles for 8x."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from src.image.sides import SIDE
from src.model.output import Upscaled
from src.model.plain import Plain


@dataclass(frozen=True)
class SRResNetConfig(Plain):
    """SRResNet, the generator of SRGAN too: 1.70 M parameters and 1.36 GMAC with the defaults."""

    name: Literal["srresnet"] = "srresnet"
    width: int = 64
    """Channels, 1 or more."""
    blocks: int = 16
    """Residual blocks at 16x16, 0 or more."""
    title: ClassVar[str] = "SRResNet"

    def build(self) -> "SRResNet":
        """The network."""
        return SRResNet(self)


class SRResNet(nn.Module):
    """Conv k9, residual blocks with a skip around them all, three pixel shuffles, conv k9."""

    def __init__(self, config: SRResNetConfig | None = None) -> None:
        super().__init__()
        config = config or SRResNetConfig()
        width = config.width
        self.stem = nn.Sequential(nn.Conv2d(3, width, 9, padding=4), nn.PReLU())
        self.blocks = nn.Sequential(
            *(Block(width) for _ in range(config.blocks)), nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        )
        shuffles: list[nn.Module] = []
        for _ in range(3):
            shuffles += [nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU()]
        self.tail = nn.Sequential(*shuffles, nn.Conv2d(width, 3, 9, padding=4))

    def forward(self, lr: Tensor) -> Upscaled:
        """(B, 3, 16, 16) in [-1, 1] -> the face (B, 3, 128, 128), without heatmaps and transform."""
        features = self.stem(lr)  # (B, 64, 16, 16)
        return Upscaled(self.tail(features + self.blocks(features)), [], None)


class Block(nn.Module):
    """The residual block of SRResNet: conv k3, BN, PReLU, conv k3, BN; plus its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.PReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, width, H, W) -> the same shape."""
        out: Tensor = features + self.branch(features)
        return out


@dataclass(frozen=True)
class SRGANDiscriminatorConfig:
    """The discriminator of SRGAN: 38.2 M parameters with the defaults."""

    name: Literal["srgan"] = "srgan"
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    """Channels of the four stages, which take the side from 128 to 8."""
    hidden: int = 1024
    """Units of the fully connected layer."""

    def build(self) -> "SRGANDiscriminator":
        """The network."""
        return SRGANDiscriminator(self)


class SRGANDiscriminator(nn.Module):
    """Two convs k3 a stage, the second of stride 2; batch normalisation but in the first; then FC, LReLU, FC 1."""

    def __init__(self, config: SRGANDiscriminatorConfig | None = None) -> None:
        super().__init__()
        config = config or SRGANDiscriminatorConfig()
        inputs, layers = 3, list[nn.Module]()
        for width in config.widths:
            for before, stride in ((inputs, 1), (width, 2)):
                norm = [nn.BatchNorm2d(width)] if layers else []
                layers += [nn.Conv2d(before, width, 3, stride, 1), *norm, nn.LeakyReLU(0.2, inplace=True)]
            inputs = width
        side = SIDE // 2 ** len(config.widths)
        self.stages = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(inputs * side * side, config.hidden),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(config.hidden, 1),
        )

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, 128, 128) in [-1, 1] -> logits (B,); positive means real."""
        logits: Tensor = self.head(self.stages(image)).squeeze(1)
        return logits
