import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINE = "error: MTUN runs on Linux and macOS; on Windows use WSL"


@pytest.mark.parametrize(
    "words",
    [
        ["src.train", "experiment=demo"],
        ["src.prepare", "source=folder", "source.root=pictures", "out=made"],
        ["src.prepare", "check=true", "out=made"],
    ],
    ids=" ".join,
)
def test_a_command_that_needs_another_system_says_so_in_one_line(words: list[str]) -> None:
    done = without_posix(*words)
    assert (done.returncode, done.stderr.splitlines()) == (2, [LINE])


@pytest.mark.parametrize(
    "words",
    [["src.upscale", "--help"], ["src.evaluate", "checkpoint=x", "data.test=[x]", "--cfg", "job"]],
    ids=" ".join,
)
def test_the_others_do_not_ask_for_it(words: list[str]) -> None:
    done = without_posix(*words)
    assert (done.returncode, done.stderr) == (0, "")


def without_posix(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tests.helpers.without_posix", *words],
                          cwd=ROOT, capture_output=True, text=True, check=False)  # fmt: skip
