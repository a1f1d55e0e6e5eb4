"""The trunk of the light generator, which sees the whole upright face and knows where in it a pixel lies."""

import torch
from torch import Tensor, nn

from src.image.sides import LR_SIDE
from src.model.layers import Attention, residuals


class Trunk(nn.Module):
    """A U-Net on upright features: 16x16, 8x8, 4x4 and back, with pixel shuffles on the way up.

    Args:
        inputs: channels of the features that it reads.
        width: channels at 16x16, a multiple of 8; 5/4 as many at 8x8, 3/2 as many at 4x4.
        blocks: residual blocks at 16x16 and at 8x8, half of them on the way down, and at 4x4.
        positions: learnt maps that tell it where in the upright face a pixel lies; 0: none.
        attention: a block of self-attention among the 4x4 and among the 16x16 places.
    """

    def __init__(self, inputs: int, width: int, blocks: tuple[int, int, int], positions: int, attention: bool) -> None:
        super().__init__()
        blocks16, blocks8, blocks4 = blocks
        width16, width8, width4 = width, width * 5 // 4, width * 3 // 2
        down16, down8 = blocks16 // 2, blocks8 // 2
        self.positions = nn.Parameter(torch.empty(1, positions, LR_SIDE, LR_SIDE))
        # Not where a file has the weights: normal_ on the meta device imports torch's compiler, which takes seconds.
        if not self.positions.is_meta:
            nn.init.normal_(self.positions, std=0.1)
        self.down16 = nn.Sequential(nn.Conv2d(inputs + positions, width16, 3, padding=1), *residuals(width16, down16))
        self.down8 = nn.Sequential(nn.Conv2d(width16, width8, 2, 2), *residuals(width8, down8))
        self.bottom = nn.Sequential(
            nn.Conv2d(width8, width4, 2, 2), *residuals(width4, blocks4), *([Attention(width4)] * attention)
        )
        self.to8 = nn.Sequential(nn.Conv2d(width4, 4 * width8, 1), nn.PixelShuffle(2))
        self.up8 = nn.Sequential(*residuals(width8, blocks8 - down8))
        self.to16 = nn.Sequential(nn.Conv2d(width8, 4 * width16, 1), nn.PixelShuffle(2))
        self.up16 = nn.Sequential(
            *residuals(width16, blocks16 - down16), *([Attention(width16)] * attention)
        )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs, 16, 16) -> (B, width, 16, 16)."""
        places = self.positions.to(features.dtype).expand(features.shape[0], -1, -1, -1)
        at16 = self.down16(torch.cat([features, places], 1))
        at8 = self.down8(at16)
        at8 = self.up8(at8 + self.to8(self.bottom(at8)))
        out: Tensor = self.up16(at16 + self.to16(at8))
        return out
