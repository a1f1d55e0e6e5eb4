"""What happens around the steps of a run; `conf/callbacks` mirrors this folder."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CallbacksConfig:
    """Progress, checkpoints and what is shown of a run."""

    progress: Literal["auto", "bar", "lines", "none"] = "auto"
    """auto: a bar at a terminal, plain lines elsewhere."""
    progress_seconds: float = 20.0
    """Plain lines come at most this often, in seconds."""
    monitor: Literal[
        "auto",
        "val/psnr_rgb", "val/ssim_rgb", "val/psnr_y", "val/ssim_y",
        "val_ema/psnr_rgb", "val_ema/ssim_rgb", "val_ema/psnr_y", "val_ema/ssim_y",
    ] = "auto"  # fmt: skip
    """The validation metric by which best.ckpt is chosen, of the last update's weights or (val_ema) of the averaged
    ones; higher is better. auto: psnr_rgb of those that are taken out of the checkpoint, the averaged ones if any."""
    save_every_n_steps: int | None = 500
    """Save every so many batches, at least 1; null: not by their number."""
    save_every_seconds: float | None = 30.0
    """Save when so many seconds have passed, at least 0, and 20 times what the last save took; null: not by time."""
    panel: int = 16
    """Validation faces drawn at each validation, 0-64; 0: none."""
    performance: bool = True
    """Log faces per second, step time, waiting for data and memory, every trainer.log_every_n_steps batches."""

    def __post_init__(self) -> None:
        if self.save_every_n_steps is not None and self.save_every_n_steps < 1:
            raise ValueError(f"save_every_n_steps must be at least 1, or null, not {self.save_every_n_steps}")
        if self.save_every_seconds is not None and not self.save_every_seconds >= 0:
            raise ValueError(f"save_every_seconds must be at least 0, or null, not {self.save_every_seconds}")
        if not 0 <= self.panel <= 64:
            raise ValueError(f"panel must be between 0 and 64 faces, not {self.panel}")
