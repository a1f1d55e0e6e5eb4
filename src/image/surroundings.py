"""Upright faces in the middle of their surroundings, from which any frame near the face can be sampled."""

from typing import NamedTuple

import torch
from torch import Tensor

from src.image.sides import SIDE
from src.image.warp import warp


class Surroundings(NamedTuple):
    """B upright faces with what a photograph shows around them.

    Faces are mirrored when they are sampled. Flipping the whole pictures would take as long as making the pairs.
    """

    pictures: Tensor
    """(B, 3, S, S) in [-1, 1]: the 128x128 face in the middle, not mirrored."""
    mirror: Tensor
    """(B,) bool: this face is seen in a mirror."""

    def sample(self, matrix: Tensor, side: int = SIDE) -> Tensor:
        """A square frame, in one bilinear resampling; beyond the surroundings their border pixels.

        Args:
            matrix: (B, 2, 3), the frame's to the (mirrored) face's coordinates, normalised to the face: 1 is its edge.
            side: of the frame in pixels.

        Returns:
            (B, 3, side, side) in [-1, 1].
        """
        across = torch.where(self.mirror, -1.0, 1.0)
        signs = torch.stack([across, torch.ones_like(across)], 1)[:, :, None]  # (B, 2, 1)
        to_picture = matrix * signs * (SIDE / self.pictures.shape[-1])
        return warp(self.pictures, to_picture, outside="border", side=side)

    def face(self) -> Tensor:
        """The HR faces (B, 3, 128, 128), mirrored where asked for."""
        return mirrored(face_of(self.pictures), self.mirror)


def face_of(pictures: Tensor) -> Tensor:
    """The 128x128 face in the middle of its surroundings: (B, C, S, S) -> (B, C, 128, 128), a view."""
    margin = (pictures.shape[-1] - SIDE) // 2
    return pictures[..., margin : margin + SIDE, margin : margin + SIDE]


def mirrored(images: Tensor, mirror: Tensor) -> Tensor:
    """Images (B, C, H, W) of which those with `mirror` (B,) are flipped left to right."""
    return torch.where(mirror[:, None, None, None], images.flip(3), images)
