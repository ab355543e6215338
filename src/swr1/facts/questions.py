"""Questions about a world: with one or two searches, with a search and common knowledge, with none.

    for item in Questions(n=100, world=1).items(): ...

A question is about a person: "what is the home of the friend of Ada ?". `info` says what is needed:
`kind` (one, two, mixed, common), `searches` (0, 1 or 2), `answerable` (whether documents hold all of it)
and `documents` (those that would hold it, the last one last). The answer is what is true, so no answer to a question that cannot be answered is right but by
chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from swr1.errors import UsageError
from swr1.facts import traces
from swr1.facts.world import PEOPLE, World, document_id, words
from swr1.options import option

KINDS = {"one": 0.35, "two": 0.25, "mixed": 0.15, "common": 0.25}


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Questions at positions start .. start+n-1 of a sequence.

    With `trace` each question is of a world of its own, which is drawn for it: what is learned from
    such examples is how to look up, and no fact.
    """

    n: int = option(100, "How many questions.", "--n", "-n")
    world: int = option(0, "Names the facts. Another world has the same words and other facts.")
    seed: int = option(0, "Names the sequence of questions.")
    start: int = option(0, "First position in the sequence.")
    missing: float = option(0.25, "Share of the facts that no document holds.")
    people: int = option(PEOPLE, "People of the world.", min=4, max=24)
    top: int = option(3, "Passages of a search in a trace.", min=1)
    sources: int = option(1, "Documents that say the same of each fact.", min=1, max=9)
    trace: bool = option(False, "Add how somebody looks it up, or guesses: examples for SFT.")
    care: float = option(traces.CARE, "Share of the questions that a trace looks up.")
    shuffled: float = option(
        0.0, "Share of the traces in which the best passage need not be the first."
    )

    def check(self) -> None:
        """Raises UsageError for a share that is none."""
        for name in ("missing", "care", "shuffled"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"--{name} is a share, from 0 to 1, not {getattr(self, name)}")

    def items(self) -> Iterator[dict[str, Any]]:
        """The questions as items: all fields but `v` and `id`."""
        self.check()
        fixed = World(self.world, self.missing, self.people)
        for index in range(self.start, self.start + self.n):
            rng = Random(f"questions/{self.world}/{self.seed}/{index}")
            world = fixed
            if self.trace:
                world = World(f"{self.world}/{self.seed}/{index}", self.missing, self.people)
            question = draw(rng, world)
            item = {
                "task": "qa",
                "prompt": [{"role": "user", "content": question.text}],
                "answer": [question.answer],
                "info": {"dataset": "facts", **question.info()},
            }
            if self.trace:
                item |= traces.write(question, world, rng, self.care, self.top, self.shuffled)
            yield item


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what it takes: facts to look up, then a table to know by heart.

    facts: (relation, person), the person of the second being the value of the first. common: (table,
    word), where there is one.
    """

    kind: str
    text: str
    answer: str
    facts: tuple[tuple[str, str], ...]
    common: tuple[str, str] | None
    answerable: bool

    def info(self) -> dict[str, Any]:
        """What the record says of it."""
        return {
            "kind": self.kind,
            "searches": len(self.facts),
            "answerable": self.answerable,
            "documents": [document_id(*fact) for fact in self.facts],
        }


def draw(rng: Random, world: World) -> Question:
    """A question about a world."""
    [kind] = rng.choices(list(KINDS), list(KINDS.values()))
    relations, common = words()["relations"], words()["common"]
    if kind == "common":
        table = rng.choice(list(common))
        word = rng.choice(list(common[table]))
        text = f"what is the {table} of a {word} ?"
        return Question(kind, text, common[table][word], (), (table, word), True)
    person = rng.choice(world.people)
    if kind == "mixed":
        table = rng.choice(list(common))
        relation = next(r for r, k in relations.items() if k == words()["sources"][table])
        word = world.value(relation, person)
        text = f"what is the {table} of {person} ?"
        facts: tuple[tuple[str, str], ...] = ((relation, person),)
        return _asked(kind, text, common[table][word], facts, (table, word), world)
    if kind == "one":
        relation = rng.choice(list(relations))
        text = f"what is the {relation} of {person} ?"
        return _asked(kind, text, world.value(relation, person), ((relation, person),), None, world)
    first = rng.choice([r for r, k in relations.items() if k == "person"])
    second = rng.choice(list(relations))
    other = world.value(first, person)
    text = f"what is the {second} of the {first} of {person} ?"
    facts = ((first, person), (second, other))
    return _asked(kind, text, world.value(second, other), facts, None, world)


def _asked(
    kind: str,
    text: str,
    answer: str,
    facts: tuple[tuple[str, str], ...],
    common: tuple[str, str] | None,
    world: World,
) -> Question:
    answerable = all(world.is_known(*fact) for fact in facts)
    return Question(kind, text, answer, facts, common, answerable)
