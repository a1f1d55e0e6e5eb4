"""A face as the store keeps it, and its row of the manifest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.image.crop import CropBox


@dataclass(frozen=True, slots=True)
class FaceRow:
    """One row of the manifest: where a face came from.

    Attributes:
        file: the source file, relative to the source's root, with forward slashes.
        identity: whose face it is, as far as the source knows.
        crop_box: x0, y0, x1, y1 of the square in source pixels, *edge* coordinates (pixel i covers i to i + 1).
        landmark_source: who placed the landmarks.
        landmark_score: the confidence of the landmarks, 0 to 1; 1 for annotations.
        sha256: of the source file's bytes (of the drawn image's bytes for a synthetic face).
        split: "train", "val", "test", or "" for a source without splits.
        replicated_border: the share of the crop that lies outside the picture, 0 to 1; None where not known.
        gray: whether the picture has no colour; None where not known.
        roll_deg: by how much the face was turned level, degrees, positive where it leaned clockwise on the screen; None
            where the crop rule turns nothing.
        matrix: photograph to crop, x' = m0 x + m1 y + m2 and y' = m3 x + m4 y + m5 for pixel centres at integers, the
            crop's own from 0 to 127; None where the face was drawn, or not cropped.
        inside: the share of the margin around the face that the picture covers, 0 to 1; the rest is replicated border.
            1 without a margin, None where not known.
        landmark_error: mean distance of a network's landmarks to those that the source has, as a share of the
            distance of the outer eye corners; None where there is nothing to compare.
    """

    file: str
    identity: str
    crop_box: CropBox
    landmark_source: str
    landmark_score: float
    sha256: str
    split: str = ""
    replicated_border: float | None = None
    gray: bool | None = None
    landmark_error: float | None = None
    roll_deg: float | None = None
    matrix: tuple[float, float, float, float, float, float] | None = None
    inside: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face as the store keeps it.

    Attributes:
        image: (S, S, 3) uint8 RGB, the 128x128 face in the middle of its surroundings.
        landmarks: (68, 2) float32, (x, y) in pixels of the 128x128 face, pixel centres at integers; always finite.
        visible: (68,) bool.
        row: its row of the manifest.
    """

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    visible: NDArray[np.bool_]
    row: FaceRow
