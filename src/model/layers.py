"""The small layers that the networks share.

Every ReLU works in place. It overwrites the output of a normalisation, convolution, linear layer, pooling or sum; none
of these needs its output in the backward pass. Allocating a new tensor takes longer than the ReLU itself.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class Residual(nn.Module):
    """The pre-activation residual block: BN, ReLU, conv k3 to `hidden`, BN, ReLU, conv k1 to `outputs`; plus shortcut.

    The source text has hidden = `inputs` (the default), the published code hidden = `outputs`; they differ only where
    a block changes the width. The shortcut is the identity, or a 1x1 convolution where the widths differ.
    """

    def __init__(self, inputs: int, outputs: int, hidden: int | None = None) -> None:
        super().__init__()
        hidden = inputs if hidden is None else hidden
        self.branch = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(inputs, hidden, 3, padding=1),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, outputs, 1),
        )
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W)."""
        out: Tensor = self.branch(features) + self.shortcut(features)
        return out


class Upsample(nn.Module):
    """Nearest-neighbour upsampling by an integer factor."""

    def __init__(self, factor: int = 2) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, factor H, factor W)."""
        return F.interpolate(features, scale_factor=float(self.factor), mode="nearest")


def conv_bn_relu(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    """A same-size convolution with bias, batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def down_bn_lrelu(inputs: int, outputs: int, kernel: int = 4, stride: int = 2, padding: int = 1) -> nn.Sequential:
    """A strided convolution, batch normalisation, leaky ReLU of slope 0.2: a step down the autoencoder."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)
    )


def up_bn_relu(inputs: int, outputs: int, kernel: int = 4, stride: int = 2, padding: int = 1) -> nn.Sequential:
    """A transposed convolution, batch normalisation, ReLU: a step up the autoencoder or the upsampler."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )
