"""Where losses, metrics and pictures of a run go; `conf/logger` mirrors these classes."""

from dataclasses import dataclass
from typing import Literal

FINISH_SECONDS = 300.0  # that W&B may take at the end to send the rest


@dataclass(frozen=True)
class CsvLoggerConfig:
    """`metrics.csv`, `curves.png` and the panels of faces in the run folder."""

    name: Literal["csv"] = "csv"


@dataclass(frozen=True)
class TensorBoardLoggerConfig:
    """TensorBoard's event files in `tensorboard/` of the run folder, beside what `csv` leaves there."""

    name: Literal["tensorboard"] = "tensorboard"


@dataclass(frozen=True)
class WandbLoggerConfig:
    """A Weights & Biases run, beside what `csv` leaves in the run folder."""

    name: Literal["wandb"] = "wandb"
    project: str = "mtun"
    """Project on W&B."""
    entity: str | None = None
    """User or team; null: the login's own."""
    group: str | None = None
    """Group of runs, for sweeps."""
    tags: tuple[str, ...] = ()
    mode: Literal["auto", "online", "offline", "disabled"] = "auto"
    """auto: online with a login (WANDB_API_KEY or netrc), else offline; online falls back to offline."""
    artifact: bool = False
    """Send best.ckpt along as a model artifact when the run ends."""

    def __post_init__(self) -> None:
        if not self.project:
            raise ValueError("project must not be empty: name the W&B project that the run belongs to")


@dataclass(frozen=True)
class NoLoggerConfig:
    """Nothing is written but checkpoints."""

    name: Literal["none"] = "none"


LoggerConfig = CsvLoggerConfig | TensorBoardLoggerConfig | WandbLoggerConfig | NoLoggerConfig
