"""The one exception for mistakes that a person can mend."""


class UserError(Exception):
    """A mistake of the person at the keyboard or in their files.

    The message is one line: what is wrong, where (file, key), and what mends it. Entry points print it without a
    traceback and exit with 2.
    """
