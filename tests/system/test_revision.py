import os
import subprocess
from pathlib import Path

import pytest

from src.system.revision import revision


def git(folder: Path, *words: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    names = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *names, *words], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    git(folder, "init", "-q")
    (folder / "src" / "a.py").write_text("a = 1\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_the_commit_and_whether_something_differs(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    assert revision(checkout) == commit
    (checkout / "notes.txt").write_text("outputs and notes do not matter")
    assert revision(checkout) == commit
    (checkout / "src" / "a.py").write_text("a = 2\n")
    assert revision(checkout) == f"{commit} dirty"


def test_none_outside_a_checkout_of_its_own(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert revision(checkout / "src") is None, "somebody else's repository"
    assert revision(tmp_path) is None
    monkeypatch.setenv("GIT_DIR", str(checkout / ".git"))  # as in a hook
    assert revision(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert revision(checkout) is None
