"""A generator as other programs take it: plain tensors in and out, traced with a free batch."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from src.image.own_size import with_own_size
from src.image.pixels import to_bytes, to_network
from src.image.sides import LR_SIDE
from src.model.checkpoint import Checkpoint
from src.model.config import AnyGeneratorConfig, lr_side_of
from src.model.output import Upscaled

LARGEST_BATCH: Final = 4096
EXAMPLES: Final = 3
"""Faces in the batch that is traced; 1 and 2 are sizes that a trace may take for fixed."""


class Portable(nn.Module):
    """A generator with a tuple of tensors as its output, in the order of `output_names`.

    Args:
        generator: in eval mode.
        lr_side: side of its LR faces, 16 or 32.
        uint8: takes and gives images of 8 bits, RGB, (B, height, width, 3).
    """

    def __init__(self, generator: nn.Module, lr_side: int, uint8: bool) -> None:
        super().__init__()
        self.generator, self.lr_side, self.uint8 = generator, lr_side, uint8

    def forward(self, lr: Tensor, size: Tensor | None = None) -> tuple[Tensor, ...]:
        """The image, the last heatmaps and the matrix, as far as the generator has them.

        Args:
            lr: (B, 3, 16, 16) or (B, 4, 32, 32) in [-1, 1], see `with_own_size`; with `uint8` (B, side, side, 3).
            size: with `uint8` and `lr_side` 32 alone: (B,) float32, the sides of the faces in their photographs.
        """
        if self.uint8:
            lr = to_network(lr)
            lr = lr if size is None else with_own_size(lr, size)
        output: Upscaled = self.generator(lr)
        image = to_bytes(output.image) if self.uint8 else output.image
        rest = (output.heatmaps[-1] if output.heatmaps else None, output.matrix)
        return (image, *(tensor for tensor in rest if tensor is not None))


def input_names(lr_side: int, uint8: bool) -> list[str]:
    """The names of the inputs: lr, and size where a uint8 input has no room for it."""
    return ["lr", "size"] if uint8 and lr_side != LR_SIDE else ["lr"]


def output_names(config: AnyGeneratorConfig) -> list[str]:
    """The names of the outputs: image, heatmaps (the last), matrix, as far as the generator has them."""
    return ["image", *["heatmaps"] * (config.heatmap_side is not None), *["matrix"] * config.aligns]


def arguments(lr: Tensor, uint8: bool) -> list[Tensor]:
    """LR faces as the network takes them, (B, 3, 16, 16) or (B, 4, 32, 32), as the inputs of `input_names`."""
    if not uint8:
        return [lr]
    images = to_bytes(lr[:, :3])
    return [images] if lr.shape[1] == 3 else [images, LR_SIDE * torch.exp2(lr[:, 3, 0, 0])]


def upscaled(config: AnyGeneratorConfig, outputs: list[Tensor], uint8: bool) -> Upscaled:
    """The tensors of `output_names` as a generator's output, images in [-1, 1]."""
    named = dict(zip(output_names(config), outputs, strict=True))
    image = to_network(named["image"]) if uint8 else named["image"]
    return Upscaled(image, [named["heatmaps"]] if "heatmaps" in named else [], named.get("matrix"))


def traced(checkpoint: Checkpoint, uint8: bool = False) -> ExportedProgram:
    """The generator as a program of torch, batches of 1 to 4,096 faces."""
    side = lr_side_of(checkpoint.config)
    lr = torch.zeros(EXAMPLES, 3 if side == LR_SIDE else 4, side, side)
    batch = Dim("batch", min=1, max=LARGEST_BATCH)
    names = input_names(side, uint8)
    network = Portable(checkpoint.generator, side, uint8).eval()
    with torch.no_grad():
        return torch.export.export(
            network, tuple(arguments(lr, uint8)), dynamic_shapes={name: {0: batch} for name in names}
        )
