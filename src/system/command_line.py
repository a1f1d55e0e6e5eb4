"""What the commands without Hydra share: how a mistake or Ctrl-C ends them."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from src.system.errors import UserError
from src.system.extras import extras_named
from src.system.files import from_home

EXIT_USER_ERROR: Final = 2
EXIT_INTERRUPTED: Final = 130


def path_at_home(text: str) -> Path:
    """The path that a word of the command line names; `--out=~/x` reaches it as no shell has read it."""
    return Path(from_home(text))


def exit_code_of(task: Callable[[], int]) -> int:
    """The exit code of a task: its own, 2 after a mistake (one line on stderr), 130 after Ctrl-C."""
    try:
        with extras_named():
            return task()
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
