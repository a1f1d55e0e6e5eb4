"""The configuration of progress, checkpoints, panel and speed log; `conf/callbacks` mirrors it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CallbacksConfig:
    """How a run shows its progress, saves checkpoints and draws faces."""

    progress: Literal["auto", "bar", "lines", "none"] = "auto"
    """auto: a bar at a terminal, plain lines elsewhere."""
    progress_seconds: float = 20.0
    """Least time between two plain lines, in seconds."""
    monitor: Literal[
        "auto",
        "val/psnr_rgb", "val/ssim_rgb", "val/psnr_y", "val/ssim_y",
        "val_ema/psnr_rgb", "val_ema/ssim_rgb", "val_ema/psnr_y", "val_ema/ssim_y",
    ] = "auto"  # fmt: skip
    """The validation metric that selects best.ckpt, of the last update's weights (val) or of the averaged ones
    (val_ema); higher is better. auto: val_ema/psnr_rgb, or val/psnr_rgb with ema.enabled=false."""
    save_every_n_steps: int | None = 500
    """Batches between two saves, at least 1; null: never save by number."""
    save_every_seconds: float | None = 30.0
    """Seconds between two saves, at least 0; 20 times the last save's duration if that is more; null: never by time."""
    panel: int = 16
    """Validation faces drawn at each validation, 0-64; 0: none."""
    performance: bool = True
    """Log faces per second, step time, wait for data and memory, every trainer.log_every_n_steps batches."""

    def __post_init__(self) -> None:
        if self.save_every_n_steps is not None and self.save_every_n_steps < 1:
            raise ValueError(f"save_every_n_steps must be at least 1, or null, not {self.save_every_n_steps}")
        if self.save_every_seconds is not None and not self.save_every_seconds >= 0:
            raise ValueError(f"save_every_seconds must be at least 0, or null, not {self.save_every_seconds}")
        if not 0 <= self.panel <= 64:
            raise ValueError(f"panel must be between 0 and 64 faces, not {self.panel}")
