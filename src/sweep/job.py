"""Runs one job of a sweep (`-m`), with any launcher: its folder, its W&B group and its record `job.json`."""

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from src.sweep.table import JobRecord, write_record
from src.system.errors import UserError
from src.system.extras import extras_named
from src.system.processes import first_of_its_launch

# The callback below passes the sweep's folder in this variable to the command and its jobs; Hydra itself does not.
FOLDER = "MTUN_SWEEP_FOLDER"


class JobFailed(Exception):  # noqa: N818 - it is what happened
    """A job of a sweep failed; the message is one line. The class is plain, so that any launcher can pickle it."""


class TellFolder(Callback):
    """A Hydra callback that records the sweep's folder; `conf/train.yaml` names it."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Record the folder before the first job."""
        os.environ[FOLDER] = str(Path(config.hydra.sweep.dir).resolve())


def fit_for_sweep(
    config: DictConfig, folder: Path, sweep: Path, launcher: str, overrides: tuple[str, ...] = ()
) -> None:
    """Give the job its own folder and the sweep's group; raise a UserError for a setting that no sweep can use.

    Args:
        config: the job's configuration, changed in place.
        folder: the job's folder.
        sweep: the sweep's folder, whose name becomes the W&B group.
        launcher: the choice of `hydra/launcher`.
        overrides: the job's overrides.
    """
    if any(override.startswith("run_dir=") for override in overrides):
        raise UserError(
            "run_dir in a sweep: every job gets its own folder; name the sweep's folder with hydra.sweep.dir="
        )
    if "run_dir" in config:
        config.run_dir = str(folder)
    if "logger" in config and "group" in config.logger and config.logger.group is None:
        config.logger.group = sweep.name
    if OmegaConf.select(config, "logger.name") == "none":
        raise UserError("logger=none: a sweep's table is read from the jobs' metrics.csv; use logger=csv")
    for key in ("devices", "num_nodes"):
        value = OmegaConf.select(config, f"trainer.{key}", default=1)
        if value != 1 and launcher != "submitit_slurm":
            raise UserError(
                f"trainer.{key}={value} in a sweep with hydra/launcher={launcher}: a run starts its processes by "
                f"running its command again, and that command is the whole sweep; use trainer.{key}=1 and several jobs "
                "at once (hydra/launcher=joblib), or hydra/launcher=submitit_slurm"
            )


def run_as_job(
    config: DictConfig, task: Callable[[], float | None], launch: str, has_table: bool = False
) -> float | None:
    """Run one job of a sweep and return the task's result.

    A failed job writes the reason to `job.json` and prints it, with a traceback unless it is a user's mistake. The
    launchers then continue with the other jobs.

    Args:
        config: the job's configuration.
        task: what to run.
        launch: the stamp of this launch of the sweep.
        has_table: the command reads the records at the end, so that a failure need not be raised to be known.

    Raises:
        JobFailed: the task failed; the first process of a job does not raise it in a plain sweep with a table.
    """
    hydra = HydraConfig.get()
    folder, overrides = Path(hydra.runtime.output_dir), tuple(hydra.overrides.task)
    number, launcher = int(hydra.job.num), hydra.runtime.choices["hydra/launcher"]
    sweeper = hydra.runtime.choices["hydra/sweeper"]

    def record(status: Literal["running", "done", "failed"], error: str | None = None) -> None:
        write_record(folder, JobRecord(number, overrides, status, error, launch))

    record("running")
    try:
        fit_for_sweep(config, folder, Path(hydra.sweep.dir), launcher, overrides)
        with extras_named():
            result = task()
    except UserError as error:
        line = str(error)
    except Exception as error:
        traceback.print_exc()
        line = " ".join(f"{type(error).__name__}: {error}".split())
    except BaseException as error:
        record("failed", f"stopped by {type(error).__name__}")
        raise
    else:
        record("done")
        return result
    # Outside of the except clauses, so that the exception and every tensor of its frames are freed.
    record("failed", line)
    print(f"error: job {number}: {line}", file=sys.stderr, flush=True)
    if sweeper == "basic" and has_table and first_of_its_launch():
        # The job's other processes must fail, or the first one would wait for them.
        return None  # raising would start no further batch with hydra.sweeper.max_batch_size; the record is enough
    raise JobFailed(line)
