"""An option for every field of an objective, made from the field: none can be forgotten.

    @with_objective_fields
    def command(open_stage, ..., **goal):
        get_preset("grpo", **goal)

The keyword dictionary of the function becomes options, all None unless they are given.
"""

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Annotated, get_args, get_type_hints

import typer

from swr1.objectives.presets import Objective, known_fields

PANEL = "The objective (default: the preset's)"


def with_objective_fields(function: Callable) -> Callable:
    """Replace the `**` parameter of `function` by one keyword parameter for each field."""
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    hints, helps = get_type_hints(Objective), {f.name: f.metadata for f in fields(Objective)}
    for name in known_fields():
        kind = next(iter(get_args(hints[name])), hints[name])
        if kind not in (bool, float, int):
            kind = str  # a choice, a name, or a mapping as text
        option = typer.Option(help=helps[name]["help"], rich_help_panel=PANEL)
        own.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=Annotated[kind | None, option],
                default=None,
            )
        )
    function.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]
    return function
