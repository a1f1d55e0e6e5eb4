"""The landmark backend with two ONNX files: a face detector and a 68-point network."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.face.points import EYES, POINTS
from src.image.crop import RESAMPLER, FaceBox, crop_image
from src.landmarks.boxes import distinct, tiles, usable
from src.landmarks.config import OnnxConfig
from src.landmarks.landmarker import Landmarks, Query
from src.landmarks.onnx_model import OnnxModel, find_models
from src.store.card import Settings
from src.system.errors import UserError

Image3 = NDArray[np.uint8]
Points = NDArray[np.float64]

EDGE = 0.02  # of a tile: a box this close to the tile's border inside the picture may be cut
LARGEST = 8.0  # crop's side / longer side of the picture: a larger crop holds no face and only costs memory
LEFT_EYE, RIGHT_EYE = EYES[:6], EYES[6:]


@dataclass(frozen=True)
class Frame:
    """A square of the picture, turned so that the face in it is upright.

    Attributes:
        x: of the centre, in edge coordinates.
        y: likewise.
        side: in pixels of the picture.
        angle: the face's clockwise rotation in the picture, in radians.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0

    @property
    def axes(self) -> Points:
        """(2, 2): the frame's right and down directions as columns, in the picture's axes."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return np.array([[cos, -sin], [sin, cos]])

    def crop(self, image: Image3, width: int, height: int) -> Image3:
        """The square resampled to (height, width, 3) with anti-aliasing; the picture's border is replicated."""
        size = max(width, height)
        # A turned square needs pixels beyond it: first crop the upright square around it at the same resolution.
        reach = size if self.angle == 0 else math.ceil(size * float(np.abs(self.axes[0]).sum())) + 6
        half = self.side * reach / size / 2
        region = crop_image(image, (self.x - half, self.y - half, self.x + half, self.y + half), reach)
        if reach == width == height:
            return region
        scale = np.array([size / width, size / height])
        axes = self.axes * scale
        corner = reach / 2 - axes @ [width / 2, height / 2]
        affine = (axes[0, 0], axes[0, 1], corner[0], axes[1, 0], axes[1, 1], corner[1])
        return np.asarray(Image.fromarray(region).transform((width, height), Image.Transform.AFFINE, affine, RESAMPLER))

    def points_in_picture(self, points: Points) -> Points:
        """(K, 2) in 0..1 of the frame -> pixels of the picture, pixel centres at integers."""
        moved: Points = (points - 0.5) * self.side @ self.axes.T + [self.x, self.y] - 0.5
        return moved


class OnnxLandmarker:
    """A detector and a landmark network in onnxruntime on the CPU, one thread.

    A face is cropped by the detector's box, then again by the landmarks found, turned so that the eyes are level. This
    reduces the effect of small box errors and of roll. `conf/landmarks/onnx.yaml` has the measurements.

    `score` is the detector's; it is 1 for a given box.
    """

    name = "onnx"
    in_workers = True

    def __init__(self, config: OnnxConfig) -> None:
        """Find and check the files; see `find_models` for the errors."""
        self.config = config
        self.detector, self.network = find_models(config)
        self.settings: Settings = {
            "landmarks": self.name,
            "landmarks.network": self.network.sha256,
            "landmarks.detector": self.detector.sha256 if self.detector else None,
            **{f"landmarks.{key}": getattr(config, key) for key in _DECISIVE},
        }

    def find(self, queries: Sequence[Query]) -> list[list[Landmarks]]:
        """See `Landmarker`; UserError if a picture has no boxes and there is no detector."""
        return [self._faces(query) for query in queries]

    def _faces(self, query: Query) -> list[Landmarks]:
        if query.boxes is not None:
            boxes = [(box, 1.0) for box in query.boxes]
        else:
            boxes = sorted(self._detected(query.image), key=lambda item: item[0][:2])
        return [Landmarks(self._place(query.image, box).astype(np.float32), score) for box, score in boxes]

    def _detected(self, image: Image3) -> list[tuple[FaceBox, float]]:
        """The faces found in the whole picture and, if it is large, in finer and finer tiles of it."""
        if self.detector is None:
            raise UserError(
                f"landmarks.weights={self.config.weights} holds no face detector (an .onnx file with scores (N, 2) "
                "and boxes (N, 4)), and these pictures come without boxes: put one there"
            )
        height, width = image.shape[:2]
        coarse = max(width / self.detector.width, height / self.detector.height)
        views = [(0, 0, 0, width, height)]
        for level in range(1, 32):
            if coarse <= self.config.reduction:
                break
            coarse = max(coarse / 2, self.config.reduction)
            size = (self.detector.width * coarse, self.detector.height * coarse)
            views += [(level, *tile) for tile in tiles(width, height, size)]
        answers = [_seen(self.detector, self.config, image, view) for _, *view in views]
        boxes = np.concatenate([boxes for boxes, _ in answers])
        scores = np.concatenate([scores for _, scores in answers])
        # A coarser view wins whatever its score: it shows the whole face, which a tile may cut.
        levels = np.repeat([level for level, *_ in views], [len(scores) for _, scores in answers])
        kept = distinct(boxes, scores - levels, self.config.overlap)
        return [(tuple(boxes[index].tolist()), float(scores[index])) for index in kept]

    def _place(self, image: Image3, box: FaceBox) -> Points:
        """The landmarks (68, 2) of the face in a box; NaN if the box is unusable or too large, or from the network."""
        config, nothing = self.config, np.full((POINTS, 2), np.nan)
        if not usable(box):
            return nothing
        width, height = box[2] - box[0], box[3] - box[1]
        frame = Frame(
            (box[0] + box[2]) / 2, (box[1] + box[3]) / 2 + config.shift * height, config.crop * min(width, height)
        )
        limit = LARGEST * max(image.shape[:2])
        if max(frame.side, abs(frame.x), abs(frame.y)) > limit:
            return nothing
        points = self._in_frame(image, frame)
        for _ in range(config.passes - 1):
            closer = _frame_round(points, config.recrop)
            # A nonsense answer of the network must not move the next crop far away.
            if closer is None or not frame.side / 4 <= closer.side <= frame.side * 4:
                break
            if math.hypot(closer.x - frame.x, closer.y - frame.y) > frame.side:
                break
            points = self._in_frame(image, closer)
        return points

    def _in_frame(self, image: Image3, frame: Frame) -> Points:
        network = self.network
        crop = frame.crop(image, network.width, network.height).astype(np.float32)
        outputs = network((crop - np.float32(self.config.network_mean)) / np.float32(self.config.network_std))
        answer = next(output for output in outputs if output.size == POINTS * 2)
        return frame.points_in_picture(answer.reshape(POINTS, 2).astype(np.float64))


