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

import ast
import errno
import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

import swr1
from swr1.errors import ReaderClosed, Stopped, SwrError, UsageError
from swr1.extras import advice
from swr1.registry import suggest
from swr1.streams import ending, standard
from swr1.streams.stage import NothingToDo
from swr1.terminal import guard, say, shown

STAGES = ["gen-puzzles", "rollout", "verify", "reward", "train-step", "eval", "merge"]


def _files() -> dict[str, Path]:
    folder = Path(__file__).parent
    return {
        f.stem.replace("_", "-"): f
        for f in sorted(folder.glob("*.py"))
        if not f.stem.startswith("_")
    }


class LazyGroup(TyperGroup):
    """Lists subcommands by reading their files, and imports only the one that runs."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = [*_files(), *(e.name for e in entry_points(group="swr1.commands"))]
        return STAGES + sorted(set(names) - set(STAGES))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in with name and help, for the list of subcommands."""
        file = _files().get(cmd_name)
        text = ast.get_docstring(ast.parse(file.read_text())) if file else ""
        panel = "Stages" if cmd_name in STAGES else "Helpers"
        return TyperCommand(cmd_name, help=text or "a plugin", rich_help_panel=panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        plugins = {e.name: e for e in entry_points(group="swr1.commands")}
        if name in _files():
            module = importlib.import_module(f"swr1.commands.{_files()[name].stem}")
            function = module.command
        elif name in plugins:
            function = plugins[name].load()
        else:
            ctx.fail(f"no subcommand {name!r}.{suggest(name, self.list_commands(ctx))}")
        from swr1.commands._help import as_click

        return name, as_click(name, function), args[1:]

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _words_shown():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        with _words_shown():
            return super().invoke(ctx)


@contextmanager
def _words_shown() -> Iterator[None]:
    """What a complaint about the command line repeats of it (a file's name, say) is shown."""
    try:
        yield
    except Exception as error:
        if hasattr(error, "format_message"):  # click's, which typer may carry within
            error.message = shown(error.message)  # type: ignore[attr-defined]
        raise


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        print(f"swr1 {swr1.__version__}")
        for package in ("torch", "transformers", "trl", "vllm"):
            try:
                print(f"{package} {version(package)}")
            except PackageNotFoundError:
                print(f"{package} (not installed)")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show versions, also of engines."
    ),
) -> None:
    """Reinforcement learning from verifiers, as Unix stages over JSONL or Parquet records.

    swr1 gen-puzzles | swr1 rollout --policy P | swr1 verify format knights | swr1 reward logic-rl
    """


def _join_quarantine(args: list[str]) -> list[str]:
    """`--on-error quarantine PATH` as one word, since an option takes one value."""
    joined: list[str] = []
    for word in args:
        if joined[-2:] == ["--on-error", "quarantine"]:
            joined[-1] = f"quarantine={word}"
        else:
            joined.append(word)
    return joined


def main() -> None:
    """Run the command line; every failure is one clear message and an exit code."""
    standard.repair()
    guard()
    try:
        ending.install()
        _run(_join_quarantine(sys.argv[1:]))
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
            say(name, f"error: {_told(error)}")
        code = getattr(stopped or error, "exit_code", 1)
    except ModuleNotFoundError as error:
        if not (needed := advice(error)):
            raise
        say(name, f"error: {needed}")
        code = UsageError.exit_code
    else:
        return
    sys.exit(code)


def _told(error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    place = f"{error.filename}: " if error.filename else ""
    remedy = {
        errno.ENOSPC: "; free some space and run the same command to continue",
        errno.EACCES: "; choose a place you may write to",
        errno.EROFS: "; choose a place you may write to",
    }.get(error.errno or 0, "")
    return f"{place}{error.strerror or error}{remedy}"
