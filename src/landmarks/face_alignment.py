"""The landmark backend with the face-alignment library's networks; the only file that imports the library.

It uses the library's networks, its crop and the meaning of its heatmaps, but not its `FaceAlignment` class, which takes
one picture at a time, compiles its networks, sets `torch.backends.cudnn.benchmark` for the whole process and downloads.

Positions: the library reads heatmap pixel i as the middle of its square, (i + 0.5) / 64 of the crop. Its positions are
therefore edge coordinates, and it cuts their fraction off, which rounds them to the nearest pixel *centre*. We keep the
fraction and subtract half a pixel instead: the same place on average, inside the picture never more than half a pixel
from the library's number, and not rounded (a test compares). The weights may have learnt another shift; that cannot be
measured without them, and nothing else is corrected.

Sign of the depth: the library's own test (`test/facealignment_test.py`) expects -86 and -54 at the ends of the jaw and
+63 at the tip of the nose, so its depth grows towards the camera. Ours grows away from it, so we flip the sign.
"""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from face_alignment.detection.sfd.bbox import nms
from face_alignment.detection.sfd.detect import detect
from face_alignment.detection.sfd.net_s3fd import s3fd
from face_alignment.models import FAN, ResNetDepth
from face_alignment.utils import crop, draw_gaussian, flip
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from src.face.points import POINTS
from src.image.crop import FaceBox
from src.landmarks.boxes import usable
from src.landmarks.config import FaceAlignmentConfig
from src.landmarks.landmarker import Landmarks, Query
from src.landmarks.load import load_into
from src.landmarks.weights import URLS, library_file, library_weights
from src.store.card import Settings
from src.system.devices import pick_device

# The library's numbers.
STACKS: Final = 4
CROP, HEATMAP = 256, 64  # pixels
UNIT, REFERENCE, ABOVE = 200.0, 195.0, 0.12  # at scale 1: crop side, box width + height; centre's shift / box height
DETECTOR_OVERLAP = 0.3

# Our choice: S3FD's memory and time grow with the area (a square of this side: 1.2 GiB). Its smallest anchors are 16
# pixels, so it still finds a face of 1/80 of the picture's side. The library does not shrink pictures.
DETECTOR_SIDE = 1280
DETECTOR_LEAST = 32  # pixels; S3FD halves a picture five times
LARGEST = 8.0  # crop's side / longer side of the picture: a larger crop holds no face and only costs memory


