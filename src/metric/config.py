"""The metrics that are measured only where they are asked for: the `metrics` of `conf/evaluate.yaml`."""

from dataclasses import dataclass
from typing import Literal

LPIPSNet = Literal["alex", "vgg", "squeeze"]


@dataclass(frozen=True)
class MetricsConfig:
    """Costly metrics. One whose weights or package are missing is left out, and the report says so."""

    ms_ssim: bool = False
    """MS-SSIM on RGB."""
    lpips: LPIPSNet | None = None
    """The network of LPIPS; null: not measured."""
    lpips_weights: str | None = None
    """Its ImageNet weights: a .pth or .safetensors file, or imagenet (torchvision's download); null: torch hub's cache,
    without a download."""
    landmarks: Literal["onnx", "face_alignment"] | None = None
    """The landmark backend that measures NME on the SR faces; null: not measured."""
    landmarks_weights: str | None = None
    """Folder of its weight files; face_alignment: null is torch hub's cache, without a download."""
    identity: str | None = None
    """An ONNX file that turns a face into an embedding; null: identity is not measured."""
    identity_mean: float = 127.5
    """Subtracted from 0..255 pixels before the embedder."""
    identity_std: float = 127.5
    """Divisor after that, above 0."""
    identity_order: Literal["rgb", "bgr"] = "rgb"
    """Order of the embedder's colours."""
    identity_crop: float = 1.0
    """Side of the square in the middle of the face that the embedder sees, as a share of the image's side, 0.3-1."""
    fid: str | None = None
    """Inception weights of torch-fidelity (pt_inception-2015-12-05-6726825d.pth); null: FID is not measured."""

    def __post_init__(self) -> None:
        if not self.identity_std > 0:
            raise ValueError(f"identity_std must be above 0, not {self.identity_std:g}")
        if not 0.3 <= self.identity_crop <= 1:
            raise ValueError(f"identity_crop must be 0.3-1, not {self.identity_crop:g}")
