"""How a subcommand shows its help, and takes flags by their earlier names.

`--help` shows the options of a usual run, if the command says which those are, and `--help-all` all
of them. Errors and completion know all of them in either case.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import typer
from typer.core import TyperCommand

from swr1.commands._fields import Facts
from swr1.commands._options import facts_of
from swr1.terminal import say


class Command(TyperCommand):
    """A subcommand that knows its options' Facts."""

    facts = Facts()
    show_all = False

    def format_help(self, ctx: Any, formatter: Any) -> None:
        options: list[Any] = [p for p in self.params if p.param_type_name == "option"]
        usual = {*self.facts.usual, "help_all"}
        rare = [p for p in options if not p.hidden and p.name not in usual]
        if self.show_all or not self.facts.usual:
            rare = []
        for p in rare:
            p.hidden = True
        if rare:
            self.epilog = (
                f"These are the options of a usual run; --help-all shows {len(rare)} more."
            )
        try:
            super().format_help(ctx, formatter)
        finally:
            for p in rare:
                p.hidden = False

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        words = []
        for word, old in renamed(args, self.facts.aliases):
            words.append(word)
            if old:
                say_renamed(ctx, old, word.partition("=")[0])
        return super().parse_args(ctx, words)


def say_renamed(ctx: Any, old: str, new: str) -> None:
    """One line on stderr; of several ranks only the first says it."""
    if os.environ.get("RANK", "0") == "0":
        say(ctx.command_path, f"{old} is now {new}")


def as_click(name: str, function: Any) -> Any:
    """The subcommand that typer makes of a function."""
    app = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
    )
    app.command(name, cls=Command)(function)
    made: Any = typer.main.get_command(app)
    made.facts = facts_of(function)
    made.params += typer.main.get_command(_help_all).params
    made.params[-1].expose_value = False
    made.params[-1].hidden = not made.facts.usual
    return made


def _show_all(ctx: typer.Context, requested: bool) -> None:
    if requested:
        ctx.command.show_all = True  # type: ignore[attr-defined]
        print(ctx.get_help())
        raise typer.Exit


_help_all = typer.Typer(add_completion=False)


@_help_all.command()
def _(
    help_all: bool = typer.Option(
        False, "--help-all", is_eager=True, callback=_show_all, help="Show all options and exit."
    ),
) -> None: ...


def completing(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Completion of a name in the shell. `names` imports what it needs: it runs only then."""
    return lambda incomplete: sorted(name for name in names() if name.startswith(incomplete))


def renamed(args: list[str], aliases: dict[str, str]) -> Iterator[tuple[str, str | None]]:
    """The words of a command line with today's flags; with each the old flag that it replaces."""
    for i, word in enumerate(args):
        flag, equals, value = word.partition("=")
        if "--" not in args[:i] and flag in aliases:
            yield aliases[flag] + equals + value, flag
        else:
            yield word, None
