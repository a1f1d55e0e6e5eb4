"""The git commit of the project's code."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def revision(root: Path = ROOT) -> str | None:
    """The git commit of the project, followed by ` dirty` if tracked files differ from it.

    Args:
        root: the project's folder.

    Returns:
        40 hex digits, or 40 hex digits and ` dirty`; None if git is missing or `root` is not the top of a git checkout
        (a copy, a package, a folder inside another repository).
    """
    top, commit = _git(root, "rev-parse", "--show-toplevel"), _git(root, "rev-parse", "HEAD")
    if not top or not commit or Path(top).resolve() != root.resolve():
        return None
    return f"{commit} dirty" if _git(root, "status", "--porcelain", "--untracked-files=no") else commit


def _git(root: Path, *words: str) -> str | None:
    # Variables of a surrounding git command (a hook, a rebase) would point to its repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *words],  # leave the index to a git command that is writing it
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
