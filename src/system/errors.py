"""The exceptions that a user can fix: `UserError` for a mistake, `BadFace` for an unusable picture."""

import re
from typing import Final

_CONTROL: Final = re.compile(r"[\0-\x1f\x7f-\x9f\u2028\u2029]")


def in_one_line(text: str) -> str:
    r"""A text with its line ends and control characters as escapes such as `\n`: a file's name may hold any."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def shortened(text: str, most: int = 160) -> str:
    """A text of at most `most` characters, which ends in "..." if it was longer."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def reason_of(error: BaseException) -> str:
    """What a library's exception says, for a message: one line of at most 160 characters, its type if it says nothing.

    zipfile, for one, quotes whole headers.
    """
    return shortened(" ".join(str(error).split()) or type(error).__name__)


class UserError(Exception):
    """A mistake in the user's command or files.

    The message is one line: what is wrong, where (file, key), and how to fix it. Entry points print it without a
    traceback and exit with 2.
    """

    def __str__(self) -> str:
        return in_one_line(super().__str__())


class BadFace(UserError):  # noqa: N818 - named for what was found; `prepare` skips it
    """A picture, or one face in it, that cannot be used.

    Attributes:
        file: the file, relative to the source's root if it has one.
        reason: what is wrong with it, one line.
    """

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(file, reason)
        self.file = file
        self.reason = " ".join(reason.split())

    def __str__(self) -> str:
        return in_one_line(f"{self.file}: {self.reason}")
