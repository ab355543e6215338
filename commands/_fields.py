"""One field of a dataclass as an option of typer's: its type, flags, help and default."""

import dataclasses
import inspect
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from swr1.options import KEY, Option, default_of, flag_of, options_of


@dataclass
class Facts:
    """What the command line knows of a command's options beside typer's own; see Option."""

    usual: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)  # old flag -> new flag
    written: dict[str, str] = field(default_factory=dict)  # name -> flag
    quiet: set[str] = field(default_factory=set)

    def take(self, name: str, f: dataclasses.Field) -> None:
        """Note what the command line must know of an option that is a field."""
        about: Option = f.metadata[KEY]
        flag = flag_of(name, f)
        self.aliases |= dict.fromkeys(about.aliases, flag)
        if about.usual:
            self.usual.add(name)
        if about.written:
            self.written[name] = flag
        if about.quiet:
            self.quiet.add(name)

    def note(self, name: str, info: Any) -> None:
        """Note what `option` below and WRITTEN add to an annotation of typer's."""
        if getattr(info, "usual", False):
            self.usual.add(name)
        if info is WRITTEN:
            self.written[name] = flag_of(name)
        for alias in getattr(info, "aliases", ()):
            names = getattr(info, "param_decls", ()) or ()
            self.aliases[alias] = next((n for n in names if n[:2] == "--"), flag_of(name))


def option(
    help: str | None = None,
    *names: str,
    panel: str | None = None,
    usual: bool = False,
    aliases: tuple[str, ...] = (),
    **more: Any,
) -> Any:
    """`typer.Option` for a parameter of a command that has no dataclass of options.

    What it does comes first, then its names if not the parameter's; `panel`, `usual` and `aliases`
    are as in swr1.options.Option.
    """
    info = typer.Option(*names, help=help, rich_help_panel=panel, **more)
    info.usual, info.aliases = usual, aliases  # type: ignore[attr-defined]
    return info


WRITTEN = object()
"""In an option's annotation: it names a file to be written, which must be no input."""


def parameter_of(classes: tuple[Any, ...], name: str, f: dataclasses.Field) -> inspect.Parameter:
    """The parameter that typer makes the option of: of one dataclass with the field's default, of
    several with None, and with a help text that states the default of each."""
    about: Option = f.metadata[KEY]
    default = default_of(f) if len(classes) == 1 else None
    hint = next(h[name] for one in classes if name in (h := get_type_hints(one)))
    kind = _kind(about.kind or (str if about.parse else hint))
    names = about.names
    if kind is bool and not names and not about.negatable and default_of(f) is False:
        names = (flag_of(name),)  # else typer would add a --no-NAME
    shown = _defaults(classes, name) if len(classes) > 1 else about.default
    help = about.help
    if shown:  # typer states none where the default is None
        help = f"{help or ''} [default: {shown}]".strip()
    info = typer.Option(
        *names,
        help=help,
        rich_help_panel=about.panel,
        metavar=about.metavar,
        min=about.min,
        max=about.max,
        show_default=not shown,
    )
    if isinstance(default, tuple | list):
        default = tuple(default)
    elif about.parse and default is not ...:
        default = None  # the field's own; how help states it is Option.default
    if default is None:
        kind |= None
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[kind, info],
        default=inspect.Parameter.empty if default is ... else default,
    )


def _kind(hint: Any) -> Any:
    """The type for typer: of a union the first that is not None, of a sequence a list."""
    if get_origin(hint) in (list, tuple):
        return list[_kind(get_args(hint)[0])]  # type: ignore[misc]
    if args := [a for a in get_args(hint) if a not in (NoneType, ...)]:
        return _kind(args[0])
    return hint if hint in (bool, int, float, str, Path) else str


def _defaults(classes: tuple[Any, ...], name: str) -> str | None:
    """How the help states the defaults of a field that several dataclasses have: `8; sft: 32`."""
    texts: dict[str, list[str]] = {}
    for one in classes:
        label = getattr(one, "LABEL", one.__name__)
        if label and (f := options_of(one).get(name)):
            value = f.metadata[KEY].default or default_of(f)
            if value not in (None, ...) and value is not False and value != ():
                texts.setdefault(f"{value}", []).append(label)
    first, *others = [*texts.items()] or [("", [])]
    if len(others) == 1 and len(others[0][1]) > 2:
        others = [(others[0][0], ["others"])]
    more = "".join(f"; {', '.join(labels)}: {text}" for text, labels in others)
    return f"{first[0]}{more}" or None
