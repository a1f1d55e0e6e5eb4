"""The joint generator for blurry low-resolution faces, after Xu et al. 2017; its discriminator knows three classes.

Their generator enlarges and deblurs in one network, and their discriminator tells several classes of pictures apart.
Our choice, all of the layers: residual blocks at 16x16, then transposed convolutions.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from src.model.layers import Residual, up_bn_relu
from src.model.output import Upscaled
from src.model.plain import Plain


@dataclass(frozen=True)
class Xu2017Config(Plain):
    """The joint generator: 0.54 M parameters and 0.52 GMAC with the defaults."""

    name: Literal["xu2017"] = "xu2017"
    width: int = 64
    """Channels, 1 or more."""
    blocks: int = 8
    """Residual blocks at 16x16, 0 or more."""
    title: ClassVar[str] = "Xu et al. 2017"

    def build(self) -> "Xu2017":
        """The network."""
        return Xu2017(self)


class Xu2017(nn.Module):
    """Conv k5, residual blocks, three transposed convolutions k4 s2, conv k5."""

    def __init__(self, config: Xu2017Config | None = None) -> None:
        super().__init__()
        config = config or Xu2017Config()
        width = config.width
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 5, padding=2),
            *(Residual(width, width) for _ in range(config.blocks)),
            *(up_bn_relu(width, width) for _ in range(3)),
            nn.Conv2d(width, 3, 5, padding=2),
        )

    def forward(self, lr: Tensor) -> Upscaled:
        """(B, 3, 16, 16) in [-1, 1] -> the face (B, 3, 128, 128), without heatmaps and transform."""
        return Upscaled(self.layers(lr), [], None)
