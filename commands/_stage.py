"""What all stages share on the command line: where records come from and go to.

    @stage_command()
    def command(open_stage, recipe: Annotated[str, typer.Argument(help="...")]):
        '''Help of the subcommand.'''
        with open_stage() as stage:
            stage.map(...)

The decorator adds the common options to the function's own, and hands it `open_stage`, which makes
the `Stage` from them. The function's own options, less those named in `quiet_options`, are what
shapes the records: their digest goes into each record's trail.
"""

import inspect
import json
import math
from collections.abc import Callable, Iterator
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from swr1 import models
from swr1.commands._config import load_config
from swr1.errors import UsageError
from swr1.streams import standard
from swr1.streams.files import refuse_clashes
from swr1.streams.stage import NothingToDo, Stage, parse_shard

WRITTEN = object()
"""In an option's annotation: it names a file to be written, which must be no input."""


def option(help: str | None = None, *names: str, panel: str | None = None, **more: Any) -> Any:
    """`typer.Option` in the order of a table: what it does, and its names if not the parameter's.

    `panel` is the part of the help that it stands in; a table has its own `partial` of this.
    """
    return typer.Option(*names, help=help, rich_help_panel=panel, **more)


common = partial(option, panel="Common")
FILES = typer.Argument(help="Files, globs, shard folders, or - for standard input (the default).")

# name -> (annotation, default), as they stand in a signature.
INPUT = {"files": (Annotated[list[str], FILES], ())}
READING = {
    "on_error": (
        Annotated[str, common("On a bad record: fail, skip, or quarantine PATH.", metavar="WHAT")],
        "fail",
    ),
}
OPENING = {
    "trust_remote_code": (
        Annotated[
            bool,
            common(
                "Let code run that a model's or tokenizer's folder brings; never without this.",
                "--trust-remote-code",
            ),
        ],
        False,
    ),
}
COMMON = {
    "output": (
        Annotated[
            str,
            common(
                "FILE.jsonl[.gz|.zst], FILE.parquet, FOLDER/ for shards, or - (stdout).",
                "--output",
                "-o",
                metavar="PATH",
            ),
        ],
        "-",
    ),
    "shard": (Annotated[str | None, common("Work on shard I of N only.", metavar="I/N")], None),
    "force": (Annotated[bool, common("Start over: neither continue nor keep.", "--force")], False),
    "quiet": (Annotated[bool, common("Only errors on stderr.", "--quiet", "-q")], False),
    "metrics": (
        Annotated[Path | None, common("Append one JSON object about the run to this file.")],
        None,
    ),
    "config": (
        Annotated[
            Path | None,
            common("TOML file with the same flags.", callback=load_config, is_eager=True),
        ],
        None,
    ),
    "dry_run": (
        Annotated[bool, common("Print the resolved options and stop.", "--dry-run")],
        False,
    ),
}


SHARED_WRITTEN = {"output": "-o", "metrics": "--metrics"}


def _texts(shared: dict[str, Any], values: dict[str, Any], written: Any) -> Iterator[str]:
    """What may name a file that is read: every text on the command line but names of outputs."""
    for name, value in [("config", shared["config"]), *values.items()]:
        if name not in written:
            for one in value if isinstance(value, list | tuple) else [value]:
                if isinstance(one, str | Path):
                    yield str(one)


def parse_on_error(text: str) -> tuple[str, Path | None]:
    """("fail" | "skip" | "quarantine", path)."""
    policy, _, path = text.partition("=")
    if policy not in ("fail", "skip", "quarantine") or (policy == "quarantine") != bool(path):
        raise UsageError(f"--on-error is fail, skip, or quarantine PATH, not {text!r}")
    return policy, Path(path) if path else None


def _check_numbers(values: dict[str, Any]) -> None:
    """Raises UsageError for a number that can be meant nowhere; --config is checked alike."""
    for name, value in values.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            flag = f"--{name.replace('_', '-')}"
            if type(one) is int and abs(one) >= 2**63:
                raise UsageError(f"{flag} must be a whole number of at most 64 bits")
            if type(one) is float and math.isnan(one):
                raise UsageError(f"{flag} must be a number, it is nan")


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
        quiet_options: own options that do not shape the records, such as threads.
    """
    added = (READING if reads else {}) | (OPENING if opens_models else {}) | COMMON
    if not writes:
        added = {k: v for k, v in added.items() if k not in ("output", "shard", "force")}

    def decorate(function: Callable) -> Callable:
        own = list(inspect.signature(function).parameters.values())[1:]
        if reads and files:
            argument = inspect.Parameter(
                "files", inspect.Parameter.KEYWORD_ONLY, annotation=INPUT["files"][0], default=()
            )
            at = next((i for i, p in enumerate(own) if p.default is not p.empty), len(own))
            own.insert(at, argument)
        own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        ours = [
            inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, annotation=a, default=d)
            for n, (a, d) in added.items()
        ]
        name = function.__module__.rpartition(".")[2].replace("_", "-")
        files_written = {
            p.name: f"--{p.name}"
            for p in own
            if WRITTEN in getattr(p.annotation, "__metadata__", ())
        }

        @wraps(function)
        def run(**values: Any) -> None:
            standard.reserve()
            _check_numbers(values)
            shared = {n: values.pop(n) for n in added}
            names = values.pop("files", ())
            options = {
                n: str(v) if isinstance(v, Path) else v
                for n, v in values.items()
                if n not in quiet_options
            }
            models.trust_remote_code(shared.get("trust_remote_code", False))
            if models.trusted():
                options["trust_remote_code"] = True
            policy, quarantine = parse_on_error(shared.get("on_error", "fail"))
            if not shared["dry_run"]:
                written = {flag: values[n] for n, flag in files_written.items() if values.get(n)}
                written |= {f: shared[n] for n, f in SHARED_WRITTEN.items() if shared.get(n)}
                if quarantine:
                    written["--on-error quarantine"] = quarantine
                refuse_clashes(written, [*names, *_texts(shared, values, files_written)])

            def open_stage(**changes: Any) -> Stage:
                settings: dict[str, Any] = {
                    "options": options,
                    "inputs": (list(names) or ["-"]) if reads else None,
                    "output": shared.get("output"),
                    "shard": parse_shard(shared.get("shard")),
                    "on_error": policy,
                    "quarantine": quarantine,
                    "quiet": shared["quiet"],
                    "metrics": shared["metrics"],
                    "force": shared.get("force", False),
                } | changes
                settings["options"] = options | changes.get("options", {})
                if shared["dry_run"]:
                    with standard.ours():
                        print(json.dumps({"stage": name} | settings, indent=2, default=str))
                    raise NothingToDo
                return Stage(name, settings.pop("options"), **settings)

            function(open_stage, **values)

        parameters = own + ours
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        del run.__wrapped__  # else typer would look through to the bare function
        return run

    return decorate
