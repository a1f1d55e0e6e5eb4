"""The discriminator D of Eqs. 7.3-7.4, which tells real 128x128 faces from generated ones."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn


@dataclass(frozen=True)
class DiscriminatorConfig:
    """The published discriminator of 6.9 M parameters. It has no batch normalisation and sees only the image."""

    widths: tuple[int, int, int, int] = (32, 64, 128, 96)
    """Channels of the four stages, which take the side from 128 to 8."""
    hidden: int = 1024
    """Units of the fully connected layer."""
    spatial_dropout: float = 0.2
    """Share of whole channels dropped after each stage, 0-1."""
    dropout: float = 0.5
    """Share of hidden units dropped, 0-1."""
    not_a_face: bool = False
    """True: a third class beside real and generated, for crops that are no faces (Xu et al. 2017)."""
    name: Literal["mtun"] = "mtun"

    def __post_init__(self) -> None:
        if not (0 <= self.spatial_dropout < 1 and 0 <= self.dropout < 1):
            raise ValueError("spatial_dropout and dropout must be in [0, 1)")

    def build(self) -> "Discriminator":
        """The network."""
        return Discriminator(self)


class Discriminator(nn.Module):
    """Four stages of conv k5, max-pool 2, ReLU, spatial dropout; then FC, ReLU, dropout, FC 1.

    Attributes:
        not_a_face: whether there are three classes: real, generated, not a face.
    """

    def __init__(self, config: DiscriminatorConfig | None = None) -> None:
        super().__init__()
        config = config or DiscriminatorConfig()
        self.not_a_face = config.not_a_face
        inputs, stages = 3, []
        for width in config.widths:
            stages += [
                nn.Conv2d(inputs, width, 5, padding=2),
                nn.MaxPool2d(2),
                nn.ReLU(inplace=True),
                nn.Dropout2d(config.spatial_dropout),
            ]
            inputs = width
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(inputs * 8 * 8, config.hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, 3 if config.not_a_face else 1),
        )

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, 128, 128) in [-1, 1] -> logits (B,), positive means real; or (B, 3), those of the classes."""
        logits: Tensor = self.head(self.stages(image))
        return logits if self.not_a_face else logits.squeeze(1)
