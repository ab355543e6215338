"""The facts of one world, and the documents that hold them.

world = World(seed=1, missing=0.25)
world.value("home", "Ada")           # "dover", whether or not a document says so
world.documents()                    # [{"id": ..., "title": "home Ada", "text": "dover"}, ...]
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from random import Random
from typing import Any

PEOPLE = 20  # of those that have names


@cache
def words() -> dict[str, Any]:
    """data/facts.toml, with every list of words as a list."""
    text = (resources.files("swr1.data") / "facts.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)
    found["people"] = found["people"].split()
    kinds = {kind: listed.split() for kind, listed in found["words"].items()}
    tables = {name: dict(table) for name, table in found["common"].items()}
    found["sources"] = {name: table.pop("of") for name, table in tables.items()}
    found["common"] = tables
    for name, kind in found["sources"].items():
        kinds[kind] = list(tables[name])
    found["words"] = kinds
    return found


class World:
    """Who is whose friend and who lives where.

    Args:
        seed: names the world; the words are the same in all worlds.
        missing: share of the facts that no document holds.
        people: how many there are.
    """

    def __init__(self, seed: int | str, missing: float = 0.25, people: int = PEOPLE) -> None:
        rng = Random(f"facts/{seed}")
        self.seed, self.people = seed, words()["people"][:people]
        self.facts: dict[tuple[str, str], str] = {}
        for relation, kind in words()["relations"].items():
            for person in self.people:
                others = self.others(person) if kind == "person" else words()["words"][kind]
                self.facts[relation, person] = rng.choice(others)
        self.missing = {fact for fact in self.facts if rng.random() < missing}

    def others(self, person: str) -> list[str]:
        """Everybody else."""
        return [other for other in self.people if other != person]

    def value(self, relation: str, person: str) -> str:
        """What is true, whether or not a document holds it."""
        return self.facts[relation, person]

    def is_known(self, relation: str, person: str) -> bool:
        """Whether a document holds it."""
        return (relation, person) not in self.missing

    def documents(self, sources: int = 1) -> list[dict[str, str]]:
        """So many for each fact that is known, in a fixed order: id, title and text."""
        return [
            {
                "id": document_id(relation, person, source),
                "title": heading(relation, person),
                "text": value,
            }
            for source in range(sources)
            for (relation, person), value in self.facts.items()
            if self.is_known(relation, person)
        ]

    def found(self, relation: str, person: str, top: int, rng: Random) -> list[dict[str, str]]:
        """What a search by the words of a heading finds: the document itself, then those that share
        a word with it."""
        mine, near = [], []
        for document in self.documents():
            if document["title"] == heading(relation, person):
                mine.append(document)
            elif {relation, person} & set(document["title"].split()):
                near.append(document)
        rng.shuffle(near)
        return (mine + near)[:top]


def heading(relation: str, person: str) -> str:
    """The title of a fact's document, and what is searched for to find it."""
    return f"{relation} {person}"


def document_id(relation: str, person: str, source: int = 0) -> str:
    """The id of a fact's document: "home-Ada", and "home-Ada-2" of its second source."""
    return f"{relation}-{person}" + (f"-{source + 1}" if source else "")