_DECISIVE = (
    "threshold", "overlap", "reduction", "detector_mean", "detector_std", "network_mean", "network_std",
    "crop", "shift", "passes", "recrop",
)  # fmt: skip


def _frame_round(points: Points, margin: float) -> Frame | None:
    """The square around landmarks with level eyes, side `margin` x their box's longer side; None if one is NaN."""
    if not np.isfinite(points).all():
        return None
    across = points[RIGHT_EYE].mean(0) - points[LEFT_EYE].mean(0)
    angle = math.atan2(across[1], across[0])
    axes = Frame(0, 0, 1, angle).axes
    upright = (points + 0.5) @ axes
    low, high = upright.min(0), upright.max(0)
    x, y = axes @ ((low + high) / 2)
    return Frame(float(x), float(y), margin * float((high - low).max()), angle)


def _seen(
    detector: OnnxModel, config: OnnxConfig, image: Image3, view: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The detector's faces in one part of the picture, resized to its input with the aspect ratio kept.

    Returns:
        Boxes (N, 4) in pixels of the picture, and their scores (N,), at least the threshold.
    """
    x0, y0, x1, y1 = view
    height, width = image.shape[:2]
    scale = min(detector.width / (x1 - x0), detector.height / (y1 - y0))
    size = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
    # Pillow widens its kernel when it shrinks an image, so there is no aliasing; the input's rest is 0, the mean.
    part = np.asarray(Image.fromarray(image[y0:y1, x0:x1]).resize(size, Image.Resampling.BILINEAR), np.float32)
    canvas = np.zeros((detector.height, detector.width, 3), np.float32)
    canvas[: size[1], : size[0]] = (part - np.float32(config.detector_mean)) / np.float32(config.detector_std)
    outputs = detector(canvas)
    scores = next(output for output in outputs if output.shape[-1] == 2).reshape(-1, 2)[:, 1].astype(np.float64)
    boxes = next(output for output in outputs if output.shape[-1] == 4).reshape(-1, 4).astype(np.float64)
    boxes *= np.tile([detector.width * (x1 - x0) / size[0], detector.height * (y1 - y0) / size[1]], 2)
    boxes += [x0, y0, x0, y0]
    near = EDGE * max(x1 - x0, y1 - y0)
    cut = np.zeros(len(boxes), bool)
    for beside, side in (
        (x0 > 0, boxes[:, 0] < x0 + near), (y0 > 0, boxes[:, 1] < y0 + near),
        (x1 < width, boxes[:, 2] > x1 - near), (y1 < height, boxes[:, 3] > y1 - near),
    ):  # fmt: skip
        if beside:
            cut |= side
    sound = np.isfinite(boxes).all(1) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    kept = (scores >= config.threshold) & sound & ~cut
    return boxes[kept], scores[kept]
