"""The group of all subcommands: it knows them by their files, and imports only the one that runs."""

import ast
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

import swr1
from swr1.commands._help import as_click
from swr1.registry import suggest
from swr1.terminal import say, shown

STAGES = ["gen-puzzles", "rollout", "verify", "reward", "train-step", "eval", "merge"]
RENAMED = {"analyse": "analyze"}  # earlier names: they still work, are not listed, and say so


def _files() -> dict[str, Path]:
    """The files by the names of their subcommands: index_query.py beside index.py is "index query"."""
    files = {f.stem: f for f in sorted(Path(__file__).parent.glob("[!_]*.py"))}
    names = {}
    for stem, file in files.items():
        first, _, second = stem.partition("_")
        words = [first, second] if second and first in files else [stem]
        names[" ".join(words).replace("_", "-")] = file
    return names


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

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """`swr1 help` and `swr1 help STAGE` are --help."""
        return super().parse_args(ctx, [*args[1:], "--help"] if args[:1] == ["help"] else args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        count = 2 if " ".join(args[:2]) in _files() else 1
        name = " ".join(args[:count])
        if name in RENAMED:
            say("swr1", f"`{name}` is now `{RENAMED[name]}`; the old name will go")
            name = RENAMED[name]
        plugins = {e.name: e for e in entry_points(group="swr1.commands")}
        if name in _files():
            module = importlib.import_module(f"swr1.commands.{_files()[name].stem}")
            function = module.command
        elif name in plugins:
            function = plugins[name].load()
        else:
            ctx.fail(f"no subcommand {name!r}.{suggest(name, self.list_commands(ctx))}")
        return name, as_click(name, function), args[count:]

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
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(requested: bool) -> None:
    if requested:
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
