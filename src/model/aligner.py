"""The aligner: a small residual network that finds a face in the LR picture and estimates its similarity transform."""

import torch
from torch import Tensor, nn

from src.image.warp import similarity_matrix
from src.model.layers import Residual, conv_bn_relu


class Aligner(nn.Module):
    """Residual blocks at 16x16, 8x8 and 4x4, a hidden layer, four numbers that start at the identity.

    Our choice. It looks at the LR picture alone, so it can learn before the rest of the generator does. Its receptive
    field is the whole face.

    Args:
        width: channels at 16x16; twice as many at 8x8, three times at 4x4.
        hidden: units of the hidden layer.
    """

    def __init__(self, width: int = 64, hidden: int = 256) -> None:
        super().__init__()
        widths = (width, 2 * width, 3 * width)
        stages: list[nn.Module] = [conv_bn_relu(3, width)]
        for inputs, outputs in zip((width, *widths[:-1]), widths, strict=True):
            stages += [Residual(inputs, outputs), Residual(outputs, outputs)]
            stages.append(nn.MaxPool2d(2) if outputs != widths[-1] else nn.BatchNorm2d(outputs))
        self.stages = nn.Sequential(*stages, nn.ReLU(inplace=True), nn.Flatten())
        self.hidden = nn.Sequential(nn.Linear(widths[-1] * 4 * 4, hidden), nn.ReLU(inplace=True))
        self.head = nn.Linear(hidden, 4)
        nn.init.zeros_(self.head.weight)
        with torch.no_grad():
            self.head.bias.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))

    def forward(self, lr: Tensor) -> Tensor:
        """(B, 3, 16, 16) in [-1, 1] -> the 2x3 matrices (B, 2, 3) in float32: upright to unaligned coordinates."""
        found = self.hidden(self.stages(lr))
        with torch.autocast(lr.device.type, enabled=False):
            angle, scale, shift_x, shift_y = self.head(found.float()).unbind(1)
            return similarity_matrix(angle, scale, shift_x, shift_y)
