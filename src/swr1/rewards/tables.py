"""A recipe's tables become parts, gates, outcomes and rules, or an error that says where and why."""

import itertools
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from swr1.errors import UsageError
from swr1.registry import suggest
from swr1.rewards import conditions
from swr1.rewards.conditions import ALWAYS, Condition
from swr1.rewards.parts import REST, Gate, Outcome, Part, Rule
from swr1.rewards.recipe import Recipe
from swr1.rewards.source import Source
from swr1.rewards.vocabulary import FIELDS, check_label, declared, look_up


def load_recipe(name: str, settings: Iterable[str] = ()) -> Recipe:
    """A shipped recipe or a .toml file, its numbers changed by "NAME=NUMBER" settings.

    Raises UsageError, with file and line, for whatever is wrong with it. Its order is checked by
    `ordering.check`.
    """
    return _Reader(Source(name, settings)).recipe()


PART_KEYS = "from flag value map mean scale clip weight when null".split()
GATE_KEYS = "name when total cap floor".split()


class _Reader:
    """Makes the parts, gates and outcomes of one recipe from its tables."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tables = source.tables
        self.known = declared(
            self.tables.get("verdict", {}),
            lambda message, name: source.bad(message, "verdict", name),
            Path(source.name).parent,
        )
        self.numbers = self.tables.get("numbers", {})
        self.unused = set(self.numbers)
        tasks = self.tables.get("tasks", [])
        if not isinstance(tasks, list) or not all(isinstance(t, str) for t in tasks):
            raise source.bad("`tasks` is a list of texts", key="tasks")
        self.tasks = tuple(tasks)

    def recipe(self) -> Recipe:
        bad = self.source.bad
        parts = {
            name: self.part(name, table) for name, table in self.tables.get("part", {}).items()
        }
        if not parts:
            raise bad("a recipe has at least one part: [part.NAME]")
        gates = tuple(self.gate(table) for table in self.tables.get("gate", []))
        for gate in gates:
            if gate.name in parts:
                raise bad("a part has this name: choose another", "gate", gate.name)
        ends = tuple(g.name for g in gates if g.kind == "total")
        outcomes = {
            name: Outcome(name, self.outcome(name, table, ends))
            for name, table in self.tables.get("outcome", {}).items()
        }
        rules = tuple(self.rules(outcomes))
        for name in sorted(self.unused):
            raise bad(f"nothing uses the number {name!r}", "numbers", "", name)
        return Recipe(
            self.source.name,
            str(self.tables.get("title", "")),
            str(self.tables.get("verify", "")),
            self.tasks,
            parts,
            gates,
            outcomes,
            rules,
            self.known,
            self.source,
        )

    def number(self, value: Any, bad: Any, what: str = "a number") -> float:
        if isinstance(value, str):
            if value not in self.numbers:
                raise bad(
                    f"{what} is a number or a name of [numbers], not {value!r}."
                    f"{suggest(value, self.numbers)}"
                )
            self.unused.discard(value)
            value = self.numbers[value]
        if type(value) not in (int, float) or not math.isfinite(value):
            raise bad(f"{what} is a number, not {value!r}")
        return float(value)

    def when(self, table: Any, bad: Any, gates: tuple[str, ...] = ()) -> Condition:
        return conditions.parse(
            table,
            known=self.known,
            number=lambda value: self.number(value, bad),
            bad=bad,
            gates=gates,
            tasks=self.tasks,
        )

    def part(self, name: str, table: Any) -> tuple[Part, ...]:
        variants = table if isinstance(table, list) else [table]
        return tuple(self.variant(name, one, nth) for nth, one in enumerate(variants))

    def variant(self, name: str, table: Any, nth: int) -> Part:
        def bad(message: str, key: str = "") -> UsageError:
            return self.source.bad(f"part {name!r}: {message}", "part", name, key, nth)

        if not isinstance(table, dict):
            raise bad("a part is a table")
        for key in table.keys() - set(PART_KEYS):
            raise bad(f"unknown key {key!r}.{suggest(key, PART_KEYS)}", key)
        if len(table.keys() & {"from", "flag", "value"}) != 1:
            raise bad("its value is one of `from` (a verdict), `flag` (a condition), `value`")
        part: dict[str, Any] = {
            "name": name,
            "weight": self.number(table.get("weight", 1.0), bad, "`weight`"),
            "when": self.when(table["when"], bad) if "when" in table else ALWAYS,
        }
        shaping = table.keys() & {"map", "mean", "scale", "clip"}
        if "value" in table:
            if shaping or "null" in table:
                raise bad("a fixed value has nothing to map, scale or clip, and is never null")
            return Part(**part, fixed=self.number(table["value"], bad, "`value`"))
        part["null"] = table.get("null", "null")
        if part["null"] not in ("null", "skip"):
            part["null"] = self.number(part["null"], bad, "`null`: null, skip, or what")
        if "flag" in table:
            part["flag"] = self.when(table["flag"], bad)
        else:
            verdict, _, which = str(table["from"]).rpartition(".")
            if which not in FIELDS or not verdict:
                raise bad('`from` is such as "math.score" or "safety.label"', "from")
            look_up(self.known, verdict, lambda message: bad(message, "from"))
            part |= {"verdict": verdict, "which": which}
        if part.get("which") == "label":
            if shaping != {"map"}:
                raise bad("a label becomes a number by `map`, and by nothing else")
            return Part(**part, map=self.map(table["map"], part["verdict"], bad))
        if "map" in shaping:
            raise bad("only a label has a `map`; a number has mean, scale and clip", "map")
        if table.get("mean") == "group" or table.get("scale") == "group":
            raise bad(
                "this stage sees one record at a time; the trainer knows whole groups: give it the"
                " parts, `swr1 train-step gdpo --parts ...`"
            )
        part["mean"] = self.number(table.get("mean", 0.0), bad, "`mean`")
        part["scale"] = self.number(table.get("scale", 1.0), bad, "`scale`")
        if part["scale"] == 0:
            raise bad("`scale` divides: it cannot be 0", "scale")
        if "clip" in table:
            clip = table["clip"]
            if not isinstance(clip, list) or len(clip) != 2:
                raise bad("`clip` is [lowest, highest]", "clip")
            part["low"], part["high"] = (self.number(x, bad, "`clip`") for x in clip)
            if part["low"] > part["high"]:
                raise bad("`clip` is [lowest, highest]: the first is larger", "clip")
        elif "from" in table and not all(
            map(math.isfinite, self.known[part["verdict"]].bounds(part["which"]))
        ):
            raise bad(f"{table['from']} has no bounds, so a part needs a `clip` of its value")
        return Part(**part)

    def map(self, table: Any, verdict: str, bad: Any) -> dict[str, float]:
        if not isinstance(table, dict) or not table:
            raise bad("`map` is a table: label -> number", "map")
        vocabulary = self.known[verdict]
        for label in table:
            if label != REST:
                check_label(self.known, verdict, label, bad)
        if REST not in table:
            if vocabulary.open:
                raise bad(
                    f"{verdict!r} may have labels that are not listed: the map needs `{REST}`",
                    "map",
                )
            for label in vocabulary.labels:
                if label not in table:
                    raise bad(
                        f"the map says nothing of the label {label!r} (nor of `{REST}`)", "map"
                    )
        return {label: self.number(x, bad, f"{label!r}") for label, x in table.items()}

    def gate(self, table: dict[str, Any]) -> Gate:
        name = table.get("name")
        if not isinstance(name, str) or not name:
            raise self.source.bad("a gate has a `name`", "gate", "")

        def bad(message: str, key: str = "") -> UsageError:
            return self.source.bad(f"gate {name!r}: {message}", "gate", name, key)

        for key in table.keys() - set(GATE_KEYS):
            raise bad(f"unknown key {key!r}.{suggest(key, GATE_KEYS)}", key)
        kinds = table.keys() & {"total", "cap", "floor"}
        if len(kinds) != 1:
            raise bad("it has one of `total`, `cap` and `floor`")
        kind = kinds.pop()
        when = self.when(table["when"], bad) if "when" in table else ALWAYS
        return Gate(name, kind, self.number(table[kind], bad, f"`{kind}`"), when)

    def outcome(self, name: str, table: Any, ends: tuple[str, ...]) -> Condition:
        def bad(message: str, key: str = "") -> UsageError:
            return self.source.bad(f"outcome {name!r}: {message}", "outcome", name, key)

        if not isinstance(table, dict) or table.keys() != {"when"}:
            raise bad("an outcome is a table with `when`, and nothing else")
        return self.when(table["when"], bad, ends)

    def rules(self, outcomes: Mapping[str, Outcome]) -> Iterable[Rule]:
        order = self.tables.get("order", [])
        if not isinstance(order, list) or not all(isinstance(o, str) for o in order):
            raise self.source.bad(
                '`order` is a list of texts: ["right > wrong > unreadable"]', key="order"
            )
        for words in order:
            pieces = ["", *re.split(r"(>=?)", words)]
            names = [
                (sign, name.strip()) for sign, name in zip(pieces[::2], pieces[1::2], strict=True)
            ]
            for _, name in names:
                if name not in outcomes:
                    raise UsageError(
                        f"{self.source.place_of(words)}: no outcome is called {name!r}."
                        f"{suggest(name, outcomes)} Known: {', '.join(outcomes) or 'none'}"
                    )
            if len(names) < 2:
                raise UsageError(
                    f'{self.source.place_of(words)}: an order compares: "right > wrong"'
                )
            for (_, above), (sign, below) in itertools.pairwise(names):
                yield Rule(above, below, sign == ">", words)
