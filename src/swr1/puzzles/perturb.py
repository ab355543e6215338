"""Perturbed puzzles: has a model learned to reason about this one, or its answer by heart?

    perturb(record, "leaf", seed=0)   # the record of another puzzle, linked to the first

The kinds are those of Xie et al., "On Memorization of Large Language Models in Logical Reasoning"
(2024), section 2.2. Two change the solution: "statement" (one person says something else) and
"leaf" (one "X is a knight" or "X is a knave" inside a statement becomes another). The result has
exactly one solution, and not the one before. The others keep who tells the truth: "names", "roles"
(other words for them), "flip" (the words change places: the knave tells the truth), "order" (the
statements and the list of people come in another order) and "wording" (which may be in
another language). What a kind does not touch stays, to the letter, in the text.

A perturbed record is a new item: it has an id of its own, `info.perturbed` says the kind, the id
of the original and whether the solution changes, and nothing is left of what held for the original
only (completion, verdicts, reward; info.trace, steps, difficulty, seed, index).
"""

from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, reduce
from itertools import chain, islice
from operator import and_
from typing import Any, NamedTuple

from swr1.errors import DataError, UsageError
from swr1.puzzles.item import Puzzle, as_item, puzzle_of
from swr1.puzzles.names import check_names, list_of, read_names
from swr1.puzzles.roles import PAIRS, Roles, find_roles
from swr1.puzzles.rules import KINDS as CONNECTIVES
from swr1.puzzles.rules import PUBLISHED, Rules, is_trivial, leaves, statement_drawer
from swr1.puzzles.solver import TABLE_PEOPLE, renumbered, unique
from swr1.puzzles.space import all_statements, fitting_worlds, random_words, statement_count
from swr1.puzzles.statements import LEAVES, world_roles
from swr1.puzzles.wording import WORDINGS, find_wording
from swr1.records import VERSION, Record, make_id
from swr1.registry import check_known

RETRIES = 2000  # candidates before giving up, as published
LISTED = 1 << 14  # where draws fail, so many statements or fewer are all tried
VARIANTS = 64  # a wording may choose between so many ways to report a statement


class Impossible(Exception):
    """This puzzle cannot be perturbed this way; the text says why, in a few words."""


class Dice:
    """Reproducible random numbers: the key says which."""

    def __init__(self, key: str) -> None:
        self.word = chain.from_iterable(random_words(key, 64)).__next__  # 32 bits

    def below(self, k: int) -> int:
        return self.word() * k >> 32

    def shuffled(self, items: Sequence[Any]) -> Iterator[Any]:
        """The items in random order, each drawn when it is needed."""
        left = list(items)
        while left:
            i = self.below(len(left))
            left[i], left[-1] = left[-1], left[i]
            yield left.pop()


class Retelling(NamedTuple):
    """A puzzle, the wording of its text, and the rules its statements keep."""

    puzzle: Puzzle
    wording: str
    dice: Sequence[int]  # as for `as_item`
    rules: Rules = PUBLISHED


def perturb(record: Record, kind: str, seed: int = 0, choice: Any = None) -> Record:
    """The record of the perturbed puzzle; its randomness derives from (seed, id, kind) alone.

    Args:
        record: a puzzle with info.statements.
        choice: what to change to; None leaves it to the dice. "names": a list or file of names (None:
            the built-in list that the puzzle's come from);
            "roles": a pair such as "saint/sinner"; "wording": its name; "statement" and "leaf":
            how many candidates to try (RETRIES).

    The id also covers the kind and the original, since two puzzles may turn into the same one.

    Raises:
        Impossible: there is no such perturbation, or none was found.
        DataError: the record holds no puzzle. UsageError: no such kind, list, pair or wording.
    """
    make, changes = find_kind(kind)
    puzzle, info, messages = puzzle_of(record), record["info"], record["prompt"]
    if not messages:
        raise DataError("the prompt holds no message", f"record {record['id']}")
    retelling, around = _retelling_of(puzzle, info, messages[-1]["content"])
    if not retelling.wording and kind != "wording":
        raise Impossible("not in a known wording (perturb wording first)")
    new = make(retelling, Dice(f"perturb/{seed}/{record['id']}/{kind}"), choice)
    if not changes:
        try:
            check_names(new.puzzle.names, new.puzzle.roles)
        except UsageError:
            raise Impossible("a role looks like a name or a word of the text") from None
    link = {"kind": kind, "of": record["id"], "changes_solution": changes}
    item = as_item(
        new.puzzle, new.wording, new.dice, _lasting_info(info, changes) | {"perturbed": link}
    )
    text = item["prompt"][0]["content"]
    item["prompt"] = [*messages[:-1], messages[-1] | {"content": text.join(around)}]
    name = make_id(item["task"], item["prompt"], [item["answer"], link])
    trail = {"trail": record["trail"]} if "trail" in record else {}
    return {"v": VERSION, "id": name, **item, **trail}


