"""The heatmap estimation branch (HEB): stacked hourglasses with supervised outputs."""

from dataclasses import dataclass

from torch import Tensor, nn

from src.model.layers import Residual, Upsample, conv_bn_relu, scaled_gradient
from src.model.recompute import recompute


class Hourglass(nn.Module):
    """One hourglass: an upper path at full resolution plus a lower path at half resolution, recursively.

    Upper: a residual. Lower: max-pool 2, residual, the inner hourglass (a residual at the bottom), nearest x2.
    """

    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        self.upper = Residual(width, width)
        self.lower = nn.Sequential(
            nn.MaxPool2d(2),
            Residual(width, width),
            Hourglass(depth - 1, width) if depth > 1 else Residual(width, width),
            Upsample(2),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, width, R, R) -> (B, width, R, R); R divisible by 2^depth."""
        out: Tensor = self.upper(features) + self.lower(features)
        return out


@dataclass(frozen=True)
class HEBConfig:
    """The heatmap estimation branch."""

    enabled: bool = True
    """False: no branch; the image is restored without guidance."""
    resolution: int = 64
    """Side of the heatmaps: 16, 32, 64 or 128."""
    stacks: int = 4
    """Hourglasses in a row, 1-4."""
    width: int = 64
    """Channels inside the hourglasses."""
    depth: int = 4
    """Halvings inside an hourglass: 4 go from 64 to 4."""
    gradient: float = 1.0
    """Share of the branch's gradient that reaches the features it reads, 0-1; 0: only the branch learns from it."""

    def __post_init__(self) -> None:
        if self.resolution not in (16, 32, 64, 128):
            raise ValueError(f"resolution must be 16, 32, 64 or 128, not {self.resolution}")
        if self.depth < 1 or self.resolution % 2**self.depth:
            raise ValueError(
                f"depth={self.depth} must be at least 1, and 2^depth must divide resolution={self.resolution}"
            )
        if not 1 <= self.stacks <= 4:
            raise ValueError(f"stacks must be 1-4, not {self.stacks}; heb.enabled=false leaves the branch out")
        if self.width < 1:
            raise ValueError(f"width must be at least 1, not {self.width}")
        if not 0 <= self.gradient <= 1:
            raise ValueError(f"gradient must be a share, 0-1, not {self.gradient:g}")


class HeatmapEstimation(nn.Module):
    """Stacked hourglasses with intermediate supervision of each one's heatmaps.

    Attributes:
        checkpoint_activations: less memory for more computation in training, see `recompute`.
    """

    def __init__(self, inputs: int, maps: int, config: HEBConfig) -> None:
        super().__init__()
        self.checkpoint_activations = False
        self.gradient = config.gradient
        width, stacks = config.width, config.stacks
        self.entry = nn.Sequential(nn.Conv2d(inputs, width, 3, padding=1), Residual(width, width))
        self.hourglasses = nn.ModuleList(
            nn.Sequential(Hourglass(config.depth, width), Residual(width, width), conv_bn_relu(width, width, 1))
            for _ in range(stacks)
        )
        self.heads = nn.ModuleList(nn.Conv2d(width, maps, 1) for _ in range(stacks))
        self.remix_features = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(stacks - 1))
        self.remix_heatmaps = nn.ModuleList(nn.Conv2d(maps, width, 1) for _ in range(stacks - 1))

    def forward(self, features: Tensor) -> list[Tensor]:
        """(B, inputs, R, R) -> the heatmaps of every stack, each (B, M, R, R), linear (about 0-1, not clamped)."""
        keep_less = self.checkpoint_activations
        stack_input = recompute(self.entry, scaled_gradient(features, self.gradient), enabled=keep_less)
        heatmaps: list[Tensor] = []
        for index, (hourglass, head) in enumerate(zip(self.hourglasses, self.heads, strict=True)):
            out = recompute(hourglass, stack_input, enabled=keep_less)
            heatmaps.append(head(out))
            if index < len(self.remix_features):
                stack_input = stack_input + self.remix_features[index](out) + self.remix_heatmaps[index](heatmaps[-1])
        return heatmaps
