"""Errors a person reads: what was wrong, where, what to do. Each kind has its exit code."""

from __future__ import annotations


class SwrError(Exception):
    """A failure with a message for people; the command line prints it without a traceback."""

    exit_code = 1


class UsageError(SwrError):
    """Wrong use: an unknown name or option, an impossible size."""

    exit_code = 2


class DataError(SwrError):
    """Bad input data. `where` is "FILE:LINE" or another place a person can go to."""

    exit_code = 65

    def __init__(self, message: str, where: str | None = None) -> None:
        self.where = where
        self.reason = message
        super().__init__(f"{where}: {message}" if where else message)
