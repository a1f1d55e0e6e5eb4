"""The Weights & Biases logger: curves over iterations, panels, configuration, git revision, the best checkpoint."""

import logging
import netrc
import os
import secrets
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import wandb
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from numpy.typing import NDArray

from src.logger.config import FINISH_SECONDS, WandbLoggerConfig
from src.system.processes import first_process
from src.system.revision import revision

log = logging.getLogger(__name__)
ID_FILE = "wandb_id.txt"
HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")
START_SECONDS = 20.0  # to wait for the server's first answer; after that, training continues offline


def wandb_mode(config: WandbLoggerConfig) -> str:
    """online, offline or disabled; `auto` takes WANDB_MODE, else online with a login, else offline."""
    if config.mode != "auto":
        return config.mode
    if os.environ.get("WANDB_MODE"):
        return os.environ["WANDB_MODE"]
    return "online" if os.environ.get("WANDB_API_KEY", "").strip() or _netrc_hosts() & _servers() else "offline"


class WandbRun(WandbLogger):
    """The W&B run; if W&B refuses the key or does not answer, it warns and runs offline.

    `wandb_id.txt` in the run folder keeps the id, so that a resumed run continues the same W&B run. Each number comes
    with `iterations`, the batches done, which is the x-axis of all charts: W&B's own step must grow with each call,
    which it does not when a run resumes.

    Args:
        config: project, entity, mode and so on.
        run_dir: the run folder, which exists.
        run_config: the run's configuration as plain values.
    """

    def __init__(self, config: WandbLoggerConfig, run_dir: str, run_config: dict[str, Any]) -> None:
        run = start_run(config, run_dir, run_config) if first_process() else None
        super().__init__(save_dir=run_dir, project=config.project, experiment=run)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Add numbers to the charts.

        Args:
            metrics: name -> number, or any other value that W&B can show.
            step: number of the batch, counted from 0; shown at `step + 1`, the batches done.
        """
        assert step is not None
        self.experiment.log({**metrics, "iterations": step + 1})

    @rank_zero_only
    def log_panel(self, sheet: NDArray[np.uint8], strips: list[NDArray[np.uint8]], iterations: int) -> None:
        """Show one picture per face, each with a slider over the iterations; see `ShowsPanel`."""
        images = [wandb.Image(strip, caption=f"face {number}") for number, strip in enumerate(strips, 1)]
        self.log_metrics({"panel/faces": images}, iterations - 1)


def start_run(config: WandbLoggerConfig, run_dir: str, run_config: dict[str, Any]) -> "wandb.Run":
    """Start a W&B run, or continue the one that the run folder belongs to."""
    keeper = Path(run_dir) / ID_FILE
    identity = keeper.read_text().strip() if keeper.is_file() else ""
    if not identity:
        identity = secrets.token_hex(4)
        keeper.write_text(identity + "\n")

    def start(mode: Any) -> "wandb.Run":
        return wandb.init(
            project=config.project,
            entity=config.entity,
            group=config.group,
            tags=list(config.tags),
            name=Path(run_dir).name,
            dir=run_dir,
            id=identity,
            # Offline too: when a part is sent, W&B then appends it to the others instead of replacing them.
            resume="allow",
            mode=mode,
            config={**run_config, "revision": revision()},
            settings=wandb.Settings(silent=True, init_timeout=START_SECONDS, finish_timeout=FINISH_SECONDS),
        )

    mode = wandb_mode(config)
    # W&B refuses a key that was copied with a space or a line break, even offline.
    if key := os.environ.pop("WANDB_API_KEY", "").strip():
        os.environ["WANDB_API_KEY"] = key
    try:
        run = start(mode)
    except wandb.Error as error:
        if mode != "online":
            raise
        why = str(error).splitlines()[0]
        log.warning("W&B cannot be used now (%s): training continues offline", why)
        wandb.teardown()  # W&B's process still holds the id of the run that did not start
        run = start("offline")
    run.define_metric("iterations", hidden=True)
    run.define_metric("*", step_metric="iterations")
    if not run.offline:
        log.info("W&B: %s", run.url)
    return run


def finish_run(config: WandbLoggerConfig, run_dir: str) -> None:
    """End the W&B run of this run folder, if there is one; call it in a `finally`.

    It first uploads `checkpoints/best.ckpt` if `artifact` is set and the run did not fail. For an offline run it logs
    the command that sends it.
    """
    run, folder = wandb.run, Path(run_dir)
    if run is None or not Path(run.settings.sync_dir).resolve().is_relative_to(folder.resolve()):
        return
    failed = sys.exc_info()[0] is not None
    best = folder / "checkpoints" / "best.ckpt"
    if config.artifact and best.is_file() and not failed:
        artifact = wandb.Artifact(f"mtun-{run.id}", "model")
        artifact.add_file(str(best))
        run.log_artifact(artifact, aliases=["best"])
    offline = run.offline
    run.finish(exit_code=int(failed))
    if offline:
        # A run that was resumed offline has one folder per part; W&B must get them in order.
        parts = sorted(str(part) for part in (folder / "wandb").glob(f"offline-run-*-{run.id}"))
        log.info("this W&B run is offline; to send it: wandb sync %s", shlex.join(parts))


def _servers() -> set[str]:
    return {*HOSTS, urlsplit(os.environ.get("WANDB_BASE_URL", "")).netloc}


def _netrc_hosts() -> set[str]:
    try:
        return set(netrc.netrc(os.environ.get("NETRC") or str(Path.home() / ".netrc")).hosts)
    except (OSError, netrc.NetrcParseError):
        return set()
