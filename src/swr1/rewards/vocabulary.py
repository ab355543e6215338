"""What the verdicts that a recipe reads can say.

A recipe is checked against this when it is loaded: a misspelt label would otherwise never match,
and nobody would notice. Every verifier declares its labels in its file (see verifiers/declared.py),
plugins too. A recipe may declare more:

    [verdict.tone]
    labels = ["friendly", "rude"]
    score = [0, 1]

    [verdict.second-guard]
    like = "safety"

    [verdict.short]
    like = "./mine.py:short"
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from swr1.registry import suggest
from swr1.verifiers.declared import REGISTRY, Bounds, Vocabulary, declaration

FIELDS = ("label", "score", "confidence")


class Vocabularies(Mapping[str, Vocabulary]):
    """The vocabulary of each verdict: of the recipe's own ones and of all verifiers.

    A verifier's file is read when its verdict is first asked for.
    """

    def __init__(self) -> None:
        self.by_recipe: dict[str, Vocabulary] = {}

    def __getitem__(self, name: str) -> Vocabulary:
        vocabulary = self.by_recipe.get(name)
        if vocabulary is None and name in REGISTRY.names():
            vocabulary = declaration(name).vocabulary
        if vocabulary is None:
            raise KeyError(name)
        return vocabulary

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys([*self.by_recipe, *REGISTRY.names()])

    def __len__(self) -> int:
        return sum(1 for _ in self)


def declared(tables: Any, bad: Any, folder: Path) -> Vocabularies:
    """The verifiers' vocabularies and the `[verdict.NAME]` tables of a recipe.

    Args:
        bad: `bad(message, name)` makes the error. folder: that of the recipe's file.
    """
    known = Vocabularies()
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise bad("a verdict is a table with `labels` and `score`, or `like`", name)
        for key in table.keys() - {"like", "labels", "score", "confidence"}:
            raise bad(f"unknown key {key!r}", name)
        if "like" in table:
            known.by_recipe[name] = _like(
                known, str(table["like"]), lambda text, name=name: bad(text, name), folder
            )
            continue
        score = _bounds(table.get("score", [0, 1]), name, bad)
        labels = dict.fromkeys(table.get("labels", ()), score)
        sure = _bounds(table.get("confidence", [0, 1]), name, bad)
        known.by_recipe[name] = Vocabulary(labels, not labels, score, sure)
    return known


def _like(known: Vocabularies, name: str, bad: Any, folder: Path) -> Vocabulary:
    """The vocabulary of another verdict, or of "./mine.py:check", whose file may lie in `folder`."""
    if ".py:" not in name:
        return look_up(known, name, bad)
    beside = folder / name
    file = str(beside) if Path(str(beside).rpartition(":")[0]).is_file() else name
    if not Path(file.rpartition(":")[0]).is_file():
        raise bad(f"no file {name.rpartition(':')[0]!r} for `like`")
    return _of_verifier(file, bad)


def _of_verifier(name: str, bad: Any) -> Vocabulary:
    declared_facts = declaration(name)
    if declared_facts.vocabulary is None:
        raise bad(
            f"the verifier {name!r} does not say which labels it gives: write LABELS = "
            f'{{"ok": 1, "long": 0}} in {declared_facts.file}, or a table [verdict.NAME] here'
        )
    return declared_facts.vocabulary


def look_up(known: Mapping[str, Vocabulary], name: str, bad: Any) -> Vocabulary:
    """The vocabulary of a verdict; `bad(message)` makes the error for an unknown one."""
    if name in known:
        return known[name]
    if name in REGISTRY.names():
        return _of_verifier(name, bad)
    raise bad(
        f"no verdict is called {name!r}.{suggest(name, known)} Known: {', '.join(sorted(known))};"
        f" declare your own in a table [verdict.{name}]"
    )


def check_label(known: Mapping[str, Vocabulary], name: str, label: Any, bad: Any) -> None:
    """Whether the verdict `name` can have this label; `bad(message)` makes the error."""
    vocabulary = look_up(known, name, bad)
    if not vocabulary.open and label not in vocabulary.labels:
        raise bad(
            f"the verdict {name!r} has no label {label!r}.{suggest(str(label), vocabulary.labels)}"
            f" It has: {', '.join(vocabulary.labels)}"
        )


def _bounds(value: Any, name: str, bad: Any) -> Bounds:
    right = isinstance(value, list) and len(value) == 2
    if not right or not all(type(x) in (int, float) for x in value) or value[0] > value[1]:
        raise bad(f"bounds are [lowest, highest], not {value!r}", name)
    return float(value[0]), float(value[1])
