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
from collections.abc import Callable, Container
from functools import wraps
from typing import Any, get_type_hints

import typer

from swr1.commands._fields import WRITTEN, Facts, option, parameter_of
from swr1.options import KEY, default_of, options_of

__all__ = ["WRITTEN", "AnyOf", "Given", "option", "with_options"]  # all that a command needs

CONTEXT = "ctx"


class Given(frozenset):
    """The names of the options that were given."""


class AnyOf:
    """In an annotation: options of several dataclasses. `less`: fields that are no options here."""

    def __init__(self, *classes: type, less: tuple[str, ...] = ()) -> None:
        self.classes, self.less = classes, less


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
        self._add_fields((made,), fields)
        return lambda values, given: made(**_picked(fields, values, given))

    def _add(self, p: inspect.Parameter) -> None:
        hint, extras = p.annotation, getattr(p.annotation, "__metadata__", ())
        several = next((x for x in extras if isinstance(x, AnyOf)), None)
        if hint is Given:
            self._makers[p.name] = lambda values, given: given
        elif several:
            classes = several.classes
            fields = {n: f for n, f in options_of(*classes).items() if n not in several.less}
            self._add_fields(classes, fields)
            self._makers[p.name] = lambda values, given: _picked(fields, values, given)
        elif dataclasses.is_dataclass(hint):
            self._makers[p.name] = self.add(hint)
        else:
            self.parameters.append(p)
            self._makers[p.name] = lambda values, given: values[p.name]
            for info in extras:
                self.facts.note(p.name, info)

    def _add_fields(self, classes: tuple[Any, ...], fields: dict[str, dataclasses.Field]) -> None:
        for name, f in fields.items():
            self.parameters.append(parameter_of(classes, name, f))
            self.facts.take(name, f)


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


def _picked(
    fields: dict[str, dataclasses.Field], values: dict[str, Any], given: Given
) -> dict[str, Any]:
    """The fields that were given, as the dataclass has them."""
    picked = {}
    for name, f in fields.items():
        if name in given:
            parse, value = f.metadata[KEY].parse, values[name]
            value = parse(value) if parse else value
            picked[name] = tuple(value) if isinstance(default_of(f), tuple) else value
    return picked
