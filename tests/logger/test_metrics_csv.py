import csv
from pathlib import Path

import pytest

from src.logger.metrics_csv import MetricsCsv
from src.system.errors import UserError


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [{name: value for name, value in row.items() if value} for row in csv.DictReader(file)]


def log(logger: MetricsCsv, step: int, **values: float) -> None:
    """As Lightning does it, which saves after each call."""
    logger.log_metrics({f"a/{name}": value for name, value in values.items()}, step)
    logger.save()


def test_a_row_holds_what_came_for_its_batch_and_says_how_many_are_done(tmp_path: Path) -> None:
    logger = MetricsCsv(str(tmp_path))
    logger.log_metrics({"perf/x": 0.1}, 4)
    assert not (tmp_path / "metrics.csv").exists(), "written with the losses of the same batch"
    logger.log_metrics({"loss/y": 2.0, "epoch": 0}, 4)
    logger.save()
    logger.log_metrics({"perf/x": 0.3}, 9)
    logger.log_metrics({"perf/x": 0.5}, 14)
    logger.finalize("success")
    assert rows(tmp_path) == [
        {"iterations": "5", "step": "4", "epoch": "0", "perf/x": "0.1", "loss/y": "2.0"},
        {"iterations": "10", "step": "9", "perf/x": "0.3"},
        {"iterations": "15", "step": "14", "perf/x": "0.5"},
    ]


def test_a_new_column_leaves_earlier_rows_their_cells(tmp_path: Path) -> None:
    logger = MetricsCsv(str(tmp_path))
    log(logger, 0, z=1)
    log(logger, 1, z=2, b=3)
    log(logger, 2, b=4)
    assert [(row.get("a/z"), row.get("a/b")) for row in rows(tmp_path)] == [("1", None), ("2", "3"), (None, "4")]
    assert not list(tmp_path.glob("*.tmp"))


def test_a_resumed_run_goes_on_without_what_it_does_again(tmp_path: Path) -> None:
    first = MetricsCsv(str(tmp_path))
    for step in (1, 3, 5, 7):
        log(first, step, loss=step)
    log(first, 3, val=0.5)
    log(first, 7, val=0.7)
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("9,8")  # a kill
    second = MetricsCsv(str(tmp_path))  # from the checkpoint after 4 batches
    log(second, 5, loss=50)
    log(second, 7, loss=70)
    found = [(int(row["step"]), row.get("a/loss"), row.get("a/val")) for row in rows(tmp_path)]
    assert found == [(1, "1", None), (3, "3", None), (3, None, "0.5"), (5, "50", None), (7, "70", None)]


def test_validating_a_finished_run_again_keeps_its_losses(tmp_path: Path) -> None:
    first = MetricsCsv(str(tmp_path))
    log(first, 5, loss=1)
    log(first, 5, val=2)
    log(MetricsCsv(str(tmp_path)), 5, val=3)
    assert [(row.get("a/loss"), row.get("a/val")) for row in rows(tmp_path)] == [("1", None), (None, "3")]


def test_a_file_that_cannot_be_written_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").mkdir()
    with pytest.raises(UserError, match=r"metrics\.csv cannot be written"):
        log(MetricsCsv(str(tmp_path)), 0, x=1)
