"""Batches: the faces from the loader, and the pairs and heatmaps made from them on their device."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from src.data.camera import CameraDraw
from src.data.pairs import Fill, make_pair
from src.face.heatmaps import component_heatmaps
from src.face.mirror import mirror_landmarks, mirror_visible
from src.image.sides import SIDE
from src.image.surroundings import Surroundings


@dataclass(frozen=True)
class HeatmapConfig:
    """The target heatmaps of the facial components."""

    maps: Literal[4, 5, 68] = 4
    """4: eyes with brows, nose, mouth, chin; 5: brows separate; 68: one map per landmark."""
    std: float = 3.0
    """The kernels' standard deviation in pixels of the 128x128 image, above 0."""

    def __post_init__(self) -> None:
        if self.std <= 0:
            raise ValueError(f"std must be above 0 pixels, not {self.std}")


class FaceBatch(NamedTuple):
    """A batch of B faces as the loader's workers send it: 8-bit images, no heatmaps yet."""

    images: Tensor
    """(B, S, S, 3) uint8 RGB, the upright 128x128 face in the middle of its surroundings."""
    landmarks: Tensor
    """(B, 68, 2) float32 x, y in pixels."""
    visible: Tensor
    """(B, 68) bool."""
    misalignment: Tensor
    """(B, 4) float32 from `draw_misalignment`."""
    mirror: Tensor
    """(B,) bool: mirror this face."""
    camera: CameraDraw | None = None
    """What a camera did to the LR faces; None: plain bicubic."""
    black: Tensor | None = None
    """(B,) bool: the LR face sees black around this one, whatever its surroundings; None: none does."""

    def on(self, device: torch.device) -> "FaceBatch":
        """The same batch on a device."""
        return FaceBatch(
            self.images.to(device),
            self.landmarks.to(device),
            self.visible.to(device),
            self.misalignment.to(device),
            self.mirror.to(device),
            self.camera and CameraDraw(*(tensor.to(device) for tensor in self.camera)),
            None if self.black is None else self.black.to(device),
        )


class Pairs(NamedTuple):
    """B training pairs, images float32 in [-1, 1]."""

    lr: Tensor
    """(B, 3, 16, 16), unaligned."""
    hr: Tensor
    """(B, 3, 128, 128), upright."""
    matrix: Tensor
    """(B, 2, 3): the STN's label, upright output to unaligned input coordinates."""
    heatmaps: Tensor | None
    """(B, M, R, R): the target of Eq. 7.5 in the upright frame; None if the generator estimates none."""
    kernels: Tensor | None
    """(B, M) int64: visible kernels in each component; None without heatmaps."""
    landmarks: Tensor
    """(B, 68, 2) x, y in pixels of the HR image."""
    visible: Tensor
    """(B, 68) bool."""
    surroundings: Surroundings | None = None
    """Of the upright faces; None where the stores have none."""


def make_batch(batch: FaceBatch, heatmaps: HeatmapConfig, heatmap_side: int | None, fill: Fill = "black") -> Pairs:
    """Mirror, misalign and downsample a batch and render its heatmaps, on its own device.

    Args:
        batch: B faces.
        heatmaps: components and kernel width.
        heatmap_side: R in pixels; None: no heatmaps are rendered.
        fill: what fills the corners that the misalignment empties.
    """
    flip, landmarks, visible = batch.mirror, batch.landmarks, batch.visible
    landmarks = torch.where(flip[:, None, None], mirror_landmarks(landmarks, SIDE), landmarks)
    visible = torch.where(flip[:, None], mirror_visible(visible), visible)
    surroundings = Surroundings(batch.images, flip)
    hr = surroundings.face()
    seen = surroundings if batch.black is None else surroundings.blacked(batch.black)
    lr, matrix = make_pair(hr, batch.misalignment, fill, seen, batch.camera)
    target = kernels = None
    if heatmap_side is not None:
        target, kernels = component_heatmaps(landmarks, visible, heatmaps.maps, heatmap_side, heatmaps.std)
    has_some = batch.images.shape[1] > SIDE
    return Pairs(lr, hr, matrix, target, kernels, landmarks, visible, surroundings if has_some else None)
