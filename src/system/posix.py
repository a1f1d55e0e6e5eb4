"""The systems that MTUN runs on."""

from importlib.util import find_spec

from src.system.errors import UserError

SYSTEMS = "MTUN runs on Linux and macOS; on Windows use WSL"


def require_posix() -> None:
    """Raise a UserError where Python lacks the file locks and signals of Linux and macOS, as on Windows.

    Commands that write stores or train call it before they import what needs them.
    """
    if find_spec("fcntl") is None:
        raise UserError(SYSTEMS)
