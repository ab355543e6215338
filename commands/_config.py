"""`--config FILE`: a TOML file with the same flags as the command line, each of its type."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from swr1.commands._help import Command, say_renamed
from swr1.commands._options import option
from swr1.errors import UsageError
from swr1.registry import suggest


def load_config(ctx: typer.Context, path: Path | None) -> Path | None:
    """Take defaults from a TOML file that holds the same flags."""
    if path is None:
        return None
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"--config {path}: {error}") from None
    known = {p.name: p for p in ctx.command.params if p.name not in ("config", "help_all")}
    flags = {flag: p.name for p in known.values() for flag in p.opts}
    aliases = ctx.command.facts.aliases if isinstance(ctx.command, Command) else {}
    named = {}
    for name, value in values.items():
        flag = f"--{name.replace('_', '-')}"
        if new := aliases.get(flag):
            say_renamed(ctx, f"{name} in {path}", flag := new)
        named[flags.get(flag, name.replace("-", "_"))] = value
    for name, value in named.items():
        if name not in known:
            hint = suggest(name, sorted(known))
            raise UsageError(f"--config {path}: unknown key {name!r}.{hint}")
        if expected := _unlike(known[name], value):
            raise UsageError(
                f"--config {path}: {name} must be {expected}, it is {str(value)[:60]!r}"
            )
    ctx.default_map = {**(ctx.default_map or {}), **named}
    return path


def _unlike(option: Any, value: Any) -> str | None:
    """What the value of an option must be, if this one of a TOML file is not."""
    if option.multiple or option.nargs == -1:
        if type(value) is not list:
            return "a list"
        return next((f"a list, each {w}" for v in value if (w := _unlike_one(option, v))), None)
    return _unlike_one(option, value)


def _unlike_one(option: Any, value: Any) -> str | None:
    kind = option.type_descriptor.annotation
    kind = (*get_args(kind), kind)[0]  # of a list: what it holds
    if kind is bool:
        return None if type(value) is bool else "true or false"
    if kind is int:
        right = type(value) is int and abs(value) < 2**63
        return None if right else "a whole number of at most 64 bits"
    if kind is float:
        right = type(value) in (int, float) and abs(value) < 2**63
        return None if right else "a number"
    if type(value) is str:
        return "a text without NUL characters" if "\0" in value else None
    return None if type(value) in (int, float) else "a text"


CONFIG = Annotated[
    Path | None,
    option("TOML file with the same flags.", panel="Common", callback=load_config, is_eager=True),
]
"""The annotation of a parameter `config`, with the default None."""
