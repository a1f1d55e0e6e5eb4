import csv
import subprocess
import sys
from pathlib import Path

import pytest

from src.sweep.table import JobRecord, Scores, close_sweep, differing, read_jobs, read_record, read_scores, write_record
from src.system.errors import UserError

ROOT = Path(__file__).parents[2]
OLD = "epoch,loss/total,step,val/psnr_rgb,val/ssim_rgb\n0,1.5,9,,\n0,,9,20.5,0.61\n1,,19,21.5,0.60\n"
NEW = "epoch,loss/total,step,val/psnr_rgb,val/ssim_rgb\n2,,29,nan,0.9\n3,,39,21.25,0.65\n3,1.0,44,,\n"


def job(sweep: Path, record: JobRecord, metrics: str | None = None) -> Path:
    folder = sweep / str(record.number)
    folder.mkdir(parents=True)
    write_record(folder, record)
    if metrics is not None:
        (folder / "metrics.csv").write_text(metrics)
    return folder


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = tmp_path / "lr"
    job(folder, JobRecord(10, ("seed=1", "lr=3"), "running", launch="now"), OLD)
    job(folder, JobRecord(0, ("seed=1", "lr=1"), "done", launch="now"), OLD)
    job(folder, JobRecord(2, ("seed=1", "lr=2"), "failed", "no face|no store", launch="now"))
    job(folder, JobRecord(1, ("seed=1", "lr=4"), "failed", "of last week", launch="before"), NEW)
    return folder


def test_scores_are_of_the_best_validation_over_all_parts_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "metrics.before-1.csv").write_text(OLD)
    (tmp_path / "metrics.csv").write_text(NEW)
    # SSIM is of the same validation, not the highest; a NaN is never best; the last row counts the batches.
    assert read_scores(tmp_path) == Scores(21.5, 0.60, 45)


def test_a_run_that_never_validated_has_no_score(tmp_path: Path) -> None:
    assert read_scores(tmp_path) == Scores(None, None, 0)
    (tmp_path / "metrics.csv").write_text("epoch,loss/total,step\n0,1.5,9\n")
    assert read_scores(tmp_path) == Scores(None, None, 10)


def test_only_what_differs_is_shown() -> None:
    assert differing([("a=1", "b=1", "c=1"), ("a=2", "b=1"), ("a=2", "b=1", "c=1")]) == ["a=1 c=1", "a=2", "a=2 c=1"]
    assert differing([("a=1", "b=1")]) == ["a=1 b=1"]


def test_the_table_has_a_row_a_job_in_order_with_its_error(sweep: Path) -> None:
    assert close_sweep(sweep, "now") == 2, "the failed and the killed one of this launch, not the older one"
    lines = (sweep / "sweep.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in lines if line.startswith("| ")][2:] == ["0", "1", "2", "10"]
    assert "| 0 | lr=1 | 21.50 | 0.6000 | 20 | done | 0 |" in lines
    assert r"| 2 | lr=2 |  |  | 0 | failed: no face\|no store | 2 |" in lines
    assert "| 10 | lr=3 | 21.50 | 0.6000 | 20 | running or killed | 10 |" in lines
    assert "Best: job 0, val/psnr_rgb 21.50 dB, lr=1" in lines


def test_the_csv_has_every_digit_and_the_error_apart(sweep: Path) -> None:
    close_sweep(sweep, "now")
    rows = list(csv.DictReader((sweep / "sweep.csv").open()))
    assert [row["status"] for row in rows] == ["done", "failed", "failed", "running"]
    assert [row["error"] for row in rows] == ["", "of last week", "no face|no store", ""]
    assert [row["val/psnr_rgb"] for row in rows] == ["21.5", "21.25", "", "21.5"]


def test_a_sweep_that_ended_before_its_first_job_has_no_table(tmp_path: Path) -> None:
    assert close_sweep(tmp_path, "now") == 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="holds no job"):
        read_jobs(tmp_path)


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    record = JobRecord(3, ("data.train=[a,b]", "name='x y'"), "failed", "ü: 1 %", "stamp")
    write_record(tmp_path, record)
    assert read_record(tmp_path / "job.json") == record


def test_the_table_can_be_written_again(sweep: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "src.sweep.table"]
    done = subprocess.run([*command, str(sweep)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == (sweep / "sweep.md").read_text() + "\n"
    none = subprocess.run([*command, str(tmp_path / "no")], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (none.returncode, none.stderr.count("\n")) == (2, 1)
