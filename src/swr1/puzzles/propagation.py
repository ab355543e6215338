"""Unit propagation: derive what follows, name the contradiction, keep the opposite as proven.

From what is known, one statement at a time settles another role (`_derive`). When nothing follows
any more, somebody's role is assumed, by choice one whose assumption leads to a contradiction soon
(`_choose`, a failed literal in the terms of SAT solvers), and the opposite is known from then on.
The text gives only those steps under an assumption that the contradiction rests on.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from swr1.errors import DataError
from swr1.puzzles.case_analysis import NO_WORLD
from swr1.puzzles.checker import Meaning, meaning
from swr1.puzzles.item import Puzzle
from swr1.puzzles.statements import MAX_PEOPLE

Form = list[Any]


class Fact(NamedTuple):
    """Somebody's role, the steps that show it, and whose roles they rest on."""

    person: int
    role: bool
    steps: list[Form]
    rests_on: set[int]


class Block(NamedTuple):
    """An assumption (none at the bottom, where things are proven) and what is known under it."""

    person: int
    role: bool
    known: dict[int, bool]
    facts: list[Fact]


class Clash(NamedTuple):
    """A statement that no role of its speaker fits: by `rests_on` it comes out as `truth`.

    `truth` is None while the speaker's own role is open (a liar's paradox).
    """

    person: int
    truth: bool | None
    rests_on: set[int]


def propagate(puzzle: Puzzle) -> list[Form]:
    """The steps from nothing to the conclusion, in the language of `traces`.

    Raises DataError when no world fits, or for a statement about too many people.
    """
    words = [meaning(p, s) for p, s in enumerate(puzzle.statements)]
    if None in words:
        raise DataError(f"a statement concerns more than {MAX_PEOPLE} people: use another style")
    meanings: Sequence[Meaning] = words  # type: ignore[assignment]
    blocks = [Block(-1, True, {}, [])]
    news = set(range(len(meanings)))  # statements that may settle something new
    while True:
        block = blocks[-1]
        facts, clash = _derive(meanings, block.known, news)
        block.facts.extend(facts)
        block.known.update({fact.person: fact.role for fact in facts})
        if clash and clash.truth is not None:
            if len(blocks) == 1:
                raise DataError(NO_WORLD)
            blocks.pop()
            fact = _refuted(block, clash)
            blocks[-1].facts.append(fact)
            blocks[-1].known[fact.person] = fact.role
            news = _concerned(meanings, fact.person)
        elif len(block.known) == len(meanings):
            return _conclusion(blocks)
        else:
            person, role = (clash.person, True) if clash else _choose(meanings, block.known)
            blocks.append(Block(person, role, block.known | {person: role}, []))
            news = _concerned(meanings, person)


def _derive(
    meanings: Sequence[Meaning], known: Mapping[int, bool], news: set[int]
) -> tuple[list[Fact], Clash | None]:
    """What follows from what is known, one statement at a time, until a clash or the end."""
    known, news = dict(known), set(news)
    facts: list[Fact] = []
    while news:
        for speaker in sorted(news):
            words = meanings[speaker]
            if not words.worlds(known) & words.fits:
                needed = _needed(words, known, None)
                truth = words.truth(known) if speaker in known else None
                return facts, Clash(speaker, truth, set(needed))
        speaker = min(news)
        words = meanings[speaker]
        worlds = words.worlds(known) & words.fits
        for person in words.people:
            if person not in known and worlds & words.leaf(person) in (0, worlds):
                role = bool(worlds & words.leaf(person))
                needed = _needed(words, known, person)
                given = [[p, needed[p]] for p in needed]
                facts.append(
                    Fact(person, role, [["infer", person, role, speaker, given]], set(needed))
                )
                known[person] = role
                news |= _concerned(meanings, person)
                break
        else:
            news.discard(speaker)
    return facts, None


def _needed(words: Meaning, known: Mapping[int, bool], person: int | None) -> dict[int, bool]:
    """Of the known roles those that settle this person's (or, for None, that clash): no fewer do.

    The speaker's role is kept where it is known, since it is what a reader starts from.
    """
    needed = {p: known[p] for p in words.people if p in known}
    for other in list(needed):
        fewer = {p: role for p, role in needed.items() if p != other}
        worlds = words.worlds(fewer) & words.fits
        settled = not worlds if person is None else worlds & words.leaf(person) in (0, worlds)
        if other != words.people[0] and settled:
            needed = fewer
    return needed


def _concerned(meanings: Sequence[Meaning], person: int) -> set[int]:
    return {speaker for speaker, words in enumerate(meanings) if person in words.people}


def _choose(meanings: Sequence[Meaning], known: Mapping[int, bool]) -> tuple[int, bool]:
    """Whose role to assume: the quickest to a contradiction, else what settles the most people."""
    best: tuple[int, int, int] | None = None
    choice = (-1, True)
    for person in range(len(meanings)):
        if person in known:
            continue
        for role in (True, False):
            facts, clash = _derive(meanings, {**known, person: role}, _concerned(meanings, person))
            merit = (1, -len(facts), 0) if clash else (0, len(facts), role)
            if best is None or merit > best:
                best, choice = merit, (person, role)
    return choice


def _refuted(block: Block, clash: Clash) -> Fact:
    """The opposite of an assumption, shown by only those facts that the contradiction rests on."""
    needed, grounds = set(clash.rests_on), []
    for fact in reversed(block.facts):
        if fact.person in needed:
            needed |= fact.rests_on
            grounds.append(fact)
    steps = [
        ["assume", block.person, block.role],
        *[step for fact in reversed(grounds) for step in fact.steps],
        ["contradiction", clash.person, clash.truth],
        ["must", block.person, not block.role],
    ]
    inside = {block.person, *(fact.person for fact in grounds)}
    return Fact(block.person, not block.role, steps, needed - inside)


def _conclusion(blocks: Sequence[Block]) -> list[Form]:
    """All that is known, and what was only assumed checked."""
    steps: list[Form] = []
    for block in blocks:
        if block.person >= 0:
            steps.append(["assume", block.person, block.role])
        steps += [step for fact in block.facts for step in fact.steps]
    roles = [blocks[-1].known[p] for p in range(len(blocks[-1].known))]
    if len(blocks) > 1:
        steps.append(["placed"])
        steps += [["check", p, role] for p, role in enumerate(roles)]
    return [*steps, ["conclude", roles]]
