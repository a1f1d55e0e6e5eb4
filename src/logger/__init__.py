"""Where losses, metrics and pictures of a run go; `conf/logger` mirrors this folder.

Lightning is imported when a logger is built: a command's settings are checked before seconds go into imports.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from lightning.pytorch.loggers import Logger
    from numpy.typing import NDArray

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


@runtime_checkable
class ShowsPanel(Protocol):
    """A logger that shows pictures of faces."""

    def log_panel(self, sheet: "NDArray[np.uint8]", strips: "list[NDArray[np.uint8]]", iterations: int) -> None:
        """Show them.

        Args:
            sheet: (height, width, 3) uint8, all faces in one picture.
            strips: a picture a face.
            iterations: batches done.
        """


def build_loggers(config: LoggerConfig, run_dir: str, run_config: dict[str, Any]) -> "list[Logger]":
    """The loggers of a run; `metrics.csv` is always among them but for `logger=none`.

    All show a run over `iterations`, the number of batches done.

    Args:
        config: which.
        run_dir: the run folder, which exists.
        run_config: the run's configuration as plain values, for the dashboards.
    """
    if isinstance(config, NoLoggerConfig):
        return []
    from src.logger.metrics_csv import MetricsCsv

    loggers: list[Logger] = [MetricsCsv(run_dir)]
    if isinstance(config, TensorBoardLoggerConfig):
        from src.logger.events import Events

        loggers.append(Events(run_dir, run_config))
    elif isinstance(config, WandbLoggerConfig):
        from src.logger.wandb_run import WandbRun, wandb_mode

        if wandb_mode(config) != "disabled":
            loggers.append(WandbRun(config, run_dir, run_config))
    return loggers


def close_loggers(config: LoggerConfig, run_dir: str) -> None:
    """End what Lightning leaves open, the W&B run: belongs into a `finally`."""
    if isinstance(config, WandbLoggerConfig):
        from src.logger.wandb_run import finish_run

        finish_run(config, run_dir)
