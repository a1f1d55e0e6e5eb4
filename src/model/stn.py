"""The spatial transformer (STN): estimates a similarity transform and warps features upright with it."""

from typing import Literal

import torch
from torch import Tensor, nn

from src.image.warp import similarity_matrix
from src.model.layers import conv_bn_relu

Localisation = Literal["source", "published", "features16", "none"]


def _source_localisation(inputs: int, pool: bool) -> nn.Sequential:
    """The source text's: pool, conv k5 n20, pool, conv k5 n20, pool, FC 80 to 20. For 32x32 features and larger.

    Without the first pool it is for 16x16 features, as in the encoder of the published code of TDAE.
    """
    return nn.Sequential(
        nn.MaxPool2d(2) if pool else nn.Identity(),
        nn.Conv2d(inputs, 20, 5),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 20, 5),
        nn.ReLU(inplace=True),
        # Our choice: adaptive, since no power-of-two input reaches the stated 80 = 20x2x2 through three pools.
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        nn.Linear(80, 20),
        nn.ReLU(inplace=True),
    )


def _published_localisation(inputs: int) -> nn.Sequential:
    """The published code's, for 64x64 features: conv k5 n128, conv k5 n20, conv k3 n20, FC 180 to 20."""
    return nn.Sequential(
        nn.MaxPool2d(2),
        nn.Conv2d(inputs, 128, 5),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(128, 20, 5),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 20, 3),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(180, 20),
        nn.ReLU(inplace=True),
    )


def _features16_localisation(inputs: int) -> nn.Sequential:
    """Our choice for short trainings: two conv+BN+ReLU+pool stages on 16x16 features, FC 128."""
    return nn.Sequential(
        conv_bn_relu(inputs, 64),
        nn.MaxPool2d(2),
        conv_bn_relu(64, 96),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(96 * 4 * 4, 128),
        nn.ReLU(inplace=True),
    )


class SpatialTransformer(nn.Module):
    """Estimates a similarity transform: 4 numbers (angle, scale, tx, ty) that start at the identity.

    Args:
        inputs: channels of the features.
        localisation: which localisation net.
        pool: False: without the first pool of `source`, for 16x16 features.
    """

    def __init__(self, inputs: int, localisation: Localisation, pool: bool = True) -> None:
        super().__init__()
        match localisation:
            case "source":
                self.localisation, hidden = _source_localisation(inputs, pool), 20
            case "published":
                self.localisation, hidden = _published_localisation(inputs), 20
            case "features16":
                self.localisation, hidden = _features16_localisation(inputs), 128
            case "none":
                raise ValueError("localisation 'none' has no transformer to build")
        self.head = nn.Linear(hidden, 4)
        nn.init.zeros_(self.head.weight)
        # Angle 0, scale 1, no shift: the source text's identity. The published code's bias starts the angle at 1 rad.
        with torch.no_grad():
            self.head.bias.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> the 2x3 matrices (B, 2, 3) in float32: upright output to unaligned input coordinates.

        Everything is computed in float32: near scale 1, bfloat16 numbers are 1/128 apart, half a pixel of 128.
        """
        with torch.autocast(features.device.type, enabled=False):
            angle, scale, shift_x, shift_y = self.head(self.localisation(features.float())).unbind(1)
            return similarity_matrix(angle, scale, shift_x, shift_y)
