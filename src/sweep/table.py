"""The table of a sweep, `sweep.md` and `sweep.csv`, a row per job; `python -m src.sweep.table DIR` rewrites it."""

import csv
import io
import json
import math
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from src.system.console import show_everything
from src.system.errors import UserError
from src.system.files import write_whole
from src.system.processes import first_of_its_launch

RECORD: Final = "job.json"
SCORE: Final = "val/psnr_rgb"
"""The score that sweeps compare and `sweep=optuna` maximises: the mean over the validation faces, in dB."""
COLUMNS: Final = ("job", "overrides", SCORE, "val/ssim_rgb", "iterations", "status", "folder")


@dataclass(frozen=True)
class JobRecord:
    """The content of a job's `job.json`; `src/sweep/job.py` writes it."""

    number: int
    """0, 1, ... in the sweep's order."""
    overrides: tuple[str, ...]
    """As on a command line, with the sweep's choices filled in."""
    status: Literal["running", "done", "failed"]
    error: str | None = None
    """The reason of a failed job, one line."""
    launch: str = ""
    """The stamp of the launch: several launches may use one sweep's folder."""


def write_record(folder: Path, record: JobRecord) -> None:
    """Write or replace `job.json`; only the first process of a job does so."""
    if not first_of_its_launch():
        return
    write_whole(folder / RECORD, json.dumps(asdict(record), indent=2) + "\n")


def read_record(path: Path) -> JobRecord:
    """The inverse of `write_record`."""
    values = json.loads(path.read_text(encoding="utf-8"))
    return JobRecord(**{**values, "overrides": tuple(values["overrides"])})


@dataclass(frozen=True)
class Scores:
    """The best scores and the length of a run, read from its metrics."""

    psnr_rgb: float | None = None
    """The highest of its validations, dB; None before the first."""
    ssim_rgb: float | None = None
    """Of the same validation."""
    iterations: int = 0
    """Batches logged so far."""


def read_scores(run_dir: str | Path) -> Scores:
    """The scores of a run folder, over all parts of a resumed run."""
    best, ssim, iterations = -math.inf, None, 0
    for path in sorted(Path(run_dir).glob("metrics*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                iterations = max(iterations, int(float(row.get("step") or -1)) + 1)
                if float(row.get(SCORE) or "nan") > best:
                    best = float(row[SCORE])
                    ssim = float(row["val/ssim_rgb"]) if row.get("val/ssim_rgb") else None
    return Scores(best if best > -math.inf else None, ssim, iterations)


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    record: JobRecord
    overrides: str
    """The overrides in which the jobs differ."""
    scores: Scores
    folder: str
    """Relative to the sweep's folder."""

    @property
    def status(self) -> str:
        """done, or what went wrong."""
        if self.record.status == "failed":
            return f"failed: {self.record.error}"
        return self.record.status if self.record.status == "done" else "running or killed"

    def cells(self) -> tuple[str, ...]:
        """The cells in the order of `COLUMNS`."""
        psnr, ssim = self.scores.psnr_rgb, self.scores.ssim_rgb
        return (
            str(self.record.number),
            self.overrides,
            "" if psnr is None else f"{psnr:.2f}",
            "" if ssim is None else f"{ssim:.4f}",
            str(self.scores.iterations),
            self.status,
            self.folder,
        )


def differing(jobs: list[tuple[str, ...]]) -> list[str]:
    """One string per job: the overrides that not all jobs have; all of them if there is only one job."""
    counts = Counter(override for job in jobs for override in set(job))
    return [" ".join(x for x in job if counts[x] < len(jobs) or len(jobs) == 1) for job in jobs]


def read_jobs(sweep: Path) -> list[Row]:
    """The jobs of a sweep's folder in their order; raises a UserError if there is none."""
    paths = list(sweep.glob(f"**/{RECORD}"))
    jobs = sorted(((read_record(path), path.parent) for path in paths), key=lambda job: (job[0].number, str(job[1])))
    if not jobs:
        raise UserError(f"{sweep} holds no job of a sweep (no {RECORD} in its folders)")
    overrides = differing([record.overrides for record, _ in jobs])
    return [
        Row(record, words, read_scores(folder), str(folder.relative_to(sweep)))
        for (record, folder), words in zip(jobs, overrides, strict=True)
    ]


def markdown(rows: list[Row], sweep: Path) -> str:
    """The text of `sweep.md`: the table and the best job."""
    table = [COLUMNS, ("---:", "---", "---:", "---:", "---:", "---", "---"), *(row.cells() for row in rows)]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in table]
    scored = [(row.scores.psnr_rgb, row) for row in rows if row.scores.psnr_rgb is not None]
    if scored:
        value, best = max(scored, key=lambda pair: pair[0])
        lines += ["", f"Best: job {best.record.number}, {SCORE} {value:.2f} dB, {best.overrides}".rstrip(", ")]
    protocol = (
        f"{SCORE}: the highest of a job's validations, dB, mean over its data.val; val/ssim_rgb: that validation's."
    )
    return "\n".join([f"# Sweep {sweep.name}", "", *lines, "", protocol, ""])


def comma_separated(rows: list[Row]) -> str:
    """The text of `sweep.csv`: the same with all digits, and the error in its own column."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, "error"])
    for row in rows:
        number, words, *_, folder = row.cells()
        scores, record = row.scores, row.record
        values = (scores.psnr_rgb, scores.ssim_rgb, scores.iterations)
        writer.writerow([number, words, *values, record.status, folder, record.error])
    return text.getvalue()


def write_table(sweep: Path) -> list[Row]:
    """Write `sweep.md` and `sweep.csv`, print the table and return its rows."""
    rows = read_jobs(sweep)
    text = markdown(rows, sweep)
    write_whole(sweep / "sweep.md", text)
    write_whole(sweep / "sweep.csv", comma_separated(rows))
    print(text, flush=True)
    return rows


def close_sweep(sweep: Path, launch: str) -> int:
    """Write and print the table of a finished sweep, report this launch's unfinished jobs and return their number."""
    if not any(sweep.glob(f"**/{RECORD}")):
        return 0  # it ended before its first job, for a reason that is reported elsewhere
    rows = [row for row in write_table(sweep) if row.record.launch == launch]
    print(f"sweep folder: {sweep}", file=sys.stderr)
    for status, what in (("failed", "failed"), ("running", "have not ended, or were killed")):
        numbers = [str(row.record.number) for row in rows if row.record.status == status]
        if numbers:
            jobs = f"{len(numbers)} of {len(rows)} jobs {what}: {', '.join(numbers)}"
            print(f"error: {jobs} (see {sweep / 'sweep.md'})", file=sys.stderr)
    return sum(row.record.status != "done" for row in rows)


def main() -> None:
    """Rewrite the table of one sweep's folder, for example after a cluster has finished more jobs."""
    show_everything()
    if len(sys.argv) != 2:
        sys.exit("usage: python -m src.sweep.table DIR (the folder of a sweep)")
    try:
        write_table(Path(sys.argv[1]))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
