"""The command line: `swr1 SUBCOMMAND`. One thin file per subcommand, named after it.

A file `gen_puzzles.py` here is the subcommand `gen-puzzles`: it holds a function `command`, whose
docstring is the help. Nothing else is edited to add one. Other packages add theirs with an entry
point in the group "swr1.commands". `swr1 --help` imports none of them.
"""

import signal
import sys

if sys.argv and sys.argv[0].endswith(("/swr1", "/swr1/__main__.py")):
    # The program itself, while it still imports: an interrupt ends it, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import errno
import gc
import os

from swr1.commands._group import STAGES, LazyGroup, app
from swr1.errors import ReaderClosed, Stopped, SwrError, UsageError
from swr1.extras import advice
from swr1.streams import ending, standard
from swr1.streams.stage import NothingToDo
from swr1.terminal import guard, say

__all__ = ["STAGES", "LazyGroup", "app", "main"]


def spread(args: list[str]) -> list[str]:
    """A command line in which every option has one value.

    `--on-error quarantine PATH` becomes one word. Of `--set a=1 b=2` each NAME=VALUE gets its own
    `--set`, unless it is the name of a file.
    """
    words: list[str] = []
    setting = False
    for word in args:
        setting = setting and "=" in word and not (word.startswith("-") or os.path.exists(word))
        if setting and words[-1] != "--set":
            words.append("--set")
        setting = setting or word == "--set"
        if words[-2:] == ["--on-error", "quarantine"]:
            words[-1] = f"quarantine={word}"
        else:
            words.append(word)
    return words


def main() -> None:
    """Run the command line; every failure is one clear message and an exit code."""
    standard.repair()
    guard()
    try:
        ending.install()
        _run(spread(sys.argv[1:]))
    except Stopped as stopped:  # it came between two lines of these
        sys.exit(stopped.exit_code)
    except SystemExit as left:
        if ranks := sys.modules.get("swr1.training.parallel"):  # only where it was needed
            ranks.leave(left.code)
        raise
    finally:
        ending.over()
        gc.freeze()  # else Python goes through all of torch's objects once more: a second or more


def _run(args: list[str]) -> None:
    name = f"swr1 {args[0]}" if args and not args[0].startswith("-") else "swr1"
    try:
        app(args, prog_name="swr1")
    except NothingToDo:
        code = 0
    except ReaderClosed:
        # The reader left in the moment between a stage's work and its end: not a failure.
        standard.abandon()
        code = 0
    except (Stopped, SwrError, OSError) as error:
        if isinstance(error, OSError):
            standard.abandon()  # what a full disk did not take, Python would try again at its exit
        stopped = ending.swallowed()  # then what was raised is only what became of it
        if not stopped and not isinstance(error, Stopped):
            say(name, f"error: {_message_of(error)}")
        code = getattr(stopped or error, "exit_code", 1)
    except ModuleNotFoundError as error:
        if not (needed := advice(error)):
            raise
        say(name, f"error: {needed}")
        code = UsageError.exit_code
    else:
        return
    sys.exit(code)


def _message_of(error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    place = f"{error.filename}: " if error.filename else ""
    remedy = {
        errno.ENOSPC: "; free some space and run the same command to continue",
        errno.EACCES: "; choose a place you may write to",
        errno.EROFS: "; choose a place you may write to",
    }.get(error.errno or 0, "")
    return f"{place}{error.strerror or error}{remedy}"
