"""The inputs of an evaluation: the test faces as a protocol makes them, at the side that each method takes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from src.data.batch import FaceBatch, HeatmapConfig, Pairs, make_batch
from src.data.camera import ranges_of
from src.data.dataset import FaceDataset
from src.data.pairs import VALIDATION_EPOCH
from src.evaluation.config import ProtocolConfig
from src.image.sides import LR_SIDE, OWN_LR_SIDE
from src.method.method import Method, apply
from src.model.output import Upscaled
from src.store.read import FaceStores


class Inputs:
    """Some test faces on a device: the same photographs for every method.

    Args:
        batch: the faces, drawn.
        protocol: how the LR faces are made.
        device: where to compute.

    Attributes:
        batch: the faces as they were drawn.
        pairs: with LR faces of 16 pixels, or of 32 where the protocol has own sizes.
    """

    def __init__(self, batch: FaceBatch, protocol: ProtocolConfig, device: torch.device) -> None:
        self.batch, self._fill = batch, protocol.fill
        self._there = batch.on(device)
        self._side = LR_SIDE if protocol.own_size is None else OWN_LR_SIDE
        self.pairs = self._made(self._side)
        self._lr = {self._side: self.pairs.lr}

    def output(self, method: Method) -> Upscaled:
        """A method's output for its inputs; a method of 16 pixels gets the face of any own size resampled to 16x16."""
        side = min(self._side, method.facts.lr_side or LR_SIDE)
        if side not in self._lr:
            self._lr[side] = self._made(side).lr
        return apply(method, self._lr[side], self.pairs.matrix)

    def pictures(self) -> Tensor:
        """The LR faces without the map of their sizes, (B, 3, h, h) in [-1, 1]."""
        return self.pairs.lr[:, :3]

    def _made(self, side: int) -> Pairs:
        return make_batch(self._there, HeatmapConfig(), None, self._fill, side)


class DrawnFaces:
    """The faces of stores as a protocol draws them; a face's draws depend on the protocol's seed and its row alone.

    Args:
        stores: the faces.
        protocol: how the LR faces are made.
        device: where to make them.
    """

    def __init__(self, stores: FaceStores, protocol: ProtocolConfig, device: torch.device) -> None:
        camera = ranges_of(protocol.degradation, protocol.camera)
        self._faces = FaceDataset(stores, protocol, protocol.seed, camera=camera, own_size=protocol.own_size)
        self._protocol, self._device = protocol, device

    def inputs(self, indices: Sequence[int]) -> Inputs:
        """The inputs of the faces with these indices."""
        batch = self._faces.__getitems__([(VALIDATION_EPOCH, int(index)) for index in indices])
        return Inputs(batch, self._protocol, self._device)
