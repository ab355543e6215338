"""The decorator of all stages' commands: common options, and the Stage made of them.

    @stage_command()
    def command(open_stage, recipe: Annotated[str, typer.Argument(help="...")], options: Options):
        '''Help of the subcommand.'''
        with open_stage() as stage:
            stage.map(...)

The decorator adds the common options to the function's own, and hands it `open_stage`, which makes
the `Stage` from them. Options are best declared as the fields of a dataclass (swr1.options), of
which the function receives an instance; _options.py says what else a parameter may be. The
function's own options, less those that are `quiet`, are what shapes the records: their digest goes
into each record's trail.
"""

import inspect
import json
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from swr1 import models
from swr1.commands._common import PICTURES, Common, check_numbers, parse_on_error
from swr1.commands._config import CONFIG
from swr1.commands._options import CONTEXT, WRITTEN, Options, as_command, given_of, option
from swr1.pictures import config as pictures
from swr1.streams import standard
from swr1.streams.files import refuse_clashes
from swr1.streams.stage import NothingToDo, Stage, parse_shard

__all__ = ["WRITTEN", "option", "stage_command"]

FILES = typer.Argument(help="Files, globs, shard folders, or - for standard input (the default).")


def _named_files(values: dict[str, Any], written: Any) -> Iterator[str]:
    """What may name a file that is read: every text on the command line but names of outputs."""
    for name, value in values.items():
        if name not in written:
            for one in value if isinstance(value, list | tuple) else [value]:
                if isinstance(one, str | Path):
                    yield str(one)


def stage_command(
    *,
    reads: bool = True,
    writes: bool = True,
    files: bool = True,
    opens_models: bool = False,
    quiet_options: tuple[str, ...] = (),
) -> Callable[[Callable], Callable]:
    """Add the common options to a subcommand.

    Args:
        reads: False for a source, which has no input.
        writes: False for a sink, which writes no records.
        files: False when the subcommand finds the input files among its own arguments.
        opens_models: True for one that opens models, whose folders may bring code.
        quiet_options: own options that do not shape the records, such as threads (of those that
            are fields, the field says so).
    """
    less = set() if reads else {"on_error", *PICTURES - {"inline_pictures"}}
    less |= set() if opens_models else {"trust_remote_code"}
    less |= set() if writes else {"output", "shard", "force", "inline_pictures"}

    def decorate(function: Callable) -> Callable:
        options = Options(function, skip=1)
        parameters = options.parameters
        names = {p.name for p in parameters}
        quiet = options.facts.quiet | set(quiet_options)
        written = dict(options.facts.written)
        make_common = options.add(Common, less)
        if options.facts.usual <= {"output"}:  # none of its own: all but those of pictures
            shown = {p.name for p in parameters} - PICTURES
            options.facts.usual |= {*shown, "config", "help"}
        if reads and files:
            at = next(
                (i for i, p in enumerate(parameters) if p.default is not p.empty), len(parameters)
            )
            parameters.insert(at, _parameter("files", Annotated[list[str], FILES], ()))
        parameters.append(_parameter("config", CONFIG, None))
        stage_name = function.__module__.rpartition(".")[2].replace("_", "-")

        @wraps(function)
        def run(**values: Any) -> None:
            standard.reserve()
            given = given_of(values.pop(CONTEXT))
            check_numbers(values)
            shared, inputs = make_common(values, given), values.pop("files", ())
            ours = {n: v for n, v in values.items() if n in names}
            shaping = {
                n: str(v) if isinstance(v, Path) else v for n, v in ours.items() if n not in quiet
            }
            models.trust_remote_code(shared.trust_remote_code)
            if models.trusted():
                shaping["trust_remote_code"] = True
            pictures.use(shared)
            if shared.inline_pictures:
                shaping["inline_pictures"] = True
            policy, quarantine = parse_on_error(shared.on_error)
            if not shared.dry_run:
                outputs = {flag: values[n] for n, flag in written.items() if values.get(n)}
                outputs |= {"-o": shared.output} if writes else {}
                outputs |= {"--metrics": shared.metrics} if shared.metrics else {}
                outputs |= {"--on-error quarantine": quarantine} if quarantine else {}
                read = _named_files({"config": values["config"], **ours}, written)
                refuse_clashes(outputs, [*inputs, *read])

            def open_stage(**changes: Any) -> Stage:
                settings: dict[str, Any] = {
                    "options": shaping,
                    "inputs": (list(inputs) or ["-"]) if reads else None,
                    "output": shared.output if writes else None,
                    "shard": parse_shard(shared.shard),
                    "on_error": policy,
                    "quarantine": quarantine,
                    "quiet": shared.quiet,
                    "metrics": shared.metrics,
                    "force": shared.force,
                } | changes
                settings["options"] = shaping | changes.get("options", {})
                if shared.dry_run:
                    with standard.ours():
                        print(json.dumps({"stage": stage_name} | settings, indent=2, default=str))
                    raise NothingToDo
                return Stage(stage_name, settings.pop("options"), **settings)

            vars(open_stage)["shared"] = shared  # of a command that opens none
            function(open_stage, **options.arguments(values, given))

        return as_command(run, parameters, options.facts)

    return decorate


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, annotation=annotation, default=default)
