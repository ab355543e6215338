"""Command-line options made from the fields of dataclasses (declared with swr1.options.option).

    @with_options                                   # a command without the common options
    def command(plan: PlanConfig, given: Given): ...

    @stage_command()                                # the same for a stage
    def command(open_stage, recipe: Annotated[str, typer.Argument()], rollout: RolloutOptions): ...

    @stage_command()
    def command(open_stage, values: Annotated[dict[str, Any], AnyOf(RLConfig, SFTConfig)]): ...

A parameter whose type is a dataclass becomes one option for each field, and the command receives an
instance. `AnyOf` makes the options of several dataclasses, of which the command then picks one: it
receives a dict of the options that were given. `Given` receives the names of all options that were
given on the command line or in --config, whatever their values.
"""

import dataclasses
import inspect
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from swr1.options import KEY, Option, default_of, flag_of, options_of

CONTEXT = "ctx"


class Given(frozenset):
    """The names of the options that were given."""


class AnyOf:
    """In an annotation: options of several dataclasses. `less`: fields that are no options here."""

    def __init__(self, *classes: type, less: tuple[str, ...] = ()) -> None:
        self.classes, self.less = classes, less


@dataclass
class Facts:
    """What the command line knows of a command's options beside typer's own; see Option."""

    usual: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)  # old flag -> new flag
    written: dict[str, str] = field(default_factory=dict)  # name -> flag
    quiet: set[str] = field(default_factory=set)


def facts_of(function: Any) -> Facts:
    return getattr(function, "option_facts", None) or Facts()


class Options:
    """The options of a function's parameters, and its arguments made of their values."""

    def __init__(self, function: Callable, skip: int = 0) -> None:
        self.parameters: list[inspect.Parameter] = []
        self.facts = Facts()
        self._makers: dict[str, Callable[[dict[str, Any], Given], Any]] = {}
        hints = get_type_hints(function, include_extras=True)
        for p in list(inspect.signature(function).parameters.values())[skip:]:
            self._add(p.replace(kind=p.KEYWORD_ONLY, annotation=hints.get(p.name, p.annotation)))

    def arguments(self, values: dict[str, Any], given: Given) -> dict[str, Any]:
        """The function's keyword arguments."""
        return {name: make(values, given) for name, make in self._makers.items()}

    def add(self, made: Any, less: Container[str] = ()) -> Callable[[dict[str, Any], Given], Any]:
        """Add an option for each field of a dataclass, and return what makes the instance."""
        fields = {n: f for n, f in options_of(made).items() if n not in less}
        for name, f in fields.items():
            self._add_field(name, f, _hint((made,), name), default_of(f), None)
        return lambda values, given: made(**_picked(fields, values, given))

    def _add(self, p: inspect.Parameter) -> None:
        hint, extras = p.annotation, getattr(p.annotation, "__metadata__", ())
        several = next((x for x in extras if isinstance(x, AnyOf)), None)
        if hint is Given:
            self._makers[p.name] = lambda values, given: given
        elif several:
            classes = several.classes
            fields = {n: f for n, f in options_of(*classes).items() if n not in several.less}
            for name, f in fields.items():
                shown = _shown(classes, name)
                self._add_field(name, f, _hint(classes, name), None, shown)
            self._makers[p.name] = lambda values, given: _picked(fields, values, given)
        elif dataclasses.is_dataclass(hint):
            self._makers[p.name] = self.add(hint)
        else:
            self.parameters.append(p)
            self._makers[p.name] = lambda values, given: values[p.name]
            for info in extras:
                self._note(p.name, info)

    def _note(self, name: str, info: Any) -> None:
        """What swr1.commands._stage.option and WRITTEN add to an annotation of typer's."""
        if getattr(info, "usual", False):
            self.facts.usual.add(name)
        if info is WRITTEN:
            self.facts.written[name] = flag_of(name)
        for alias in getattr(info, "aliases", ()):
            names = getattr(info, "param_decls", ()) or ()
            self.facts.aliases[alias] = next((n for n in names if n[:2] == "--"), flag_of(name))

    def _add_field(
        self, name: str, f: dataclasses.Field, hint: Any, default: Any, shown: str | None
    ) -> None:
        about: Option = f.metadata[KEY]
        kind = _kind(about.kind or (str if about.parse else hint))
        names = about.names
        if kind is bool and not names and not about.negatable and default_of(f) is False:
            names = (flag_of(name),)  # else typer would add a --no-NAME
        if shown := shown or about.default:  # typer tells none where the default is None
            about = replace(about, help=f"{about.help or ''} [default: {shown}]".strip())
        info = typer.Option(
            *names,
            help=about.help,
            rich_help_panel=about.panel,
            metavar=about.metavar,
            min=about.min,
            max=about.max,
            show_default=not shown,
        )
        if isinstance(default, tuple | list):
            default = tuple(default)
        elif about.parse and default is not ...:
            default = None  # the field's own; how help tells it is Option.default
        if default is None:
            kind |= None
        self.parameters.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=Annotated[kind, info],
                default=inspect.Parameter.empty if default is ... else default,
            )
        )
        flag = flag_of(name, f)
        self.facts.aliases |= dict.fromkeys(about.aliases, flag)
        if about.usual:
            self.facts.usual.add(name)
        if about.written:
            self.facts.written[name] = flag
        if about.quiet:
            self.facts.quiet.add(name)


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


