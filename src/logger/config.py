"""The configuration of each logger; `conf/logger` mirrors these classes."""

from dataclasses import dataclass
from typing import Literal

FINISH_SECONDS = 300.0  # for W&B to send the rest at the end


@dataclass(frozen=True)
class CsvLoggerConfig:
    """`metrics.csv`, `curves.png` and the panels of faces in the run folder."""

    name: Literal["csv"] = "csv"


@dataclass(frozen=True)
class TensorBoardLoggerConfig:
    """TensorBoard's event files in `tensorboard/` of the run folder, in addition to the files of `csv`."""

    name: Literal["tensorboard"] = "tensorboard"


@dataclass(frozen=True)
class WandbLoggerConfig:
    """A Weights & Biases run, in addition to the files of `csv` in the run folder."""

    name: Literal["wandb"] = "wandb"
    project: str = "mtun"
    """Project on W&B."""
    entity: str | None = None
    """User or team; null: the login's default."""
    group: str | None = None
    """Group of runs; null: none, in a sweep the name of its folder."""
    tags: tuple[str, ...] = ()
    mode: Literal["auto", "online", "offline", "disabled"] = "auto"
    """auto: online with a login (WANDB_API_KEY or netrc), else offline; online falls back to offline."""
    artifact: bool = False
    """Upload best.ckpt as a model artifact when the run ends."""

    def __post_init__(self) -> None:
        if not self.project:
            raise ValueError("project must not be empty: name the W&B project that the run belongs to")


@dataclass(frozen=True)
class NoLoggerConfig:
    """No metrics, curves or panels are written."""

    name: Literal["none"] = "none"


LoggerConfig = CsvLoggerConfig | TensorBoardLoggerConfig | WandbLoggerConfig | NoLoggerConfig
