import os
import re

import pytest

from src.config.stamp import run_stamp

NAMES = ("SLURM_NTASKS", "SLURM_JOB_ID", "TORCHELASTIC_RUN_ID")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d"),
        ({"SLURM_NTASKS": "8", "SLURM_JOB_ID": "77"}, "slurm-77"),
        ({"SLURM_NTASKS": "1", "SLURM_JOB_ID": "77"}, r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d"),
        ({"TORCHELASTIC_RUN_ID": "faces"}, "torchrun-faces"),
        ({"TORCHELASTIC_RUN_ID": "none"}, rf"torchrun-\d{{4}}-\d\d-\d\d-{os.getppid()}"),
    ],
)
def test_the_processes_of_a_run_agree(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert re.fullmatch(expected, run_stamp())
