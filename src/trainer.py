"""The Lightning trainer; `conf/trainer` mirrors this file.

Lightning is imported when a trainer is built: a command's settings are checked before seconds go into imports.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from src.errors import UserError

if TYPE_CHECKING:
    from lightning import Callback, Trainer
    from lightning.pytorch.loggers import Logger


@dataclass(frozen=True)
class TrainerConfig:
    """How long and on what a run trains."""

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """auto takes a GPU where there is one."""
    devices: int = 1
    """GPUs (or processes on a CPU), at least 1."""
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    """auto: bf16-mixed on a GPU, 32-true on a CPU."""
    max_epochs: int = 100
    """Epochs at the most, at least 1."""
    max_time: str | None = None
    """DD:HH:MM:SS at the most; null: no limit. The epoch in progress is cut, then validated and saved."""
    limit_train_batches: int | None = None
    """Batches an epoch at the most; null: all."""
    limit_val_batches: int | None = None
    """Validation batches at the most; null: all."""
    val_every_n_epochs: int = 1
    """Validate and save after every so many epochs, at least 1."""
    log_every_n_steps: int = 20
    """Log losses every so many batches, at least 1."""
    channels_last: bool = True
    """Keep the networks' tensors NHWC in memory: the same numbers, faster convolutions."""
    threads: int | None = None
    """CPU threads; null: torch's own choice."""
    detect_anomaly: bool = False
    """Say which operation made a NaN gradient; slow."""

    def __post_init__(self) -> None:
        if self.max_time is not None and not re.fullmatch(r"\d\d:\d\d:\d\d:\d\d", self.max_time):
            raise ValueError(f"max_time must be DD:HH:MM:SS, as in 00:00:30:00 for half an hour, not {self.max_time!r}")
        for name in ("devices", "max_epochs", "val_every_n_epochs", "log_every_n_steps", "limit_train_batches",
                     "limit_val_batches", "threads"):  # fmt: skip
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")


def uses_gpu(config: TrainerConfig) -> bool:
    """Whether the run lands on a GPU; UserError if one is asked for and there is none."""
    available = torch.cuda.is_available()
    if config.accelerator == "gpu" and not available:
        raise UserError("trainer.accelerator=gpu: torch sees no GPU here; use trainer=cpu")
    return available and config.accelerator != "cpu"


def build_trainer(
    config: TrainerConfig, run_dir: str, loggers: "list[Logger]", callbacks: "list[Callback]", **options: Any
) -> "Trainer":
    """The trainer of a run."""
    from lightning import Trainer
    from lightning.pytorch.callbacks import ProgressBar

    gpu = uses_gpu(config)
    if gpu and config.devices > torch.cuda.device_count():
        raise UserError(f"trainer.devices={config.devices}: there are {torch.cuda.device_count()} GPUs here")
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    precision = config.precision if config.precision != "auto" else ("bf16-mixed" if gpu else "32-true")
    return Trainer(
        default_root_dir=run_dir,
        accelerator="gpu" if gpu else "cpu",
        devices=config.devices,
        # D's and U's steps each leave the other network without gradients.
        strategy="auto" if config.devices == 1 else "ddp_find_unused_parameters_true",
        precision=precision,
        max_epochs=config.max_epochs,
        max_time=config.max_time,
        limit_train_batches=config.limit_train_batches,
        limit_val_batches=config.limit_val_batches,
        check_val_every_n_epoch=config.val_every_n_epochs,
        log_every_n_steps=config.log_every_n_steps,
        detect_anomaly=config.detect_anomaly,
        logger=loggers,
        callbacks=callbacks,
        num_sanity_val_steps=0,
        enable_checkpointing=False,  # the Checkpoints callback saves
        enable_model_summary=False,
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        use_distributed_sampler=False,  # the samplers know rank and world size
        **options,
    )
