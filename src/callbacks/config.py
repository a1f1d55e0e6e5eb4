"""What happens around the steps of a run; `conf/callbacks` mirrors this folder."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CallbacksConfig:
    """Progress and checkpoints."""

    progress: Literal["auto", "bar", "lines", "none"] = "auto"
    """auto: a bar at a terminal, plain lines elsewhere."""
    progress_seconds: float = 20.0
    """Plain lines come at most this often, in seconds."""
    monitor: Literal["val/psnr_rgb", "val/ssim_rgb", "val/psnr_y", "val/ssim_y"] = "val/psnr_rgb"
    """The validation metric by which best.ckpt is chosen; higher is better."""
