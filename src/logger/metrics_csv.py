"""The logger that writes `metrics.csv`: every logged number of a run, one row per step."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from src.system.errors import UserError
from src.system.files import replacing

FILE = "metrics.csv"
INDEX = ("iterations", "step", "epoch")
"""Batches done; the batch's number counted from 0, as in Lightning; the epoch counted from 0."""


class MetricsCsv(Logger):
    """Writes `metrics.csv` in the run folder, each row as soon as it is complete.

    A resumed run appends to the file. With its first new row it removes the rows that were logged after the
    checkpoint, as they will be logged again. (Lightning's own CSVLogger deletes the file.)

    Args:
        run_dir: the run folder.

    Raises:
        UserError: the file cannot be written; raised while logging.
    """

    def __init__(self, run_dir: str) -> None:
        super().__init__()
        self.run_dir, self.path = run_dir, Path(run_dir) / FILE
        self._columns: list[str] | None = None
        self._row: dict[str, float] = {}

    @property
    def name(self) -> str:
        """Empty, so that Lightning appends nothing to the run folder's path."""
        return ""

    @property
    def version(self) -> str:
        """Empty, so that Lightning appends nothing to the run folder's path."""
        return ""

    @property
    def save_dir(self) -> str:
        """The run folder."""
        return self.run_dir

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: `config.yaml` has them."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add numbers to the row of a batch; `save` writes the row.

        Args:
            metrics: name -> number.
            step: number of the batch, counted from 0.
        """
        assert step is not None
        if self._row.get("step", step) != step:
            self.save()
        values = {name: value if isinstance(value, int) else float(value) for name, value in metrics.items()}
        self._row |= {"iterations": step + 1, "step": step, **values}

    @rank_zero_only
    def save(self) -> None:
        """Write the row."""
        row, self._row = self._row, {}
        if not row:
            return
        try:
            if self._columns is None:
                self._go_on(row)
            assert self._columns is not None
            if new := sorted(row.keys() - set(self._columns)):
                self._rewrite(_read(self.path), [*self._columns, *new])
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self._columns).writerow(row)
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be written ({error}); free some space: the same command resumes the run"
            ) from error

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the last row."""
        self.save()

    def _go_on(self, row: dict[str, float]) -> None:
        """Of an earlier file keep the rows before the first new row, and one of the same step with other numbers."""
        names = row.keys() - set(INDEX)
        rows = [
            old
            for old in _read(self.path)
            if int(old["step"]) < row["step"]
            or (int(old["step"]) == row["step"] and not any(old.get(name) for name in names))
        ]
        columns = [name for name in (rows[0] if rows else ()) if name not in INDEX]
        self._rewrite(rows, [*INDEX, *columns])

    def _rewrite(self, rows: list[dict[str, str]], columns: list[str]) -> None:
        with replacing(self.path) as (hidden,), hidden.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        self._columns = columns


def _read(path: Path) -> list[dict[str, str]]:
    """The complete rows of a metrics file, without one that a kill cut short; none if there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if None not in row.values() and None not in row and row["step"]]