class FaceAlignmentLandmarker:
    """FAN, plus S3FD for pictures without boxes, in batches over all pictures of a call.

    `score` is the detector's; for a given box it is the mean peak of the 68 heatmaps, which FAN was trained to bring
    to 1.
    """

    name = "face_alignment"
    in_workers = False

    def __init__(self, config: FaceAlignmentConfig) -> None:
        """Find and check the files; the networks are built at the first `find`.

        Raises:
            UserError: there is no such device; a file is missing, damaged or ambiguous.
        """
        self.config = config
        self.device = pick_device(config.device, "landmarks.device=")
        self.precision = _precision(config.precision, self.device)
        self.batch = config.batch or (32 if self.device.type == "cuda" else 4)
        kinds = ("2DFAN4",) if config.type == "2d" else ("3DFAN4", "depth")
        files = [library_weights(kind, config.weights) for kind in kinds]
        self._files = [file.path for file in files]
        self._networks: list[nn.Module] = []
        self._detector: nn.Module | None = None
        # Known by its name, which holds its hash: the file is fetched only if a picture comes without boxes.
        detector = library_file("s3fd", config.weights)
        usual = Path(URLS["s3fd"]).name if config.weights is None else None
        self.settings: Settings = {
            "landmarks": self.name,
            "landmarks.type": config.type,
            "landmarks.flip": config.flip,
            "landmarks.precision": self.precision,
            "landmarks.threshold": config.threshold,
            "landmarks.network": files[0].sha256,
            "landmarks.depth": files[1].sha256 if len(files) > 1 else None,
            "landmarks.detector": detector.name if detector else usual,
        }

    def find(self, queries: Sequence[Query]) -> list[list[Landmarks]]:
        """See `Landmarker`; UserError if a picture has no boxes and the detector's weights are not available."""
        with torch.inference_mode(), _untuned_cudnn():
            found = [self._boxes(query) for query in queries]
            faces = [(query.image, box) for query, boxes in zip(queries, found, strict=True) for box, _ in boxes]
            placed = iter(self._placed(faces))
            return [
                [
                    Landmarks(points, float(np.clip(np.nan_to_num(peak), 0, 1)) if score is None else score, depth)
                    for (_, score), (points, peak, depth) in zip(
                        boxes, itertools.islice(placed, len(boxes)), strict=True
                    )
                ]
                for boxes in found
            ]

    def _boxes(self, query: Query) -> list[tuple[FaceBox, float | None]]:
        if query.boxes is not None:
            return [(box, None) for box in query.boxes]
        if self._detector is None:
            self._detector = s3fd()
            load_into(self._detector, library_weights("s3fd", self.config.weights).path)
            self._detector.eval().to(self.device)
        image, across, down = _for_detector(query.image)
        rows = detect(self._detector, image, str(self.device))[0]
        kept = rows[nms(rows, DETECTOR_OVERLAP)] if len(rows) else rows
        boxes = [
            ((float(x0) * across, float(y0) * down, float(x1) * across, float(y1) * down), float(score))
            for x0, y0, x1, y1, score in kept
            if score > self.config.threshold
        ]
        return sorted(boxes, key=lambda item: item[0][:2])

    def _placed(
        self, faces: list[tuple[NDArray[np.uint8], FaceBox]]
    ) -> Iterator[tuple[NDArray[np.float32], float, NDArray[np.float32] | None]]:
        """For each face: the points (68, 2), the mean peak of its heatmaps, and the depth (68,), None in 2-D."""
        sound = [_can_be_cropped(image, box) for image, box in faces]
        wanted = [face for face, good in zip(faces, sound, strict=True) if good]
        answers = itertools.chain.from_iterable(
            self._forward(wanted[start : start + self.batch]) for start in range(0, len(wanted), self.batch)
        )
        nothing = np.full((POINTS, 3), np.nan, np.float32)
        for good in sound:
            points, peak = next(answers) if good else (nothing, 0.0)
            yield points[:, :2], peak, points[:, 2] if self.config.type == "3d" else None

    def _forward(self, faces: list[tuple[NDArray[np.uint8], FaceBox]]) -> Iterator[tuple[NDArray[np.float32], float]]:
        """For each face of one batch: (68, 3) x, y, depth in pixels of its picture, and the mean peak."""
        if not self._networks:
            self._networks = [_network(path, self.device, self.precision) for path in self._files]
        fan, *depth_network = self._networks
        placed = [_centre_and_scale(box) for _, box in faces]
        pixels = np.stack([crop(image, *place) for (image, _), place in zip(faces, placed, strict=True)])
        inputs = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2)  # (B, 3, 256, 256), channels last
        inputs = inputs.float().div(255).to(torch.bfloat16 if self.precision == "bf16" else torch.float32)
        heatmaps = fan(inputs)[-1].float()  # (B, 68, 64, 64)
        if self.config.flip:
            heatmaps = (heatmaps + flip(fan(flip(inputs))[-1].float(), is_label=True)) / 2
        positions, peaks = read_heatmaps(heatmaps.cpu().numpy())
        depths = np.full(positions.shape[:2], np.nan, np.float32)
        if depth_network:
            kernels = np.stack([_kernels(points * (CROP // HEATMAP)) for points in positions])
            drawn = torch.from_numpy(kernels).to(inputs)
            depths = depth_network[0](torch.cat([inputs, drawn], 1)).float().cpu().numpy()
        for points, peak, depth, (centre, scale) in zip(positions, peaks, depths, placed, strict=True):
            side = UNIT * scale
            moved = (points.astype(np.float64) / HEATMAP - 0.5) * side + centre - 0.5
            away = np.where(np.isnan(points[:, 0]), np.nan, -depth.astype(np.float64) * side / CROP)
            yield np.column_stack([moved, away]).astype(np.float32), float(peak.mean())


def read_heatmaps(heatmaps: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The peaks of heatmaps, as the library reads them: moved a quarter of a pixel towards the larger neighbour.

    Args:
        heatmaps: (B, M, side, side).

    Returns:
        Positions (B, M, 2) x, y in heatmap pixels, edge coordinates; their heights (B, M). NaN for a map with a NaN.
    """
    batch, maps, side, _ = heatmaps.shape
    flat = heatmaps.reshape(batch, maps, side * side)
    best = flat.argmax(-1)
    heights = np.take_along_axis(flat, best[..., None], -1)[..., 0]
    y, x = np.divmod(best, side)
    positions = np.stack([x, y], -1) + np.float32(0.5)
    inside = (x > 0) & (x < side - 1) & (y > 0) & (y < side - 1)
    row, column = np.nonzero(inside)
    y, x = y[inside], x[inside]
    slope = np.stack(
        [
            heatmaps[row, column, y, x + 1] - heatmaps[row, column, y, x - 1],
            heatmaps[row, column, y + 1, x] - heatmaps[row, column, y - 1, x],
        ],
        -1,
    )
    positions[inside] += 0.25 * np.sign(slope)
    unknown = np.isnan(heights)  # argmax takes a NaN for the largest
    return np.where(unknown[..., None], np.nan, positions).astype(np.float32), heights


def _for_detector(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float, float]:
    """A picture resized for S3FD, and the original pixels per resized pixel, across and down."""
    height, width = image.shape[:2]
    shrink = max(height, width) / DETECTOR_SIDE
    if shrink > 1:
        size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    across, down = width / image.shape[1], height / image.shape[0]
    beyond = [max(0, DETECTOR_LEAST - side) for side in image.shape[:2]]
    if any(beyond):
        image = np.pad(image, ((0, beyond[0]), (0, beyond[1]), (0, 0)), "edge")
    return image, across, down


def _centre_and_scale(box: FaceBox) -> tuple[NDArray[np.float64], float]:
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    return np.array([x1 - width / 2, y1 - height / 2 - ABOVE * height]), (width + height) / REFERENCE


def _can_be_cropped(image: NDArray[np.uint8], box: FaceBox) -> bool:
    """Whether the library's crop overlaps the picture and has a sensible size."""
    if not usable(box):
        return False
    centre, scale = _centre_and_scale(box)
    size = np.array(image.shape[1::-1])
    half = UNIT * scale / 2
    return bool(
        2 <= half <= LARGEST * size.max() / 2 and (centre + half >= 2).all() and (centre - half <= size - 2).all()
    )


def _kernels(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """The depth network's input for landmarks (68, 2): a Gaussian at each, (68, 256, 256)."""
    maps = np.zeros((len(points), CROP, CROP), np.float32)
    for single, point in zip(maps, points, strict=True):
        if (point > 0).all():
            draw_gaussian(single, point, 2)
    return maps


def _network(path: Path, device: torch.device, precision: str) -> nn.Module:
    """FAN, or the depth network if the file's name says so, loaded and prepared for fast inference."""
    network: nn.Module = ResNetDepth() if path.name.startswith("depth-") else FAN(STACKS)
    load_into(network, path)
    network.eval()
    network.to(device).to(memory_format=torch.channels_last)
    if precision == "bf16":
        network.to(torch.bfloat16)
        # The last layer in fp32: bf16 has 128 steps from 0.5 to 1, so a peak and its neighbours would often tie.
        last = network.fc if isinstance(network, ResNetDepth) else getattr(network, f"l{STACKS - 1}")
        last.float().register_forward_pre_hook(lambda _, inputs: tuple(value.float() for value in inputs))
    return network


@contextlib.contextmanager
def _untuned_cudnn() -> Iterator[None]:
    """Make cuDNN deterministic inside the block; afterwards restore the settings, even if the library changed them."""
    cudnn: Any = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    cudnn.benchmark, cudnn.deterministic = False, True
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.deterministic = before


def _precision(wanted: str, device: torch.device) -> str:
    """The precision to use: "auto" becomes "bf16" on a device that computes in it, else "fp32"."""
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    known = torch.cpu.get_capabilities()
    return "bf16" if known.get("avx512_bf16") or known.get("amx_bf16") else "fp32"
