"""The aligner: a small residual network that finds a face in the LR picture and estimates its similarity transform."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from src.image.own_size import FOLDED, folded
from src.image.sides import LR_SIDE
from src.image.warp import align_small, compose, similarity_matrix
from src.model.layers import Residual, conv_bn_relu


@dataclass(frozen=True)
class AlignerConfig:
    """The size of the aligner; 1.66 M parameters with the defaults."""

    width: int = 64
    """Channels at 16x16, 1 or more; twice as many at 8x8, three times at 4x4."""
    hidden: int = 256
    """Units of the hidden layer, 1 or more."""
    passes: int = 1
    """How often it looks, 1-4: from the second time on at the LR face as its estimate so far turns it upright."""

    def __post_init__(self) -> None:
        if not 1 <= self.passes <= 4:
            raise ValueError(f"passes must be 1-4, not {self.passes}")
        if self.width < 1 or self.hidden < 1:
            raise ValueError(f"width and hidden must be 1 or more, not {self.width} and {self.hidden}")


class Aligner(nn.Module):
    """Residual blocks at 16x16, 8x8 and 4x4, a hidden layer, four numbers that start at the identity.

    Our choice. It looks at the LR picture alone, so it can learn before the rest of the generator does. Its receptive
    field is the whole face. In eval mode it looks twice, at the face and at its mirror image, and takes the mean.

    With several passes the same weights look again at the face that the estimate so far has turned upright, and correct
    it. In training the rows of a batch differ in their passes: the first row gets one, the next two, and so on, so that
    the weights learn from faces as they come and from faces that are nearly upright.
    """

    def __init__(self, config: AlignerConfig | None = None, lr_side: int = LR_SIDE) -> None:
        super().__init__()
        config = config or AlignerConfig()
        self.passes = config.passes
        width, hidden = config.width, config.hidden
        widths = (width, 2 * width, 3 * width)
        stages: list[nn.Module] = [conv_bn_relu(FOLDED[lr_side], width)]
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
        """(B, 3, 16, 16) in [-1, 1] -> the 2x3 matrices (B, 2, 3) in float32: upright to unaligned coordinates.

        With `lr_side` 32 it takes (B, 4, 32, 32), see `with_own_size`.
        """
        if not self.training:
            matrix = self._look(lr)
            for _ in range(self.passes - 1):
                matrix = compose(matrix, self._look(align_small(lr, matrix)))
            return matrix
        if self.passes == 1:
            return self._look(lr)
        so_far, seen = torch.eye(2, 3, device=lr.device).repeat(len(lr), 1, 1), lr
        for number in range(1, self.passes):
            rows = [row for row in range(len(lr)) if row % self.passes >= number]
            if rows:
                so_far[rows] = compose(so_far[rows], self._look(seen[rows])).detach()
                seen = align_small(lr, so_far)
        return compose(so_far, self._look(seen))

    def _look(self, lr: Tensor) -> Tensor:
        """The transform by one look, in eval mode one look and one at the mirror image, (B, 2, 3) float32."""
        if self.training:
            return similarity_matrix(*self._estimate(lr).unbind(1))
        both = self._estimate(torch.cat([lr, lr.flip(3)]))
        seen, mirrored = both.reshape(2, lr.shape[0], 4).unbind(0)  # a chunk would fix the batch when exported
        # In a mirror, angle and horizontal shift change their signs.
        back = mirrored * mirrored.new_tensor([-1.0, 1.0, -1.0, 1.0])
        return similarity_matrix(*((seen + back) / 2).unbind(1))

    def _estimate(self, lr: Tensor) -> Tensor:
        """Angle in radians, scale and shifts in x and y in normalised units, (B, 4) float32."""
        found = self.hidden(self.stages(folded(lr)))
        with torch.autocast(lr.device.type, enabled=False):
            estimate: Tensor = self.head(found.float())
            return estimate
