"""Upright faces in the middle of their surroundings, from which any frame near the face can be sampled."""

from typing import Final, NamedTuple

import torch
from torch import Tensor

from src.image.pixels import to_network
from src.image.sides import SIDE
from src.image.warp import warp

PART: Final = 32
"""Pictures that are converted to float32 together. glibc maps a block above 32 MiB anew each time it is needed, and
clearing its pages takes longer than the conversion."""


class Surroundings(NamedTuple):
    """B upright faces with what a photograph shows around them.

    The pictures stay as the store holds them: as float32 and mirrored, they would take four times the memory, and
    making them would take as long as making the pairs.
    """

    pictures: Tensor
    """(B, S, S, 3) uint8 RGB: the 128x128 face in the middle, not mirrored."""
    mirror: Tensor
    """(B,) bool: this face is seen in a mirror."""

    def blacked(self, black: Tensor) -> "Surroundings":
        """The same faces with black all around those that `black` (B,) bool names, as whole misaligned crops are."""
        margin = (self.pictures.shape[1] - SIDE) // 2
        inside = torch.zeros(self.pictures.shape[1:3], dtype=torch.bool, device=self.pictures.device)
        inside[margin : margin + SIDE, margin : margin + SIDE] = True
        keep = inside | ~black[:, None, None]  # (B, S, S)
        return self._replace(pictures=self.pictures * keep[..., None])

    def sample(self, matrix: Tensor, side: int = SIDE) -> Tensor:
        """A square frame, in one bilinear resampling; beyond the surroundings their border pixels.

        Args:
            matrix: (B, 2, 3), the frame's to the (mirrored) face's coordinates, normalised to the face: 1 is its edge.
            side: of the frame in pixels.

        Returns:
            (B, 3, side, side) in [-1, 1].
        """
        return self.sample_frames((matrix, side))[0]

    def sample_frames(self, *frames: tuple[Tensor, int]) -> list[Tensor]:
        """Several frames, each given by its matrix and side, for one conversion of the pictures; see `sample`."""
        across = torch.where(self.mirror, -1.0, 1.0)
        signs = torch.stack([across, torch.ones_like(across)], 1)[:, :, None]  # (B, 2, 1)
        signs = signs * (SIDE / self.pictures.shape[1])
        sampled: list[list[Tensor]] = [[] for _ in frames]
        for start in range(0, len(self.pictures), PART):
            part = slice(start, start + PART)
            pictures = to_network(self.pictures[part])
            for (matrix, side), done in zip(frames, sampled, strict=True):
                done.append(warp(pictures, (matrix * signs)[part], outside="border", side=side))
        return [torch.cat(parts) for parts in sampled]

    def face(self) -> Tensor:
        """The HR faces (B, 3, 128, 128) in [-1, 1], mirrored where asked for."""
        margin = (self.pictures.shape[1] - SIDE) // 2
        faces = self.pictures[:, margin : margin + SIDE, margin : margin + SIDE]
        return to_network(torch.where(self.mirror[:, None, None, None], faces.flip(2), faces))
