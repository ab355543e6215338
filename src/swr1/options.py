"""Options are the fields of a dataclass: name, type, default and help are declared once, there.

    @dataclass(kw_only=True)
    class Drawing:
        temperature: float = option(1.0, "0 is greedy.", panel="Sampling", usual=True)
        drop_zero_variance: bool = option(False, "Leave out ...", aliases=("--drop-dead",))

The dataclass is the Python interface of a stage. `swr1.commands._options` makes command-line options
of the same fields. Fields without `option` (callbacks, say) are no options. This module is in the
core: it imports nothing of the command line.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

KEY = "option"  # of a field's metadata


@dataclass(frozen=True, kw_only=True)
class Option:
    """What the command line needs to know of a field beside its name, type and default.

    Attributes:
        help: one sentence; the default is added to it.
        names: the flags, if not `--` and the field's name: "--json", "-n", "--people".
        panel: the part of the help that it stands in; None: the first one.
        usual: shown by `--help`; all others by `--help-all` (where no option is usual: all of them).
        aliases: earlier flags. They still work, are not shown, and a message names the new flag.
        negatable: a bool that is off by default has the flag `--no-NAME` too.
        kind: the type on the command line, if not the field's: what `parse` takes.
        parse: makes the field's value of what was given on the command line; may raise UsageError.
        default: how help states the default, where that is not the field's.
        metavar, min, max: as in typer.Option.
        written: it names a file to be written, which must be no input.
        quiet: it does not shape the records: a run may be continued with another value.
        changeable: a resumed run may change it, and says so (training).
    """

    help: str | None
    names: tuple[str, ...] = ()
    panel: str | None = None
    usual: bool = False
    aliases: tuple[str, ...] = ()
    negatable: bool = False
    kind: Any = None
    parse: Callable[[Any], Any] | None = None
    default: str | None = None
    metavar: str | None = None
    min: float | None = None
    max: float | None = None
    written: bool = False
    quiet: bool = False
    changeable: bool = False


def option(default: Any, /, help: str | None = None, *names: str, **settings: Any) -> Any:
    """A dataclass field that is an option; `...` as default makes it required.

    `settings` are the attributes of Option. A default that is a list, dict or set is copied for
    every instance.
    """
    metadata = {KEY: Option(help=help, names=names, **settings)}
    if default is ...:
        return field(metadata=metadata)
    if isinstance(default, list | dict | set):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


def options_of(*classes: Any) -> dict[str, dataclasses.Field]:
    """The fields of these dataclasses that are options, by name; the first of a name counts."""
    options: dict[str, dataclasses.Field] = {}
    for one in classes:
        for f in dataclasses.fields(one):
            if KEY in f.metadata:
                options.setdefault(f.name, f)
    return options


def flag_of(name: str, f: dataclasses.Field | None = None) -> str:
    """The flag that messages call an option by."""
    names = f.metadata[KEY].names if f else ()
    return next((n for n in names if n.startswith("--")), f"--{name.replace('_', '-')}")


def default_of(f: dataclasses.Field) -> Any:
    """The default of a field; `...` where it has none."""
    if f.default_factory is not dataclasses.MISSING:
        return f.default_factory()
    return ... if f.default is dataclasses.MISSING else f.default
