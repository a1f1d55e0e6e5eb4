"""The exceptions for what a person can mend: a mistake, and a picture that cannot be used."""


class UserError(Exception):
    """A mistake of the person at the keyboard or in their files.

    The message is one line: what is wrong, where (file, key), and what mends it. Entry points print it without a
    traceback and exit with 2.
    """


class BadFace(UserError):  # noqa: N818 - it says what was found; `prepare` goes on past it
    """A picture, or one face of it, that cannot be used.

    Attributes:
        file: the file to look at, relative to the source's root where there is one.
        reason: what is wrong with it, one line.
    """

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(file, reason)
        self.file = file
        self.reason = " ".join(reason.split())

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"
