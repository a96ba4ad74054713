"""What can go wrong, in our words.

Every foreign exception is mapped to one of these at the edge where it appears. Each kind carries the exit code
that the command line gives it, and a hint that says what to do next.
"""


class CrawlerError(Exception):
    """Something that the user must know; the base of all errors that this package raises on purpose.

    `str(error)` is one line saying what and where; `hint`, when not empty, is one line saying what to do.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(CrawlerError):
    """A flag, a configuration key or a query that cannot be used. Nothing was requested, nothing was written.

    `key` names the setting that is wrong, if it is one.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "", key: str = "") -> None:
        super().__init__(message, hint)
        self.key = key


class IndexFileError(CrawlerError):
    """The index is missing, locked, damaged, not ours or of a newer schema, or its disk is full."""

    exit_code = 3


class SeedError(CrawlerError):
    """No seed could be fetched: unreachable, or refused by robots.txt."""

    exit_code = 4
