"""The configuration of the landmark backends: `conf/landmarks/`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Discriminator


@dataclass(frozen=True)
class AnnotationsConfig:
    """The source's own landmarks; no backend is built."""

    name: Literal["annotations"]


@dataclass(frozen=True)
class OnnxConfig:
    """A face detector and a 68-point network as ONNX files; the defaults suit rfb320.onnx and pfld68.onnx.

    Attributes:
        name: "onnx".
        weights: the folder that holds the files.
        detector: name of the detector's file, needed if the folder holds several; null: recognised by its outputs.
        network: name of the landmark network's file, likewise.
        threshold: the minimum score of a face.
        overlap: of two boxes with a larger intersection over union, the one with the lower score is dropped.
        reduction: picture pixels per pixel of the detector's input, at most. Larger pictures are also searched in
            tiles.
        detector_mean: subtracted from 0..255 pixels before the detector.
        detector_std: the divisor after that.
        network_mean: as `detector_mean`, for the landmark network.
        network_std: as `detector_std`, for the landmark network.
        crop: side of the first crop / shorter side of the detector's box.
        shift: distance of the first crop's centre below the box's, as a share of the box's height.
        passes: crops per face, each placed by the landmarks of the one before.
        recrop: side of the later crops / longer side of the landmarks' bounding box.
    """

    name: Literal["onnx"]
    weights: str | None = None
    detector: str | None = None
    network: str | None = None
    threshold: float = 0.8
    overlap: float = 0.3
    reduction: float = 4.0
    detector_mean: float = 127.0
    detector_std: float = 128.0
    network_mean: float = 0.0
    network_std: float = 255.0
    crop: float = 1.3
    shift: float = 0.1
    passes: int = 2
    recrop: float = 1.3

    def __post_init__(self) -> None:
        _within("threshold", self.threshold, 0, 1)
        _within("overlap", self.overlap, 0, 1)
        _within("reduction", self.reduction, 0.5, 1000)
        _within("detector_mean", self.detector_mean, -1e6, 1e6)
        _within("network_mean", self.network_mean, -1e6, 1e6)
        _within("detector_std", self.detector_std, 1e-3, 1e6)
        _within("network_std", self.network_std, 1e-3, 1e6)
        _within("crop", self.crop, 0.5, 4)
        _within("shift", self.shift, -1, 1)
        _within("passes", self.passes, 1, 5)
        _within("recrop", self.recrop, 0.8, 4)


@dataclass(frozen=True)
class FaceAlignmentConfig:
    """The face-alignment library's FAN; "auto" uses it only if the source has no landmarks of its own.

    Attributes:
        name: "face_alignment" or "auto".
        weights: the folder that holds 2DFAN4-*.pth.tar and so on; null: torch hub's cache, else a download.
        type: "2d" points follow the visible contour; "3d" points are projected from the head, with depth.
        flip: average the heatmaps with those of the mirrored crop.
        batch: crops per forward pass; null: 4 on the CPU, 32 on a GPU.
        device: "auto" takes a GPU if there is one.
        precision: "auto" takes bf16 if the device computes in it.
        threshold: the minimum score of a face.
    """

    name: Literal["face_alignment", "auto"]
    weights: str | None = None
    type: Literal["2d", "3d"] = "2d"
    flip: bool = True
    batch: int | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        _within("threshold", self.threshold, 0, 1)
        if self.batch is not None:
            _within("batch", self.batch, 1, 1024)


def _within(key: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"landmarks.{key}={value} is not in {least}..{most}")


LandmarksConfig = Annotated[AnnotationsConfig | OnnxConfig | FaceAlignmentConfig, Discriminator("name")]
