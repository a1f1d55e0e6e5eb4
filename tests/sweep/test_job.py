import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from src.config.command import command
from src.sweep.job import JobFailed, fit_for_sweep
from src.sweep.table import JobRecord, close_sweep, write_record
from src.system.errors import UserError
from src.training.config import TrainConfig
from tests.helpers.tiny_files import write_store
from tests.helpers.tiny_run import NETWORKS

ROOT = Path(__file__).parents[2]
STORES = ["data.train=[a]", "data.val=[a]"]
TINY = ["experiment=demo", *NETWORKS, "data.batch_size=2", "callbacks.progress=none", "callbacks.panel=0",
        "trainer=cpu", "debug=fast"]  # fmt: skip


def launch(monkeypatch: pytest.MonkeyPatch, task: Callable[[TrainConfig], float | None], *words: str) -> int:
    """The exit status of `python -m src.train WORDS` with another task."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["train", *STORES, *words])
    monkeypatch.setenv("MTUN_RUN_STAMP", "stamp")
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    try:
        command("train", TrainConfig, close_sweep)(task)()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def faulty_task() -> Callable[[TrainConfig], float]:
    def task(config: TrainConfig) -> float:
        Path(config.run_dir, "metrics.csv").write_text(f"step,val/psnr_rgb\n{config.seed},2{config.seed}.5\n")
        if config.seed == 2:
            raise UserError("the second is wrong")
        if config.seed == 3:
            raise MemoryError("line one\nline two")
        if config.seed == 5:
            raise ModuleNotFoundError("No module named 'wandb'", name="wandb")
        return 1.0

    return task  # inside a function: pickled by value, as that of a command is


def records(sweep: Path) -> list[dict[str, object]]:
    found = [json.loads(path.read_text()) for path in sweep.glob("*/job.json")]
    return sorted(found, key=lambda record: record["number"])


def test_a_job_that_fails_leaves_the_others_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["seed=1,2,3,4,-1,5", "-m", f"hydra.sweep.dir={tmp_path}/sweep"]  # overrides on both sides of the flag
    assert launch(monkeypatch, faulty_task(), *words) == 1
    assert [record["status"] for record in records(tmp_path / "sweep")] == [
        "done",
        "failed",
        "failed",
        "done",
        "failed",
        "failed",
    ]
    assert [record["error"] for record in records(tmp_path / "sweep")] == [
        None,
        "the second is wrong",
        "MemoryError: line one line two",
        None,
        "configuration: seed must be 0 or more and below 2^32, not -1",
        "wandb is not installed: it belongs to the extra `log`; make setup EXTRAS=log",
    ]
    out, err = capfd.readouterr()
    assert "| 3 | seed=4 | 24.50 |  | 5 | done | 3 |" in out
    assert "| 1 | seed=2 | 22.50 |  | 3 | failed: the second is wrong | 1 |" in out
    assert "error: 4 of 6 jobs failed: 1, 2, 4, 5" in err
    assert err.count("in task") == 1, "the traceback of what is no user's mistake"
    assert (tmp_path / "sweep" / "sweep.md").read_text() in out


@pytest.mark.parametrize("words", [["hydra/launcher=joblib", "hydra.launcher.n_jobs=1"],
                                   ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"]])  # fmt: skip
def test_the_same_over_a_launcher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str]) -> None:
    assert launch(monkeypatch, faulty_task(), "-m", "seed=1,2", f"hydra.sweep.dir={tmp_path}/sweep", *words) == 1
    assert [record["error"] for record in records(tmp_path / "sweep")] == [None, "the second is wrong"]
    assert "| 0 | seed=1 | 21.50 |  | 2 | done | 0 |" in (tmp_path / "sweep" / "sweep.md").read_text()


def test_a_sweep_without_a_failure_ends_with_0(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = ["-m", "seed=1,2", f"hydra.sweep.dir={tmp_path}/sweep"]
    assert launch(monkeypatch, lambda config: None, *words) == 0
    assert [record["overrides"][-1] for record in records(tmp_path / "sweep")] == ["seed=1", "seed=2"]  # type: ignore[index]
    assert {record["launch"] for record in records(tmp_path / "sweep")} == {"stamp"}


def test_a_command_without_a_table_tells_a_failed_job_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["x", *STORES, "-m", "seed=1,2", f"hydra.sweep.dir={tmp_path}/sweep"])
    with pytest.raises(SystemExit) as end:
        command("train", TrainConfig)(faulty_task())()
    assert end.value.code == 1


def test_ctrl_c_ends_the_whole_sweep(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def task(config: TrainConfig) -> None:
        raise KeyboardInterrupt

    assert launch(monkeypatch, task, "-m", "seed=1,2", f"hydra.sweep.dir={tmp_path}/sweep") == 130
    assert [record["error"] for record in records(tmp_path / "sweep")] == ["stopped by KeyboardInterrupt"]
    assert (tmp_path / "sweep" / "sweep.csv").is_file()


def test_every_job_has_its_folder_and_the_sweep_is_the_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []
    words = ["-m", "experiment=celeba16x,ablation/no_stn", f"hydra.sweep.dir={tmp_path}/mine"]
    assert launch(monkeypatch, lambda config: seen.append(config), *words) == 0  # type: ignore[func-returns-value]
    assert [config.run_dir for config in seen] == [f"{tmp_path}/mine/0", f"{tmp_path}/mine/1"]
    assert [config.logger.group for config in seen] == ["mine", "mine"]
    words += ["logger=wandb", "logger.group=paper"]
    assert launch(monkeypatch, lambda config: seen.append(config), *words) == 0  # type: ignore[func-returns-value]
    assert seen[-1].logger.group == "paper"


def test_the_folder_of_a_sweep_over_experiments_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTUN_RUN_STAMP", "stamp")
    done = subprocess.run([sys.executable, "-m", "src.train", *STORES, "experiment=demo", "--cfg", "hydra", "-p",
                           "hydra.sweep", "--resolve"],
                          cwd=ROOT, capture_output=True, text=True, check=True)  # fmt: skip
    assert "dir: outputs/sweeps/stamp" in done.stdout


def test_optuna_maximises_what_the_task_gives_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def task(config: TrainConfig) -> float:
        if config.seed == 7:
            raise UserError("diverged")
        return -((config.seed - 5.0) ** 2)

    words = ["sweep=optuna", "seed=range(0, 10)", "hydra.sweeper.n_trials=12", f"hydra.sweep.dir={tmp_path}/sweep"]
    status = launch(monkeypatch, task, *words)
    tried = [OmegaConf.from_dotlist(list(record["overrides"])).seed for record in records(tmp_path / "sweep")]  # type: ignore[call-overload]
    assert len(tried) == 12, "a trial that failed did not end the search"
    assert status == (1 if 7 in tried else 0)
    best = min((seed for seed in tried if seed != 7), key=lambda seed: abs(seed - 5))
    assert OmegaConf.load(tmp_path / "sweep" / "optimization_results.yaml").best_value == -((best - 5.0) ** 2)


def test_a_study_in_a_file_is_gone_on_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = ["sweep=optuna", "hydra.sweeper.n_trials=2", f"hydra.sweeper.storage=sqlite:///{tmp_path}/study.db"]
    for launched, value in ((1, 30.0), (2, 20.0)):
        more = ["hydra.sweeper.study_name=mine", f"hydra.sweep.dir={tmp_path}/{launched}"]
        assert launch(monkeypatch, lambda config, value=value: value, *words, *more) == 0  # type: ignore[misc]
    # The best of the second launch is the first one's.
    assert OmegaConf.load(tmp_path / "2" / "optimization_results.yaml").best_value == 30.0


def test_the_search_space_is_of_keys_that_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[TrainConfig] = []

    def task(config: TrainConfig) -> float:
        seen.append(config)
        return 1.0

    words = ["sweep=optuna", "experiment=demo", "hydra.sweeper.n_trials=6", f"hydra.sweep.dir={tmp_path}/sweep"]
    assert launch(monkeypatch, task, *words) == 0
    for config in seen:
        assert 1e-4 <= config.optimizer.lr <= 3e-3
        assert config.data.batch_size in (8, 16, 32)
        assert 0.9 <= config.optimizer.schedule.epoch_decay <= 1
        assert 0.01 <= config.loss.structure.weight <= 1
    assert len({config.optimizer.lr for config in seen}) == 6


@pytest.mark.parametrize("launcher", ["basic", "joblib", "submitit_local"])
@pytest.mark.parametrize("key", ["devices", "num_nodes"])
def test_several_processes_in_a_sweep_on_one_machine_are_refused(tmp_path: Path, launcher: str, key: str) -> None:
    config = OmegaConf.create({"trainer": {"devices": 1, "num_nodes": 1, key: 2}, "run_dir": "x"})
    with pytest.raises(UserError, match=f"trainer.{key}=2 in a sweep.*that command is the whole sweep"):
        fit_for_sweep(config, tmp_path / "0", tmp_path, launcher)
    fit_for_sweep(config, tmp_path / "0", tmp_path, "submitit_slurm")


def test_a_failed_job_does_not_keep_the_next_batch_of_jobs_from_starting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = ["-m", "seed=2,1,3,4", "hydra.sweeper.max_batch_size=1", f"hydra.sweep.dir={tmp_path}/sweep"]
    assert launch(monkeypatch, faulty_task(), *words) == 1
    assert [record["status"] for record in records(tmp_path / "sweep")] == ["failed", "done", "failed", "done"]


def test_a_folder_for_all_jobs_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["-m", "seed=1,4", f"run_dir={tmp_path}/run", f"hydra.sweep.dir={tmp_path}/sweep"]
    assert launch(monkeypatch, faulty_task(), *words) == 1
    assert "name the sweep's folder with hydra.sweep.dir=" in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_job_that_was_killed_is_told_apart_from_one_that_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, status in enumerate(("done", "failed", "running", "running")):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_record(folder, JobRecord(number, (f"seed={number}",), status, launch="now"))  # type: ignore[arg-type]
    assert close_sweep(tmp_path, "now") == 3
    said = capsys.readouterr().err
    assert "1 of 4 jobs failed: 1 (see" in said
    assert "2 of 4 jobs have not ended, or were killed: 2, 3 (see" in said


def test_only_the_first_process_of_a_job_writes_its_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLURM_PROCID", "1")
    write_record(tmp_path, JobRecord(0, (), "done"))
    assert not list(tmp_path.iterdir())


def test_a_jobs_other_processes_end_badly_or_the_first_one_waits_for_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert launch(monkeypatch, faulty_task(), "-m", "seed=2", f"hydra.sweep.dir={tmp_path}/sweep") != 0


def test_a_sweep_needs_the_csv(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="use logger=csv"):
        fit_for_sweep(OmegaConf.create({"logger": {"name": "none"}}), tmp_path / "0", tmp_path, "basic")


def test_a_failed_job_can_be_sent_between_processes() -> None:
    assert str(pickle.loads(pickle.dumps(JobFailed("why")))) == "why"


def test_a_real_sweep_keeps_what_went_well(tmp_path: Path) -> None:
    write_store(tmp_path / "train", 4, seed=1)
    write_store(tmp_path / "val", 2, seed=2)
    words = [*TINY, f"data.train=[{tmp_path}/train]", f"data.val=[{tmp_path}/val]", f"hydra.sweep.dir={tmp_path}/sweep"]
    words += ["-m", "logger=wandb", "logger.mode=offline", "optimizer.lr=1e-3,1e30"]
    words += ["hydra/launcher=joblib", "hydra.launcher.n_jobs=1", "guard.max_consecutive=1"]
    done = subprocess.run(
        [sys.executable, "-m", "src.train", *words],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert [record["status"] for record in records(tmp_path / "sweep")] == ["done", "failed"]
    assert "diverged" in str(records(tmp_path / "sweep")[1]["error"])
    rows = [line.split("|") for line in (tmp_path / "sweep" / "sweep.md").read_text().splitlines() if line[:3] == "| 0"]
    assert rows[0][2] == " optimizer.lr=0.001 "
    assert 5 < float(rows[0][3]) < 40
    assert rows[0][5].strip() == "2", "batches"
    for number in range(2):
        folder = tmp_path / "sweep" / str(number)
        assert OmegaConf.load(folder / "config.yaml").logger.group == "sweep"
        assert len(list(folder.glob("wandb/offline-run-*"))) == 1, "one W&B run a job"
