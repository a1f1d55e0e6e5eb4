"""`python -m src.prepare source=folder source.root=DIR out=DIR`: make stores of faces."""

import sys

from src.config.command import command
from src.preparation.config import PrepareConfig
from src.system.errors import in_one_line
from src.system.posix import require_posix


def say(line: str) -> None:
    """Show a line to the person who waits."""
    sys.stdout.write(in_one_line(line) + "\n")
    sys.stdout.flush()


@command(config_name="prepare", schema=PrepareConfig)
def main(config: PrepareConfig) -> None:
    """Make the stores and say where they are; with check=true, verify them instead."""
    require_posix()
    from src.preparation.check_stores import run_check
    from src.preparation.run import run_preparation

    if config.check:
        run_check(config, say)
    else:
        run_preparation(config, say)


if __name__ == "__main__":
    main()