def _lasting_info(info: dict[str, Any], changes: bool) -> dict[str, Any]:
    """What still holds of the puzzle, less what `as_item` says anew."""
    gone = {"people", "names", "roles", "statements", "wording"}
    gone |= {"steps", "difficulty", "seed", "index"} | (
        {"split", "test_share"} if changes else set()
    )
    return {k: v for k, v in info.items() if k not in gone and not k.startswith("trace")}


def _rules_of(info: dict[str, Any]) -> Rules:
    """The rules that a generated puzzle names where they are not the published ones."""
    weights = info.get("weights") or dict.fromkeys(CONNECTIVES, 1)
    return Rules(
        tuple(weights[kind] for kind in CONNECTIVES),
        info.get("self_reference", True),
        info.get("trivial", True),
    )


def _retelling_of(
    puzzle: Puzzle, info: dict[str, Any], content: Any
) -> tuple[Retelling, tuple[str, str]]:
    """The wording by which this text gives the puzzle, and what stands around the puzzle.

    The wording is "" where none of ours gives this text.
    """
    wording, placed_dice = str(info.get("wording")), None
    if wording in WORDINGS and isinstance(content, str):
        names = tuple(puzzle.names)
        placed_dice = _find_dice(wording, puzzle.statements, puzzle.roles, names, content)
    if not placed_dice:
        return Retelling(puzzle, "", [], _rules_of(info)), ("", "")
    dice, start, end = placed_dice
    return Retelling(puzzle, wording, dice, _rules_of(info)), (content[:start], content[end:])


