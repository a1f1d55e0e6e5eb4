"""The small layers that the networks share.

Every ReLU works in place. It overwrites the output of a normalisation, convolution, linear layer, pooling or sum; none
of these needs its output in the backward pass. Allocating a new tensor takes longer than the ReLU itself.
"""

import torch
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


def residuals(width: int, count: int) -> list[nn.Module]:
    """`count` residual blocks that keep their width."""
    return [Residual(width, width) for _ in range(count)]


class Attention(nn.Module):
    """Self-attention among all places of a map, plus shortcut; it adds nothing at first.

    Args:
        width: channels, a multiple of `heads`.
        heads: parts of the channels, each with attention of its own.
    """

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.BatchNorm2d(width)
        self.query_key_value = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """(B, width, H, W) -> (B, width, H, W)."""
        batch, width, height, across = features.shape
        mixed = self.query_key_value(self.norm(features)).permute(0, 2, 3, 1)
        mixed = mixed.reshape(batch, height * across, 3, self.heads, width // self.heads)
        query, key, value = mixed.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, H * W, width / heads)
        seen = F.scaled_dot_product_attention(query, key, value).transpose(1, 2)
        seen = seen.reshape(batch, height, across, width).permute(0, 3, 1, 2)
        out: Tensor = features + self.out(seen)
        return out


class Modulation(nn.Module):
    """Heatmaps give every place of the features a scale and a shift of its own; at first neither does anything.

    As SPADE (Park et al. 2019), but without its normalisation: features + scale * features + shift, where scale and
    shift are conv k3 to width / 2, ReLU, conv k3 of the heatmaps.

    Args:
        maps: M, the number of heatmaps.
        width: channels of the features, an even number.
    """

    def __init__(self, maps: int, width: int) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(maps, width // 2, 3, padding=1)
        self.scale_shift = nn.Conv2d(width // 2, 2 * width, 3, padding=1)
        nn.init.zeros_(self.scale_shift.weight)
        nn.init.zeros_(self.scale_shift.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, heatmaps: Tensor) -> Tensor:
        """(B, width, H, W), (B, M, H, W) -> (B, width, H, W)."""
        scale, shift = self.scale_shift(F.relu(self.hidden(heatmaps))).chunk(2, 1)
        # Not (1 + scale) * features: in bfloat16 1 + scale would lose what a small scale says.
        out: Tensor = features + (scale * features + shift)
        return out


def scaled_gradient(features: Tensor, share: float) -> Tensor:
    """The same values, through which only a share of the gradient flows back.

    Args:
        features: any tensor.
        share: 0 (none of it) to 1 (all of it).
    """
    if share == 1:
        return features
    still = features.detach()
    # Unlike share * features + (1 - share) * still, this leaves the last digit of the values alone.
    return still if share == 0 else torch.lerp(still, features, share)


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
