"""Builds and closes the loggers of a run; `conf/logger` mirrors this folder.

Lightning is imported only when a logger is built, so that settings are checked before the slow imports.
"""

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from src.logger.config import LoggerConfig, NoLoggerConfig, TensorBoardLoggerConfig, WandbLoggerConfig

if TYPE_CHECKING:
    import numpy as np
    from lightning.pytorch.loggers import Logger
    from numpy.typing import NDArray


@runtime_checkable
class ShowsPanel(Protocol):
    """A logger that shows pictures of faces."""

    def log_panel(self, sheet: "NDArray[np.uint8]", strips: "list[NDArray[np.uint8]]", iterations: int) -> None:
        """Show the faces.

        Args:
            sheet: (height, width, 3) uint8, all faces in one picture.
            strips: one such picture per face.
            iterations: batches done.
        """


def import_dashboard(config: LoggerConfig) -> None:
    """Import a dashboard's library, so that a missing one is reported before a run draws faces or writes anything.

    Raises:
        ModuleNotFoundError: the library is not installed.
    """
    if isinstance(config, TensorBoardLoggerConfig):
        import src.logger.events
    elif isinstance(config, WandbLoggerConfig):
        import src.logger.wandb_run  # noqa: F401


def build_loggers(config: LoggerConfig, run_dir: str, run_config: dict[str, Any]) -> "list[Logger]":
    """The loggers of a run; `metrics.csv` is always among them, except with `logger=none`.

    All of them plot over `iterations`, the number of batches done.

    Args:
        config: which loggers, with their settings.
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
    """Close the W&B run, which Lightning leaves open; call it in a `finally`."""
    if isinstance(config, WandbLoggerConfig):
        from src.logger.wandb_run import finish_run

        finish_run(config, run_dir)
