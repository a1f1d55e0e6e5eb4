"""The console that a command writes to, whatever characters it can show."""

import io
import sys


def show_everything() -> None:
    r"""Let stdout and stderr show a character that their encoding lacks as an escape, such as `\u7167`.

    Without it, printing such a name (Chinese on a Windows console, bytes that are no UTF-8 on any) ends the command
    with a UnicodeEncodeError. Every command calls this first.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