@lru_cache(maxsize=16)
def _find_dice(
    wording: str, statements: tuple[tuple, ...], called: Roles, names: tuple[str, ...], content: str
) -> tuple[list[int], int, int] | None:
    """The dice by which a wording gives the text, and where in `content` that begins and ends.

    A record does not say which dice its wording used. They are found person by person: those with
    which the longest beginning agrees.
    """
    dice = [0] * len(names)

    def text() -> str:
        return WORDINGS[wording].text(statements, dice, called).format(*names)

    start = content.find(text())
    if start < 0:
        start = max(0, content.find(text()[:16]))
        rest = content[start:]
        for person in range(len(names)):
            agreed = {}
            for dice[person] in range(0, 1 << 32, (1 << 32) // VARIANTS):
                agreed[dice[person]] = _agreement(text(), rest)
            dice[person] = max(agreed, key=agreed.__getitem__)
    whole = text()
    return (dice, start, start + len(whole)) if content.startswith(whole, start) else None


def _agreement(a: str, b: str) -> int:
    """The length of the beginning that two texts share."""
    return bisect(range(1, min(len(a), len(b)) + 1), False, key=lambda n: a[:n] != b[:n])


# Kinds that change the solution


def statement(retelling: Retelling, dice: Dice, retries: int | None) -> Retelling:
    """One random person says something else, drawn as the generator draws.

    If the draws find nothing and the puzzle is small, all statements that it allows are tried.
    """
    puzzle, rules = retelling.puzzle, retelling.rules
    people = len(puzzle.names)
    depth = max(2, *map(_depth, puzzle.statements))
    width = max(2, *map(_width, puzzle.statements))
    draw = statement_drawer(people, depth, width, rules, dice.word)

    def drawn() -> Iterator[tuple[int, tuple]]:
        for _ in range(RETRIES if retries is None else retries):
            speaker = dice.below(people)
            try:
                yield speaker, draw(speaker)
            except UsageError:
                raise Impossible("its rules leave somebody nothing to say") from None

    def listed() -> Iterator[tuple[int, tuple]]:
        by_speaker = (
            all_statements(people, speaker, depth, width, rules) for speaker in range(people)
        )
        yield from dice.shuffled(
            [(p, s) for p, statements in enumerate(by_speaker) for s in statements]
        )

    small = statement_count(people, depth, width, rules) * people <= LISTED
    candidates = chain(drawn(), listed()) if small else drawn()
    return retelling._replace(puzzle=_first_that_differs(puzzle, candidates, all_of_them=small))


def leaf(retelling: Retelling, dice: Dice, retries: int | None) -> Retelling:
    """One random leaf becomes another that its speaker may say; none is tried twice."""
    puzzle = retelling.puzzle
    people = len(puzzle.names)
    everything = [
        (speaker, other)
        for speaker, original in enumerate(puzzle.statements)
        for other in other_leaves(original, leaves(people, speaker, retelling.rules))
        if retelling.rules.trivial or not is_trivial(other)
    ]
    tries = min(len(everything), RETRIES if retries is None else retries)
    candidates, whole = islice(dice.shuffled(everything), tries), tries == len(everything)
    return retelling._replace(puzzle=_first_that_differs(puzzle, candidates, all_of_them=whole))


def other_leaves(original: tuple, choices: Sequence[tuple]) -> Iterator[tuple]:
    """Every statement that differs from `original` in one leaf.

    Two parts may become the same ("X and X"), as in the published kind: without those, 212 and not
    306 of the 399 puzzles of 2 people could be perturbed.
    """
    if original[0] in LEAVES:
        yield from (choice for choice in choices if choice != original)
        return
    for at, part in enumerate(original[1:], 1):
        for other in other_leaves(part, choices):
            yield (*original[:at], other, *original[at + 1 :])


def _first_that_differs(
    puzzle: Puzzle, candidates: Iterator[tuple[int, tuple]], all_of_them: bool
) -> Puzzle:
    """The puzzle with the first (speaker, statement) that leaves one solution, and a new one."""
    solved_with: dict[int, Callable[[tuple], tuple[bool, ...] | None]] = {}
    for speaker, candidate in candidates:
        if speaker not in solved_with:
            solved_with[speaker] = _solver(puzzle.statements, speaker)
        solution = solved_with[speaker](candidate)
        if solution and solution != puzzle.solution:
            statements = (
                *puzzle.statements[:speaker],
                candidate,
                *puzzle.statements[speaker + 1 :],
            )
            return puzzle._replace(statements=statements, solution=solution)
    raise Impossible("there is none" if all_of_them else "none found in so many tries")


def _solver(
    statements: Sequence[tuple], speaker: int
) -> Callable[[tuple], tuple[bool, ...] | None]:
    """From what the speaker says, all others unchanged, to the only solution (None: not one)."""
    people = len(statements)
    if people > TABLE_PEOPLE:
        return lambda candidate: unique(
            [*statements[:speaker], candidate, *statements[speaker + 1 :]]
        )
    others = [fitting_worlds(s, p, people) for p, s in enumerate(statements) if p != speaker]
    rest = reduce(and_, others, (1 << (1 << people)) - 1)

    def by_table(candidate: tuple) -> tuple[bool, ...] | None:
        fits = rest & fitting_worlds(candidate, speaker, people)
        return world_roles(fits.bit_length() - 1, people) if fits.bit_count() == 1 else None

    return by_table


def _depth(statement: tuple) -> int:
    return 1 if statement[0] in LEAVES else 1 + max(map(_depth, statement[1:]))


def _width(statement: tuple) -> int:
    return 1 if statement[0] in LEAVES else max(len(statement) - 1, *map(_width, statement[1:]))


# Kinds that keep it


def names(retelling: Retelling, dice: Dice, source: str | Sequence[str] | None) -> Retelling:
    """Everybody has another name, none of those before."""
    puzzle = retelling.puzzle
    usual = list_of(puzzle.names, find_wording(retelling.wording).language)
    pool = read_names(usual if source is None else source)
    others = [name for name in pool if name not in puzzle.names]
    if len(others) < len(puzzle.names):
        more = " of its own (--names takes another)" if source is None else ""
        raise Impossible(f"too few other names in the list{more}")
    chosen = list(islice(dice.shuffled(others), len(puzzle.names)))
    return retelling._replace(puzzle=puzzle._replace(names=chosen))


def roles(retelling: Retelling, dice: Dice, pair: str | None) -> Retelling:
    """Another pair of words; by default a built-in one, flipped where the words were flipped."""
    language, called = find_wording(retelling.wording).language, retelling.puzzle.roles
    was_flipped = (called.liar, called.truth) in _pairs(language)
    words = [p for p in _pairs(language) if {*p} != {called.truth, called.liar}]
    drawn = words[dice.below(len(words))]
    chosen = find_roles(pair or "/".join(reversed(drawn) if was_flipped else drawn), language)
    if chosen[:2] == called[:2]:
        raise Impossible("these are its roles already")
    return retelling._replace(puzzle=retelling.puzzle._replace(roles=chosen))


def _pairs(language: str) -> list[tuple[str, str]]:
    return list(PAIRS.values() if language == "zh" else PAIRS)


def flip(retelling: Retelling, dice: Dice, choice: None) -> Retelling:
    """The words for truth tellers and liars change places."""
    truth, liar, truths, liars = retelling.puzzle.roles
    return retelling._replace(
        puzzle=retelling.puzzle._replace(roles=Roles(liar, truth, liars, truths))
    )


def order(retelling: Retelling, dice: Dice, choice: None) -> Retelling:
    """The people speak, and are listed, in another order; all of it is renumbered accordingly."""
    puzzle = retelling.puzzle
    people = list(range(len(puzzle.names)))
    if len(people) < 2:
        raise Impossible("one person has no other order")
    old = people
    while old == people:
        old = list(dice.shuffled(people))
    new = {person: place for place, person in enumerate(old)}
    moved = Puzzle(
        [puzzle.names[p] for p in old],
        tuple(renumbered(puzzle.statements[p], new) for p in old),
        tuple(puzzle.solution[p] for p in old),
        puzzle.roles,
    )
    return retelling._replace(puzzle=moved, dice=[retelling.dice[p] for p in old])


def wording(retelling: Retelling, dice: Dice, name: str | None) -> Retelling:
    """Another wording; by default the next one in the same language. Names stay as they are."""
    language = find_wording(retelling.wording).language if retelling.wording else "en"
    same = [w for w, of in WORDINGS.items() if of.language == language and w != retelling.wording]
    chosen = name or same[0]
    puzzle, other = retelling.puzzle, find_wording(chosen).language
    if chosen == retelling.wording:
        raise Impossible("it has this wording already")
    if other != language:
        words = dict(zip(chain(*_pairs(language)), chain(*_pairs(other)), strict=True))
        truth, liar = (words.get(word, word) for word in puzzle.roles[:2])
        puzzle = puzzle._replace(roles=find_roles(f"{truth}/{liar}", other))
    for _ in range(RETRIES):  # by chance the text of few people may stay the same
        new = retelling._replace(
            puzzle=puzzle, wording=chosen, dice=[dice.word() for _ in puzzle.names]
        )
        if not retelling.wording or _template(new) != _template(retelling):
            return new
    raise Impossible("it reads the same in both wordings")


def _template(retelling: Retelling) -> str:
    puzzle = retelling.puzzle
    return WORDINGS[retelling.wording].text(puzzle.statements, retelling.dice, puzzle.roles)


class Kind(NamedTuple):
    make: Callable[[Retelling, Dice, Any], Retelling]
    changes_solution: bool


KINDS = {
    "statement": Kind(statement, True),
    "leaf": Kind(leaf, True),
    "names": Kind(names, False),
    "roles": Kind(roles, False),
    "flip": Kind(flip, False),
    "order": Kind(order, False),
    "wording": Kind(wording, False),
}


def find_kind(name: str) -> Kind:
    """Raises UsageError, with a suggestion, for an unknown kind."""
    check_known("kind of perturbation", name, KINDS)
    return KINDS[name]
