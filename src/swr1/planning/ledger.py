"""Every number a plan rests on, with its source: measured, given, a default, or assumed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

SOURCES = ("given", "measured", "default", "assumed")


@dataclass(frozen=True)
class Fact:
    """One number: `source` is one of SOURCES, `why` says where it is from."""

    name: str
    value: Any
    unit: str
    source: str
    why: str


class Ledger:
    """The facts of one plan, in the order in which they were first needed."""

    def __init__(self) -> None:
        self.facts: dict[str, Fact] = {}

    def given(self, name: str, value: Any, unit: str = "", why: str = "an option") -> Any:
        return self._note(Fact(name, value, unit, "given", why))

    def measured(self, name: str, value: Any, unit: str, why: str) -> Any:
        return self._note(Fact(name, value, unit, "measured", why))

    def assumed(self, name: str, value: Any, unit: str, why: str) -> Any:
        return self._note(Fact(name, value, unit, "assumed", why))

    def default(self, name: str, value: Any, unit: str, why: str) -> Any:
        """What an option stands at, here or in the stage that `why` names, when it is not given."""
        return self._note(Fact(name, value, unit, "default", why))

    def pick(self, name: str, given: Any, otherwise: Any, unit: str = "", why: str = "") -> Any:
        """What was given, or else what is assumed."""
        if given is not None:
            return self.given(name, given, unit)
        return self.assumed(name, otherwise, unit, why)

    def _note(self, fact: Fact) -> Any:
        self.facts[fact.name] = fact
        return fact.value

    def rows(self) -> list[dict[str, Any]]:
        return [asdict(fact) for fact in self.facts.values()]
