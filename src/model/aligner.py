"""The aligner: a small residual network that finds a face in the LR picture and estimates its similarity transform."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from src.image.own_size import FOLDED, folded
from src.image.sides import LR_SIDE, SIDE
from src.image.warp import align_small, compose, moved_px, similarity_matrix
from src.model.layers import Residual, conv_bn_relu
from src.model.recompute import statistics_left_alone


@dataclass(frozen=True)
class AlignerConfig:
    """The size of the aligner; 1.66 M parameters with the defaults."""

    width: int = 64
    """Channels at 16x16, 1 or more; twice as many at 8x8, three times at 4x4."""
    hidden: int = 256
    """Units of the hidden layer, 1 or more."""
    passes: int = 1
    """1 or 2; the second sees the LR face that the first has turned upright, and the mean of both counts."""
    dead_band: float = 0.0
    """In eval mode, a face stays as it is if the corners of its frame would move by less than this in the mean, in
    pixels of the 128x128 face. The least of three moves decides: by the estimate, and by the first pass over the face
    alone or its mirror image alone. From here to twice as far, the move grows from nothing to the whole; 0: no dead
    band."""

    def __post_init__(self) -> None:
        if self.passes not in (1, 2):
            raise ValueError(f"passes must be 1 or 2, not {self.passes}")
        if not 0 <= self.dead_band < SIDE:
            raise ValueError(f"dead_band must be at least 0 and below {SIDE} pixels, not {self.dead_band}")
        if self.width < 1 or self.hidden < 1:
            raise ValueError(f"width and hidden must be 1 or more, not {self.width} and {self.hidden}")


class Aligner(nn.Module):
    """Residual blocks at 16x16, 8x8 and 4x4, a hidden layer, four numbers that start at the identity.

    Our choice. It sees the LR picture alone, so it can learn before the rest of the generator does. Its receptive field
    is the whole face. In eval mode each estimate is the mean of those for the face and for its mirror image.

    In a second pass the same weights see the face that the first estimate has turned upright, and correct it; in eval
    mode the result is the mean of both estimates. In training every second face of a batch gets two passes, of which
    the second alone has gradients, and the others get one: so the weights learn from faces as they come as well as from
    faces that are nearly upright.

    Every estimate has an error. A face that is upright already would move by it, and its pixels would be resampled. In
    eval mode a dead band leaves such faces as they are. The face and its mirror image need not agree that a face is
    upright, one of them is enough: of an upright face that would move, often one alone is mistaken.
    """

    def __init__(self, config: AlignerConfig | None = None, lr_side: int = LR_SIDE) -> None:
        super().__init__()
        config = config or AlignerConfig()
        self.passes, self.dead_band = config.passes, config.dead_band
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
            return self._in_use(lr)
        if self.passes == 1:
            return self._look(lr)
        first, seen, again = torch.eye(2, 3, device=lr.device).repeat(len(lr), 1, 1), lr.clone(), lr[1::2]
        if len(again):
            with statistics_left_alone(self):  # running statistics are those of what the weights learn from
                first[1::2] = self._look(again).detach()
            seen[1::2] = _turned(again, first[1::2])
        return compose(first, self._look(seen))

    def _in_use(self, lr: Tensor) -> Tensor:
        """In eval mode: the mean of the passes, each that of the face and its mirror image, then the dead band."""
        views = self._views(lr)
        matrix = first = similarity_matrix(*views.mean(0).unbind(1))
        if self.passes == 2:
            matrix = (first + compose(first, self._look(_turned(lr, first)))) / 2
        if self.dead_band == 0:
            return matrix
        moves = [moved_px(matrix), *(moved_px(similarity_matrix(*view.unbind(1))) for view in views)]
        share = (torch.stack(moves).amin(0) / self.dead_band - 1).clamp(0, 1)
        return torch.lerp(torch.eye(2, 3, device=matrix.device).expand_as(matrix), matrix, share[:, None, None])

    def _look(self, lr: Tensor) -> Tensor:
        """The transform by one pass, (B, 2, 3) float32."""
        estimate = self._estimate(lr) if self.training else self._views(lr).mean(0)
        return similarity_matrix(*estimate.unbind(1))

    def _views(self, lr: Tensor) -> Tensor:
        """What the face and its mirror image say, both for the face: (2, B, 4) float32, as `_estimate`."""
        both = self._estimate(torch.cat([lr, lr.flip(3)]))
        seen, mirrored = both.reshape(2, lr.shape[0], 4).unbind(0)  # a chunk would fix the batch when exported
        # In a mirror, angle and horizontal shift change their signs.
        return torch.stack([seen, mirrored * mirrored.new_tensor([-1.0, 1.0, -1.0, 1.0])])

    def _estimate(self, lr: Tensor) -> Tensor:
        """Angle in radians, scale and shifts in x and y in normalised units, (B, 4) float32."""
        found = self.hidden(self.stages(folded(lr)))
        with torch.autocast(lr.device.type, enabled=False):
            estimate: Tensor = self.head(found.float())
            return estimate


def _turned(lr: Tensor, matrix: Tensor) -> Tensor:
    """LR faces (B, 3 or 4, h, h), turned upright by (B, 2, 3); the map of their sizes stays as it is."""
    pixels = align_small(lr[:, :3], matrix)
    return pixels if lr.shape[1] == 3 else torch.cat([pixels, lr[:, 3:]], 1)
