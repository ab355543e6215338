"""Errors a person reads, each with its exit code, and the two ends of a run that are no failure."""


class SwrError(Exception):
    """A failure with a message for people; the command line prints it without a traceback."""

    exit_code = 1


class UsageError(SwrError):
    """Wrong use: an unknown name or option, an impossible size."""

    exit_code = 2


class DataError(SwrError):
    """Bad input data. `location` is "FILE:LINE" or another place a person can go to."""

    exit_code = 65

    def __init__(self, message: str, location: str | None = None) -> None:
        self.location = location
        self.reason = message
        super().__init__(f"{location}: {message}" if location else message)


class Ending(BaseException):
    """The run ends before its work is done (streams/ending.py raises it in the main thread).

    No `Exception`: code that catches whatever its records, a library or a stranger's function may
    raise lets it pass.
    """

    exit_code: int


class Stopped(Ending):
    """SIGINT, SIGTERM or SIGHUP came; the exit code is 128 + its number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.exit_code = 128 + number


class ReaderClosed(Ending):
    """The process reading our standard output has had enough: not a failure."""

    exit_code = 0


def no_folder(name: object) -> str:
    """The message for a policy folder that does not exist."""
    return f"no such folder; {how_to_make(name)}"


def how_to_make(policy: object) -> str:
    """The commands that make a policy's folder, in a message."""
    return (
        f"make a policy with: swr1 init-policy {policy} puzzles.jsonl (a small new one on your"
        f" records), or: swr1 init-policy {policy} --from MODEL"
    )
