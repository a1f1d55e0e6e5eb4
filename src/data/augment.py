"""Photometric augmentation of training faces; the only file that uses albumentations.

It acts on the HR face before the pair is made, so that LR and HR have the same light; it never changes geometry.
"""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PhotometricConfig:
    """How much the light of training faces varies; probability 0 turns it off."""

    probability: float = 0.5
    """Share of faces whose light is changed, 0-1."""
    brightness: float = 0.15
    """Largest relative change, 0-1."""
    contrast: float = 0.15
    """Largest relative change, 0-1."""
    saturation: float = 0.2
    """Largest relative change, 0-1."""
    hue: float = 0.02
    """Largest shift, as a share of the colour circle, 0-0.5."""
    gray: float = 0.05
    """Share of the changed faces that turn grey, 0-1."""

    def __post_init__(self) -> None:
        for name in ("probability", "brightness", "contrast", "saturation", "hue", "gray"):
            value, top = getattr(self, name), 0.5 if name == "hue" else 1.0
            if not 0 <= value <= top:
                raise ValueError(f"{name} must be 0-{top:g}, not {value:g}")


class Photometric:
    """Changes brightness, contrast and colour, and turns some faces grey."""

    def __init__(self, config: PhotometricConfig) -> None:
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # otherwise the import looks online for an update
        import albumentations as A  # here: it takes seconds, and a command checks its settings first

        self.probability = config.probability
        self.transform = A.Compose(
            [
                A.ColorJitter(
                    brightness=(1 - config.brightness, 1 + config.brightness),
                    contrast=(1 - config.contrast, 1 + config.contrast),
                    saturation=(1 - config.saturation, 1 + config.saturation),
                    hue=(-config.hue, config.hue),
                    p=1.0,
                ),
                A.ToGray(p=config.gray),
            ]
        )

    def __call__(self, image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB -> the same; the change depends on `random` alone."""
        if random.random() >= self.probability:
            return image
        self.transform.set_random_seed(int(random.integers(2**31)))
        changed: NDArray[np.uint8] = self.transform(image=image)["image"]
        return changed
