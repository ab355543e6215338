"""Conditions of a recipe: on what the item is and on what the verdicts say.

    when = { task = "safety", info.harmful = false, safety.label = "safe" }      # all must hold
    when = [ { safety.label = "unsafe" }, { value.label = "bad" } ]              # one is enough

A test asks for `task`, `info.FIELD`, or `label`, `score` or `confidence` of a verdict; an outcome may
also ask for `gate`, the gate that fired. A test accepts a value, a list of values, or a table of
`not` (a value or a list), `at-least`, `below` (numbers).

A condition holds, does not hold, or is unknown, where a verdict could not judge. A case does not hold
if any of its tests fails, whatever the unknown ones would say.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from swr1.errors import DataError
from swr1.records import Record
from swr1.rewards.vocabulary import FIELDS, check_label, look_up
from swr1.verifiers.declared import Vocabulary

Bad = Callable[[str], Exception]


@dataclass(frozen=True)
class Test:
    """One thing that is expected: `path` is ("task",), ("gate",), ("info", key...) or (verdict,
    field); `op` is "in", "not", "at-least" or "below"."""

    path: tuple[str, ...]
    op: str
    expected: Any

    @cached_property
    def verdict(self) -> str:
        """The verdict it asks about, or ""."""
        return "" if self.path[0] in ("task", "gate", "info") else self.path[0]

    @cached_property
    def accepts(self) -> Callable[[Any], bool]:
        """Whether a value is the expected one, as a function."""
        expected = self.expected
        if self.op == "at-least":
            return lambda value: type(value) in (int, float) and value >= expected
        if self.op == "below":
            return lambda value: type(value) in (int, float) and value < expected
        if all(type(w) is str for w in expected):
            one = expected[0]
            if self.op == "not":
                return lambda value: value not in expected
            return (
                (lambda value: value in expected) if expected[1:] else (lambda value: value == one)
            )
        yes = self.op == "in"
        if all(type(w) in (int, float) for w in expected):
            return lambda value: yes is (type(value) is not bool and value in expected)
        # true is not 1: `info.harmful = true` must not take a count for a yes
        return lambda value: (
            yes is any(value == w and (type(value) is bool) == (type(w) is bool) for w in expected)
        )

    def __str__(self) -> str:
        name = ".".join(self.path)
        if self.op in ("at-least", "below"):
            return f"{name} {'>=' if self.op == 'at-least' else '<'} {self.expected:g}"
        values = " or ".join(map(show, self.expected))
        return f"{name} {'not ' if self.op == 'not' else ''}{values}"


@dataclass(frozen=True)
class Condition:
    """Cases, of which one is enough; all tests of a case must hold."""

    cases: tuple[tuple[Test, ...], ...]

    def tests(self) -> Iterator[Test]:
        for case in self.cases:
            yield from case

    @cached_property
    def plain(self) -> tuple[str, str, Callable[[Any], bool]] | None:
        """(verdict, field, test) where there is but one test, of a verdict."""
        tests = [*self.tests()]
        return (*tests[0].path, tests[0].accepts) if len(tests) == 1 and tests[0].verdict else None  # type: ignore[return-value]

    def live(
        self, item: Record, facts: tuple[str, ...] = ("task", "info")
    ) -> tuple[tuple[Test, ...], ...]:
        """The cases that the `facts` of an item leave open."""
        return tuple(
            case
            for case in self.cases
            if all(t.accepts(fact(item, t.path)) for t in case if t.path[0] in facts)
        )

    def holds(self, record: Record, gates: tuple[str, ...] = ()) -> bool | None:
        """True, False, or None where a verdict that could not judge leaves it open.

        Raises DataError where it hangs on a verdict that the record does not have.
        """
        if self.plain:  # most gates: worth a short cut
            name, which, accepts = self.plain
            verdict = verdict_of(record, name)
            if verdict is None:
                raise MissingVerdict(record, name)
            value = None if verdict.get("score") is None else verdict.get(which)
            return None if value is None else accepts(value)
        unknown = False
        missing = ""
        for case in self.cases:
            state: bool | None = True
            lacks = ""
            for test in case:
                if not (name := test.verdict):
                    if not _fact_holds(test, record, gates):
                        state = False
                        break
                elif (verdict := verdict_of(record, name)) is None:
                    lacks = name
                elif verdict.get("score") is None or (value := verdict.get(test.path[1])) is None:
                    state = None
                elif not test.accepts(value):
                    state = False
                    break
            if state is False:
                continue
            if lacks:
                missing = lacks
            elif state:
                return True
            else:
                unknown = True
        if missing:
            raise MissingVerdict(record, missing)
        return None if unknown else False

    def unjudged(self, record: Record) -> str:
        """ "verdict: why" of the first of its verdicts that could not judge."""
        for test in self.tests():
            verdict = verdict_of(record, test.verdict) if test.verdict else None
            if verdict is None:
                continue
            if verdict.get("score") is None or verdict.get(test.path[1]) is None:
                return reason(test.verdict, verdict, test.path[1])
        return "a verdict: no reason given"

    def __str__(self) -> str:
        return ", or ".join(", ".join(map(str, case)) or "always" for case in self.cases)


ALWAYS = Condition(((),))


def _fact_holds(test: Test, record: Record, gates: tuple[str, ...]) -> bool:
    if test.path == ("task",):
        return test.accepts(record.get("task"))
    if test.path[0] == "gate":
        return any(test.accepts(gate) for gate in gates or ("",))
    return test.accepts(fact(record, test.path))


def verdict_of(record: Record, name: str) -> dict[str, Any] | None:
    """A verdict of a record, or None. Raises DataError for one that is no object."""
    verdict = (record.get("verdicts") or {}).get(name)
    if verdict is not None and type(verdict) is not dict:
        raise DataError(
            f"record {record.get('id')!r}: the verdict {name!r} must be an object with `score` and"
            f" `label`, it is {verdict!r}"
        )
    return verdict


def fact(record: Record, path: tuple[str, ...]) -> Any:
    """The value of `task` or of a field of `info`; None where it is not there."""
    value: Any = record
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def reason(name: str, verdict: dict, which: str = "score") -> str:
    """The reason why a verdict gives no value: "math: took longer than 10 s"."""
    if verdict.get("score") is not None:
        return f"{name}: the verdict has no {which}"
    return f"{name}: {verdict.get('error') or 'no reason given'}"


class MissingVerdict(DataError):
    """A record has no such verdict at all, not even a null one."""

    def __init__(self, record: Record, name: str) -> None:
        self.name = name
        super().__init__(f"record {record.get('id')!r} has no verdict {name!r}")


def show(value: Any) -> str:
    """A value of a condition as TOML would write it, texts without quotes."""
    if value is None or type(value) is bool:
        return {True: "true", False: "false", None: "absent"}[value]
    return str(value)


def parse(
    table: Any,
    *,
    known: Mapping[str, Vocabulary],
    number: Callable[[Any], float],
    bad: Bad,
    gates: tuple[str, ...] = (),
    tasks: tuple[str, ...] = (),
) -> Condition:
    """A `when` table, or a list of them, as a Condition.

    Args:
        known: the verdicts there are.
        number: resolves a number or the name of one.
        bad: makes the error from a message.
        gates: the names that `gate` may take; none: `gate` cannot be asked for.
        tasks: the tasks that the recipe is for; none: any.
    """
    cases = table if isinstance(table, list) else [table]
    if not cases or not all(isinstance(case, dict) for case in cases):
        raise bad(f'a condition is a table such as {{ task = "math" }}, not {table!r}')
    parsed = []
    for case in cases:
        tests = [t for key, expected in case.items() for t in _tests((key,), expected, number, bad)]
        for test in tests:
            _check(test, known, bad, gates, tasks)
        # what the item is comes first: it is cheap, and decides which verdicts must be there
        parsed.append(tuple(sorted(tests, key=lambda t: bool(t.verdict))))
    return Condition(tuple(parsed))


_OPS = ("not", "at-least", "below")


def _tests(path: tuple[str, ...], expected: Any, number: Any, bad: Bad) -> Iterator[Test]:
    if not isinstance(expected, dict):
        values = expected if isinstance(expected, list) else [expected]
        if not values or any(isinstance(v, dict | list) for v in values):
            raise bad(f"{'.'.join(path)} is to be one of what? Not of {expected!r}")
        yield Test(path, "in", tuple(values))
        return
    if not expected:
        raise bad(f"nothing is expected of {'.'.join(path)}")
    for key, value in expected.items():
        if key not in _OPS:
            yield from _tests((*path, key), value, number, bad)
        elif key == "not":
            yield Test(path, "not", tuple(value) if isinstance(value, list) else (value,))
        else:
            yield Test(path, key, number(value))


def _check(
    test: Test, known: Any, bad: Bad, gates: tuple[str, ...], tasks: tuple[str, ...]
) -> None:
    root, name = test.path[0], ".".join(test.path)
    texts = test.op in ("in", "not")
    if root in ("task", "gate"):
        allowed = tasks if root == "task" else gates
        if root == "gate" and not gates:
            raise bad(
                "only an outcome can ask for `gate`, and only where a gate ends the evaluation"
            )
        if len(test.path) > 1 or not texts:
            raise bad(f"{name}: `{root}` is a text, with nothing under it")
        for value in test.expected:
            if allowed and value not in allowed:
                from swr1.registry import suggest

                raise bad(
                    f"the recipe has no {root} {value!r}.{suggest(str(value), allowed)}"
                    f" It has: {', '.join(allowed)}"
                )
    elif root == "info":
        if len(test.path) < 2:
            raise bad("say which field of `info` is meant: info.harmful = false")
    else:
        look_up(known, root, bad)
        if len(test.path) != 2 or test.path[1] not in FIELDS:
            raise bad(f"of a verdict: {', '.join(f'{root}.{f}' for f in FIELDS)}; not {name!r}")
        if test.path[1] == "label":
            if not texts:
                raise bad(f"{name} is a text: it cannot be {test.op} a number")
            for value in test.expected:
                check_label(known, root, value, bad)
        elif texts and not all(type(v) in (int, float) for v in test.expected):
            raise bad(f"{name} is a number, not {test.expected[0]!r}")
