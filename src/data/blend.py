"""Blends of training faces (mixup, Zhang et al. 2018), so that a network cannot learn faces by heart.

An upright face is nearly the same picture in every epoch. The average of two faces, misaligned as one, is a new face to
align.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LEAST: Final = 0.5
"""Our choice: the least weight of the face itself; the other one has the rest."""


def own_weight(share: float, random: np.random.Generator) -> float:
    """A face's own weight in its blend: uniform in [`LEAST`, 1) for a share of the faces, 1 for those that stay."""
    return random.uniform(LEAST, 1.0) if random.random() < share else 1.0


def blended(
    images: NDArray[np.uint8], landmarks: NDArray[np.float32], visible: NDArray[np.bool_], weights: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]]:
    """Each face of a batch averaged with the next one, the last with the first.

    Args:
        images: (B, H, W, 3) RGB.
        landmarks: (B, 68, 2), averaged likewise.
        visible: (B, 68); of an average, those that are visible in both.
        weights: (B,) of the face itself, 0-1; 1 leaves it as it is.

    Returns:
        The same three, new arrays.
    """
    import cv2

    mixed, others = images.copy(), np.roll(np.arange(len(images)), -1)
    for place in np.flatnonzero(weights < 1):
        own = float(weights[place])
        mixed[place] = cv2.addWeighted(images[place], own, images[others[place]], 1 - own, 0)
    own_part = weights[:, None, None]
    seen = visible & (visible[others] | (weights == 1)[:, None])
    return mixed, own_part * landmarks + (1 - own_part) * landmarks[others], seen
