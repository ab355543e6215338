"""A recipe's file: read, joined with the one that it extends, numbers changed by --set.

Errors name file and line. tomllib keeps no lines, so the line of a table or key is looked up in the
text, which is exact for recipes written the usual way.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from swr1.errors import UsageError
from swr1.registry import suggest

KEYS = "title source extends tasks verify numbers verdict part gate outcome order".split()


def recipe_names() -> list[str]:
    """The names of the recipes that come with the package."""
    files = (resources.files("swr1.data") / "rewards").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


class Source:
    """The tables of a recipe, and where each stands.

    Args:
        name: a shipped recipe, or the path of a .toml file.
        settings: "NAME=NUMBER" pairs: a name of [numbers], PART.weight, PART.map.LABEL, GATE.cap...

    Raises UsageError for an unknown name, an unreadable file, an unknown key or setting.
    """

    def __init__(self, name: str, settings: Iterable[str] = ()) -> None:
        self.name = name
        self._texts: list[tuple[str, str]] = []  # (file, text), what extends before what it extends
        self.tables = self._load(name)
        for setting in settings:
            self._set(setting)

    # --- reading -----------------------------------------------------------------------------

    def _load(self, name: str) -> dict[str, Any]:
        if any(name == seen for seen, _ in self._texts):
            raise UsageError(f"the recipe {name!r} extends itself")
        text = _read(name)
        self._texts.append((name, text))
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{name} is not valid TOML: {error}") from None
        for key in tables.keys() - set(KEYS):
            raise self.bad(f"unknown key {key!r}.{suggest(key, KEYS)}", key=key)
        for key in ("numbers", "verdict", "part", "outcome"):
            if not isinstance(tables.get(key, {}), dict):
                raise self.bad(f"{key!r} is a table of tables, such as [{key}.NAME]", key=key)
        gates = tables.get("gate", [])
        if not isinstance(gates, list) or not all(isinstance(g, dict) for g in gates):
            raise self.bad("gates have an order: write [[gate]] and a `name`", key="gate")
        if "extends" not in tables:
            return tables
        base = tables["extends"]
        if not isinstance(base, str):
            raise self.bad("`extends` names one recipe", key="extends")
        beside = Path(name).parent / base
        if base not in recipe_names() and name.endswith(".toml") and beside.is_file():
            base = str(beside)
        return _join(self._load(base), tables)

    # --- where things stand ------------------------------------------------------------------

    def bad(
        self, message: str, table: str = "", name: str = "", key: str = "", nth: int = 0
    ) -> UsageError:
        """An error that says where: in the `nth` table of that name, at the line of `key`."""
        return UsageError(f"{self.place(table, name, key, nth)}: {message}")

    def place(self, table: str = "", name: str = "", key: str = "", nth: int = 0) -> str:
        """ "FILE:LINE" of a table or key, or FILE where it cannot be found."""
        for file, text in self._texts:
            lines = text.splitlines()
            starts = (
                [0] if not table else [i for i, s in enumerate(lines) if _heads(s, table, name)]
            )
            if table == "gate":
                starts = [i for i in starts if _named(lines, i, name)]
            if starts:
                start = starts[min(nth, len(starts) - 1)]
                begins = re.compile(rf"\s*(\[+\s*)?[\"']?{re.escape(key)}[\"']?\s*[=.\]]")
                at = next((i for i in _body(lines, start) if key and begins.match(lines[i])), None)
                if at is not None or table:
                    return f"{file}:{(start if at is None else at) + 1}"
        return self._texts[0][0]

    def place_of(self, words: str) -> str:
        """ "FILE:LINE" of the first line that holds these words."""
        for file, text in self._texts:
            for number, line in enumerate(text.splitlines(), 1):
                if words in line:
                    return f"{file}:{number}"
        return self._texts[0][0]

    # --- settings ----------------------------------------------------------------------------

    def _set(self, setting: str) -> None:
        name, equals, text = (piece.strip() for piece in setting.partition("="))
        spots = dict(self._spots())
        if name not in spots and name.replace("-", "_") in spots:
            name = name.replace("-", "_")
        if not equals or name not in spots:
            shown = [n for n in spots if not n.endswith((".mean", ".scale", ".null"))]
            raise UsageError(
                f"cannot set {setting!r}.{suggest(name, spots)} What can be set:"
                f" {', '.join(shown) or 'nothing'}"
            )
        value: Any = text
        if not (name.endswith(".null") and text in ("null", "skip")):
            try:
                value = float(text)
            except ValueError:
                raise UsageError(f"{name} is a number, not {text!r}") from None
        for holder, key in spots[name]:
            holder[key] = value

    def _spots(self) -> Iterator[tuple[str, list[tuple[dict, str]]]]:
        """What --set can change: (name, [(table, key), ...])."""
        numbers = self.tables.get("numbers", {})
        yield from ((name, [(numbers, name)]) for name in numbers)
        for name, part in self.tables.get("part", {}).items():
            variants = part if isinstance(part, list) else [part]
            variants = [v for v in variants if isinstance(v, dict)]
            reads = [v for v in variants if "from" in v or "flag" in v]
            yield f"{name}.weight", [(v, "weight") for v in variants]
            for key in ("mean", "scale", "null"):
                yield f"{name}.{key}", [(v, key) for v in reads]
            if fixed := [(v, "value") for v in variants if "value" in v]:
                yield f"{name}.value", fixed
            maps = [v["map"] for v in variants if isinstance(v.get("map"), dict)]
            for label in dict.fromkeys(label for m in maps for label in m):
                yield f"{name}.map.{label}", [(m, label) for m in maps if label in m]
        for gate in self.tables.get("gate", []):
            for key in ("total", "cap", "floor"):
                if key in gate:
                    yield f"{gate.get('name')}.{key}", [(gate, key)]


def _read(name: str) -> str:
    if name in recipe_names():
        return (resources.files("swr1.data") / "rewards" / f"{name}.toml").read_text("utf-8")
    try:
        return Path(name).read_text(encoding="utf-8")
    except FileNotFoundError:
        known = recipe_names()
        raise UsageError(
            f"unknown recipe {name!r}.{suggest(name, known)} Known: {', '.join(known)};"
            " or the path of a .toml file"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the recipe {name}: {error}") from None


def _join(base: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """`table` over `base`: a table of a name that is there replaces it, a list replaces a list;
    gates of a new name come last."""
    joined = base | {k: v for k, v in table.items() if k not in ("extends", "gate")}
    for key in ("numbers", "verdict", "part", "outcome"):
        if key in base and key in table:
            joined[key] = base[key] | table[key]
    gates = {g.get("name"): g for g in [*base.get("gate", []), *table.get("gate", [])]}
    if gates:
        joined["gate"] = list(gates.values())
    return joined


def _heads(line: str, table: str, name: str) -> bool:
    match = re.match(r"\s*\[+([^\[\]]+)\]", line)
    if not match:
        return False
    words = re.sub(r"[\s\"']", "", match[1])
    return words == (table if table == "gate" or not name else f"{table}.{name}".replace(" ", ""))


def _named(lines: list[str], start: int, name: str) -> bool:
    named = re.compile(rf"\s*name\s*=\s*[\"']{re.escape(name)}[\"']")
    return any(named.match(lines[i]) for i in _body(lines, start))


def _body(lines: list[str], start: int) -> Iterator[int]:
    yield start
    for i in range(start + 1, len(lines)):
        if re.match(r"\s*\[+[\w\"']", lines[i]) and start:
            return
        yield i
