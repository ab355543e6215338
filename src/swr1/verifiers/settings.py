"""The options of a verifier, `--set VERIFIER.NAME=VALUE`: read from the signature and docstring of its function.

Nothing is run or imported: names and defaults are the parameters that have a default, help is what
stands under `Args:` of the docstring.
"""

import ast
import re
from dataclasses import dataclass
from typing import Any

_ARGUMENT = re.compile(r"(\w+(?:, \w+)*): (.*)")


@dataclass(frozen=True)
class Setting:
    """One option. `default` is a literal, or the source text of what is none."""

    name: str
    default: Any
    help: str = ""

    @property
    def written(self) -> str:
        """ "name=default", as `--set` takes it."""
        value = self.default
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return f"{self.name}={text or repr(text)}"


def settings_in(function: ast.FunctionDef) -> tuple[Setting, ...]:
    """The options that a function takes beside its record."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    with_default = positional[len(positional) - len(given.defaults) :]
    pairs = [*zip(with_default, given.defaults, strict=True)]
    pairs += [(a, d) for a, d in zip(given.kwonlyargs, given.kw_defaults, strict=True) if d]
    helps = helps_in(ast.get_docstring(function) or "")
    return tuple(Setting(a.arg, _literal(d), helps.get(a.arg, "")) for a, d in pairs)


def helps_in(docstring: str) -> dict[str, str]:
    """What stands under `Args:` of a docstring, by name: "name: text", the text perhaps in several lines."""
    _, found, after = docstring.partition("Args:\n")
    helps: dict[str, str] = {}
    names: list[str] = []
    for line in after.splitlines() if found else ():
        if not line.strip() or not line.startswith(" "):
            break
        begins = _ARGUMENT.fullmatch(line.strip()) if re.match(r" {4}\S", line) else None
        if begins:
            names = begins[1].split(", ")
            helps |= dict.fromkeys(names, begins[2])
        else:
            helps |= {name: f"{helps[name]} {line.strip()}" for name in names}
    return helps


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
