"""The TensorBoard logger: curves over iterations, the panels of faces, the configuration."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from numpy.typing import NDArray
from omegaconf import OmegaConf
from tensorboard.compat.proto.event_pb2 import Event, SessionLog

from src.system.revision import revision

FOLDER = "tensorboard"


class Events(TensorBoardLogger):
    """Writes `tensorboard/` in the run folder; `tensorboard --logdir RUN_FOLDER` shows it.

    Args:
        run_dir: the run folder.
        run_config: the run's configuration as plain values, shown under Text with the git revision.
    """

    def __init__(self, run_dir: str, run_config: dict[str, Any]) -> None:
        super().__init__(run_dir, name="", version=FOLDER, default_hp_metric=False)
        self.run_config = run_config
        self._begun = False

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add numbers to the curves.

        Args:
            metrics: name -> number.
            step: number of the batch, counted from 0; shown at `step + 1`, the batches done.
        """
        assert step is not None
        self._begin(step + 1)
        super().log_metrics(metrics, step + 1)

    @rank_zero_only
    def log_panel(self, sheet: NDArray[np.uint8], strips: list[NDArray[np.uint8]], iterations: int) -> None:
        """Show the sheet under Images; see `ShowsPanel`."""
        self._begin(iterations)
        self.experiment.add_image("panel", sheet, iterations, dataformats="HWC")

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the configuration is under Text."""

    @rank_zero_only
    def save(self) -> None:
        """Do nothing: the writer's thread appends each event to the file by itself; a flush would wait for it."""

    def _begin(self, iterations: int) -> None:
        """Before the first number: make TensorBoard drop what was logged after the checkpoint of a resumed run."""
        if self._begun:
            return
        self._begun = True
        writer = self.experiment._get_file_writer()
        writer.add_event(Event(step=iterations, session_log=SessionLog(status=SessionLog.START)), iterations)
        text = OmegaConf.to_yaml(OmegaConf.create({"revision": revision(), **self.run_config}))
        self.experiment.add_text("config", "\n".join(f"    {line}" for line in text.splitlines()), iterations)