def with_options(function: Callable) -> Callable:
    """A command without the common options, whose parameters may be dataclasses of options."""
    options = Options(function)

    @wraps(function)
    def run(**values: Any) -> Any:
        given = given_of(values.pop(CONTEXT))
        return function(**options.arguments(values, given))

    return as_command(run, options.parameters, options.facts)


def as_command(run: Callable, parameters: list[inspect.Parameter], facts: Facts) -> Callable:
    """Give `run` the signature that typer reads; it is called with the context under CONTEXT too."""
    context = inspect.Parameter(CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [*parameters, context]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.option_facts = facts  # type: ignore[attr-defined]
    vars(run).pop("__wrapped__", None)  # else typer would look through to the bare function
    return run


def given_of(ctx: typer.Context) -> Given:
    """The options whose value is not their default's: from the command line, or from --config."""
    sources = {p.name: ctx.get_parameter_source(p.name) for p in ctx.command.params if p.name}
    return Given(
        name
        for name, source in sources.items()
        if source and source.name not in ("DEFAULT", "PROMPT")
    )


def _hint(classes: tuple[type, ...], name: str) -> Any:
    for one in classes:
        if name in (hints := get_type_hints(one)):
            return hints[name]
    raise AssertionError(name)


def _kind(hint: Any) -> Any:
    """The type for typer: of a union the first that is not None, of a sequence a list."""
    if get_origin(hint) in (list, tuple):
        return list[_kind(get_args(hint)[0])]  # type: ignore[misc]
    if args := [a for a in get_args(hint) if a not in (NoneType, ...)]:
        return _kind(args[0])
    return hint if hint in (bool, int, float, str, Path) else str


def _picked(
    fields: dict[str, dataclasses.Field], values: dict[str, Any], given: Given
) -> dict[str, Any]:
    """The fields that were given, as the dataclass has them."""
    found = {}
    for name, f in fields.items():
        if name in given:
            parse, value = f.metadata[KEY].parse, values[name]
            value = parse(value) if parse else value
            found[name] = tuple(value) if isinstance(default_of(f), tuple) else value
    return found


def _shown(classes: tuple[type, ...], name: str) -> str | None:
    """How the help tells the defaults of a field that several dataclasses have: `8; sft: 32`."""
    texts: dict[str, list[str]] = {}
    for one in classes:
        label = getattr(one, "LABEL", one.__name__)
        if label and (f := options_of(one).get(name)):
            value = f.metadata[KEY].default or default_of(f)
            if value not in (None, ...) and value is not False and value != ():
                texts.setdefault(f"{value}", []).append(label)
    first, *others = [*texts.items()] or [("", [])]
    more = "".join(f"; {', '.join(labels)}: {text}" for text, labels in others)
    return f"{first[0]}{more}" or None


def renamed(args: list[str], aliases: dict[str, str]) -> Iterator[tuple[str, str | None]]:
    """The words of a command line with today's flags; with each the old flag that it replaces."""
    for i, word in enumerate(args):
        flag, equals, value = word.partition("=")
        if "--" not in args[:i] and flag in aliases:
            yield aliases[flag] + equals + value, flag
        else:
            yield word, None
