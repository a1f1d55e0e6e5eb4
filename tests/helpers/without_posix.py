"""`python -m tests.helpers.without_posix VERB [argument ...]`: run a verb as where Python is that of Windows."""

import runpy
import signal
import sys

MISSING = ("fcntl", "resource", "termios", "pwd", "grp")

if __name__ == "__main__":
    for name in MISSING:
        sys.modules[name] = None  # type: ignore[assignment]
    del signal.SIGUSR1
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
