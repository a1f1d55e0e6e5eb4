"""The data set that the loader's workers read: faces of one or more stores, in batches, with random draws."""

import logging
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from src.data.augment import Photometric, PhotometricConfig
from src.data.batch import FaceBatch
from src.data.blend import blended, own_weight
from src.data.camera import FRAME, CameraConfig, draw_camera, to_batch
from src.data.own_size import OwnSizes, canvas_side, draw_own_size
from src.data.pairs import UPRIGHT, MisalignmentConfig, draw_misalignment, face_random
from src.data.sampler import FaceKey
from src.data.stretch import draw_stretch, stretched
from src.store.card import MOST_MARGIN
from src.store.read import FaceStores
from src.system.errors import UserError

CORNER = 2.0
"""Pixels beyond the margin that hardly any misalignment reaches, and only with the tip of a corner."""

log = logging.getLogger(__name__)


class FaceDataset(Dataset[FaceBatch]):
    """Reads faces by (epoch, index) keys; every draw follows from (seed, epoch, row in its store).

    Args:
        stores: the faces.
        misalignment: ranges of the LR branch's transform.
        seed: seed of the draws.
        mirror: mirror half of the faces.
        photometric: variation of the light, None for none.
        surroundings: read the faces with those that the stores have; `fill=context` reads them always.
        camera: ranges of a camera's degradation, None for plain bicubic.
        own_size: range of the faces' own sides in pixels, None for that of LR.
        black_share: share of the faces that the LR face sees on black, 0-1.
        upright_share: share of the faces that are not misaligned, 0-1. Which ones also follows from the camera and from
            whether there are faces on black.
        blend_share: share of the faces, upright or not, that are averaged with another one of their batch, 0-1. Which
            other one follows from the batch.
        stretch: 1 + stretch is the most by which a face's width is multiplied or divided for its height, 0-0.5.

    Raises:
        UserError: `misalignment.fill` is context, and a store has no surroundings.
    """

    def __init__(
        self,
        stores: FaceStores,
        misalignment: MisalignmentConfig,
        seed: int,
        mirror: bool = False,
        photometric: PhotometricConfig | None = None,
        surroundings: bool = True,
        camera: CameraConfig | None = None,
        own_size: OwnSizes | None = None,
        black_share: float = 0.0,
        upright_share: float = 0.0,
        blend_share: float = 0.0,
        stretch: float = 0.0,
    ) -> None:
        bare = [str(store.path) for store in stores.stores if not store.card.margin]
        if misalignment.fill == "context" and bare:
            raise UserError(
                f"fill=context needs faces with their surroundings, and {bare[0]} has none (margin 0): prepare it "
                "again with crop.margin=48; without surroundings, train with data.misalignment.fill=black and evaluate "
                "with protocol=published"
            )
        self.margin = stores.margin if surroundings or misalignment.fill == "context" else 0
        self.stores, self.misalignment, self.seed, self.mirror = stores, misalignment, seed, mirror
        self.camera, self.own_size = camera, own_size
        self.black_share, self.upright_share = black_share, upright_share
        self.blend_share, self.stretch = blend_share, stretch
        self._frame = FRAME if own_size is None else canvas_side(own_size[1])
        self.photometric = Photometric(photometric) if photometric and photometric.probability > 0 else None

    def __len__(self) -> int:
        return len(self.stores)

    def __getitem__(self, key: FaceKey) -> FaceBatch:
        """A batch of one."""
        return self.__getitems__([key])

    def __getitems__(self, keys: Sequence[FaceKey]) -> FaceBatch:
        """The whole batch in one read."""
        indices = np.array([index for _, index in keys])
        images, landmarks = self.stores.images(indices, self.margin), self.stores.landmarks(indices)
        visible, weights = self.stores.visible(indices), np.ones(len(keys), np.float32)
        # Rows count within a store, so a face is misaligned the same way whatever other stores are read.
        _, rows = self.stores.locate(indices)
        misalignment, mirror = np.empty((len(keys), 4), np.float32), np.zeros(len(keys), bool)
        black = np.zeros(len(keys), bool)
        sizes, photographed = [], []
        for place, ((epoch, _), row) in enumerate(zip(keys, rows, strict=True)):
            random = face_random(self.seed, epoch, int(row))
            misalignment[place] = draw_misalignment(self.misalignment, random)
            mirror[place] = self.mirror and random.random() < 0.5
            if self.photometric is not None:
                images[place] = self.photometric(images[place], random)
            if self.own_size is not None:
                sizes.append(draw_own_size(self.own_size, random))
            if self.camera is not None:  # after the draws of plain bicubic, which stay as they are without it
                photographed.append(draw_camera(self.camera, random, self._frame))
            black[place] = self.black_share > 0 and random.random() < self.black_share
            if self.upright_share > 0 and random.random() < self.upright_share:
                misalignment[place] = UPRIGHT
            if self.blend_share > 0:
                weights[place] = own_weight(self.blend_share, random)
            if self.stretch > 0:
                drawn = draw_stretch(self.stretch, random)
                images[place], landmarks[place] = stretched(images[place], landmarks[place], visible[place], drawn)
        if self.blend_share > 0:
            images, landmarks, visible = blended(images, landmarks, visible, weights)
        return FaceBatch(
            torch.from_numpy(images),
            torch.from_numpy(landmarks),
            torch.from_numpy(visible),
            torch.from_numpy(misalignment),
            torch.from_numpy(mirror),
            to_batch(photographed) if photographed else None,
            torch.tensor(sizes) if sizes else None,
            torch.from_numpy(black) if self.black_share > 0 else None,
        )


def warn_of_small_margin(misalignment: MisalignmentConfig, margin: int) -> None:
    """Say where `fill=context` will read beyond the surroundings that stores share, `margin` pixels."""
    if misalignment.fill != "context" or misalignment.reach <= margin + CORNER:
        return
    log.warning(
        "the misalignments reach %.0f pixels beyond the face, and the stores share %d pixels of surroundings: beyond "
        "these, border pixels are replicated; prepare all of them with crop.margin=%d",
        misalignment.reach,
        margin,
        min(MOST_MARGIN, math.ceil(misalignment.reach / 8) * 8),
    )


def keep(batch: Any) -> Any:
    """The loader's collate function: the data set already returns batches."""
    return batch
