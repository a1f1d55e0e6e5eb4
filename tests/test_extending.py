"""The recipes of docs/extending.md, followed word for word in a copy of the code."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/extending.md").read_text()
PYTEST = ".venv/bin/python -m pytest "
LEFT = {
    "outputs/espcn/metrics.csv": "val/mae",
    "outputs/espcn/report/report.md": "| ESPCN |",
    "outputs/espcn/faces/b.png": "",
    "outputs/metric/report.md": "| MAE (levels) |",
    "outputs/metric/metrics.csv": "bicubic_mae",
    "data/dataset/val/contact.png": "",
    "outputs/nearest/report.md": "| nearest neighbour of the unaligned input |",
}
"""Files that the commands leave, and words in them."""


@dataclass(frozen=True)
class Block:
    """A block of the page, and the file that the line above it names; "" where it names none."""

    file: str
    language: str
    text: str


def blocks() -> list[Block]:
    found = re.findall(r"^([^\n]*)\n```(\w+)\n(.*?)(?=^```$)", PAGE, re.MULTILINE | re.DOTALL)
    return [Block("".join(re.findall(r"^`([\w./]+)`: ", line)), language, text) for line, language, text in found]


def commands() -> list[str]:
    """The lines of the blocks for a shell, in their order."""
    return "".join(block.text for block in blocks() if block.language == "bash").replace("\\\n", " ").splitlines()


def edited(text: str, diff: str) -> str:
    """A text with a diff's lines put in and taken out; what they stand beside is in it once."""
    for place in diff.split("@@\n"):
        lines = place.splitlines(keepends=True)
        old, new = ("".join(line[1:] for line in lines if line[0] in marks) for marks in (" -", " +"))
        assert text.count(old) == 1, f"not there, or not once:\n{old}"
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with all that the page adds."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("src", "conf", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "fixtures"))
    for path in (ROOT / "src/synthetic").iterdir():  # links, so that what was compiled, in seconds, is found again
        (folder / "src/synthetic" / path.name).unlink(missing_ok=True)
        (folder / "src/synthetic" / path.name).symlink_to(path)
    (folder / ".venv").symlink_to(sys.prefix)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for block in blocks():
        path = folder / block.file
        if block.language == "diff":
            path.write_text(edited(path.read_text(), block.text))
        elif block.language != "bash":
            assert not path.exists(), f"{block.file} is there already"
            path.write_text(block.text)
    return folder


def run(command: str, folder: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_every_block_but_commands_names_its_file() -> None:
    assert PAGE.count("\n```") == 2 * len(blocks())
    assert [block.text for block in blocks() if (block.language == "bash") != (block.file == "")] == []
    assert len([block for block in blocks() if block.file]) == 13


def test_what_it_adds_is_formatted_and_clean(clone: Path) -> None:
    files = shlex.join(block.file for block in blocks() if block.file.endswith(".py"))
    for words in ("check", "format --check"):
        run(f".venv/bin/python -m ruff {words} --no-cache {files}", clone)


def test_its_commands_run_and_its_tests_pass(clone: Path) -> None:
    for command in commands():
        if not command.startswith(PYTEST):
            run(command, clone)
    for path, words in LEFT.items():
        assert words.encode() in (clone / path).read_bytes(), path
    # All in one process; the generators that were there before are tested elsewhere.
    files = " ".join(command.removeprefix(PYTEST) for command in commands() if command.startswith(PYTEST))
    run(f"{PYTEST} -q {files} tests/test_layers.py -k 'not mtun and not light'", clone)
