"""Where losses and metrics go; `conf/logger` mirrors this file.

Lightning is imported when a logger is built: a command's settings are checked before seconds go into imports.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger


@dataclass(frozen=True)
class CsvLoggerConfig:
    """`metrics.csv` in the run folder."""

    name: Literal["csv"] = "csv"


@dataclass(frozen=True)
class WandbLoggerConfig:
    """A Weights & Biases run, beside `metrics.csv`."""

    name: Literal["wandb"] = "wandb"
    project: str = "mtun"
    """Project on W&B."""
    entity: str | None = None
    """User or team; null: the login's own."""
    group: str | None = None
    """Group of runs, for sweeps."""
    tags: tuple[str, ...] = ()
    mode: Literal["auto", "online", "offline", "disabled"] = "auto"
    """auto: online with a login (WANDB_API_KEY or ~/.netrc), else offline."""


@dataclass(frozen=True)
class NoLoggerConfig:
    """Nothing is written."""

    name: Literal["none"] = "none"


LoggerConfig = CsvLoggerConfig | WandbLoggerConfig | NoLoggerConfig


def wandb_mode(config: WandbLoggerConfig) -> str:
    """online, offline or disabled: `auto` asks whether there is a login."""
    if config.mode != "auto":
        return config.mode
    if os.environ.get("WANDB_MODE"):
        return os.environ["WANDB_MODE"]
    netrc = Path.home() / ".netrc"
    logged_in = bool(os.environ.get("WANDB_API_KEY")) or (netrc.is_file() and "api.wandb.ai" in netrc.read_text())
    return "online" if logged_in else "offline"


def build_loggers(config: LoggerConfig, run_dir: str, run_config: dict[str, Any]) -> "list[Logger]":
    """The loggers of a run; the CSV is always among them but for `logger=none`."""
    from lightning.pytorch.loggers import CSVLogger, WandbLogger

    if isinstance(config, NoLoggerConfig):
        return []
    loggers: list[Logger] = [CSVLogger(run_dir, name="", version="")]
    if isinstance(config, WandbLoggerConfig):
        mode = wandb_mode(config)
        if mode != "disabled":
            loggers.append(
                WandbLogger(
                    name=Path(run_dir).name,
                    save_dir=run_dir,
                    project=config.project,
                    entity=config.entity,
                    group=config.group,
                    tags=list(config.tags),
                    offline=mode == "offline",
                    config=run_config,
                )
            )
    return loggers
