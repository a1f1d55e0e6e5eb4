"""NME: how far a landmark network's points on the SR face are from the true landmarks, and on the HR face beside it."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.data.batch import Pairs
from src.face.points import POINTS
from src.image.pixels import to_bytes
from src.landmarks.boxes import face_box
from src.landmarks.config import FaceAlignmentConfig, OnnxConfig
from src.landmarks.landmark_error import OUTER_EYE_CORNERS, landmark_error
from src.landmarks.landmarker import Landmarker, Query
from src.metric.metric import Metric, OncePerBatch
from src.system.errors import UserError


def build_backend(name: Literal["onnx", "face_alignment"], weights: str | None, detects: bool = False) -> Landmarker:
    """The landmark backend that measures, from files that are here: nothing is downloaded.

    Args:
        name: which backend.
        weights: folder of its files; None: torch hub's cache.
        detects: it must find faces too.

    Raises:
        UserError: a file is missing or damaged.
    """
    from src.landmarks.build import build_landmarker
    from src.landmarks.weights import library_file

    if name == "onnx" and weights is None:
        raise UserError("metrics.landmarks=onnx needs metrics.landmarks_weights=DIR, the folder of the .onnx files")
    try:
        for kind in ("2DFAN4", "s3fd") if detects else ("2DFAN4",):
            if name == "face_alignment" and library_file(kind, weights) is None:
                raise UserError(
                    f"metrics.landmarks=face_alignment needs {kind}-* in torch hub's cache, or in "
                    "metrics.landmarks_weights=DIR"
                )
        return build_landmarker(
            OnnxConfig("onnx", weights) if name == "onnx" else FaceAlignmentConfig("face_alignment", weights)
        )
    except UserError as error:
        raise UserError(str(error).replace("landmarks.weights", "metrics.landmarks_weights")) from None


def find_points(backend: Landmarker, images: Tensor, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """A backend's landmarks on faces whose places are known.

    Args:
        backend: it crops each face by its box and resizes the crop to its network's input.
        images: (B, 3, H, W), about [-1, 1].
        landmarks: (B, 68, 2) in pixels; the box round them is the face's.

    Returns:
        (B, 68, 2) in pixels, NaN where it found nothing.
    """
    pictures = to_bytes(images.detach().cpu()).numpy()
    queries = [Query(picture, (face_box(points),)) for picture, points in zip(pictures, landmarks, strict=True)]
    return np.stack([found[0].points for found in backend.find(queries)])


def detect_points(backend: Landmarker, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The landmarks (68, 2) of the largest face that a backend detects on a picture (H, W, 3); NaN if there is none."""
    found = [face.points for face in backend.find([Query(image)])[0]]
    if not found:
        return np.full((POINTS, 2), np.nan, np.float32)
    return max(found, key=lambda points: float(np.prod(np.ptp(points, axis=0))))


def nme(points: NDArray[np.float32], landmarks: NDArray[np.float32], visible: NDArray[np.bool_]) -> float:
    """Mean distance of the visible landmarks, in per cent of the distance between the outer eye corners 36 and 45.

    Args:
        points: (68, 2), found.
        landmarks: (68, 2), true.
        visible: (68,), which of the true ones are.

    Returns:
        NaN where an outer eye corner is hidden or nothing was found.
    """
    if not visible[list(OUTER_EYE_CORNERS)].all():
        return float("nan")
    error = landmark_error(points, np.where(visible[:, None], landmarks, np.nan))
    return float("nan") if error is None else 100 * error


class LandmarkNME:
    """The two metrics of a landmark backend: NME of the SR faces and, beside it, of the HR faces.

    Args:
        backend: it places the landmarks.
    """

    def __init__(self, backend: Landmarker) -> None:
        self.backend = backend
        self._hr = OncePerBatch(self._of_hr)

    def metrics(self) -> tuple[Metric, Metric]:
        """NME of SR, NME of HR."""
        name = f"{self.backend.name} ({str(self.backend.settings['landmarks.network'])[:12]})"
        words = (
            f"NME: mean distance of the landmarks that {name} finds on the SR face to the visible true landmarks, in "
            "per cent of the distance between the outer eye corners (points 36 and 45 from 0). Its face box is that of "
            "the true landmarks. A face with a hidden outer corner is left out."
        )
        hr_words = "NME of HR: the same network's error on the HR faces; no SR face can be expected to be better."
        how = {"higher_is_better": False}
        return (
            Metric(
                "nme_percent", "NME", "%", 2, words, lambda one: self._nme(one.output.image, one.pairs), place=30, **how
            ),
            Metric(
                "nme_hr_percent",
                "NME of HR",
                "%",
                2,
                hr_words,
                lambda one: self._hr(one.pairs),
                place=31,
                compared=False,
                **how,
            ),
        )

    def _of_hr(self, pairs: Pairs) -> Tensor:
        return self._nme(pairs.hr, pairs)

    def _nme(self, images: Tensor, pairs: Pairs) -> Tensor:
        landmarks, visible = pairs.landmarks.cpu().numpy(), pairs.visible.cpu().numpy()
        visible = visible & np.isfinite(landmarks).all(2)
        known = visible.any(1)
        scores = torch.full((len(images),), torch.nan)
        if known.any():
            found = find_points(self.backend, images[torch.from_numpy(known).to(images.device)], landmarks[known])
            values = map(nme, found, landmarks[known], visible[known])
            scores[torch.from_numpy(known)] = torch.tensor(list(values), dtype=torch.float32)
        return scores
