"""A checker of reasoning: is each step licensed by what stands before it?

    verdicts = check(puzzle, forms)      # one StepVerdict per step
    first_fault(verdicts)                # the first wrong step, or None

The steps are those of the language in `traces`. The checker knows the statements, not the
solution. It holds open assumptions, and what has been inferred under each. A step is judged in all
worlds of the people it concerns, so an inference is valid exactly when it follows.

A wrong step adds nothing to what is known: what stands on it falls with it, and what does not is
judged as if the wrong step were absent. So a trace is sound if and only if no step is wrong.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from swr1.puzzles.case_analysis import values
from swr1.puzzles.item import Puzzle
from swr1.puzzles.solver import renumbered
from swr1.puzzles.statements import MAX_PEOPLE, evaluate, leaf_tables, mentioned, truth_table

Form = Sequence[Any]

# Why a step is wrong, in words for people.
REASONS = {
    "malformed": "it is no step of the language, or not about these people",
    "garbled": "it misstates the puzzle, or what was found before",
    "guess": "it gives no reason",
    "known": "this person's role is known already",
    "unknown": "it relies on a role that is not known here",
    "not-open": "this is not the assumption made last",
    "not-refuted": "the assumption made last has not led to a contradiction",
    "other-role-open": "the other role has not been tried",
    "not-dealt-with": "a contradiction was found, and nothing may follow but to draw back",
    "contradicted": "a statement that is settled does contradict it",
    "does-not-follow": "it does not follow from what it names",
    "no-contradiction": "what is known does not contradict this statement so",
    "wrong-value": "the statement, or a part of it, has another value",
    "refuted-before": "this world was refuted before",
    "left-open": "the world tried before was left although nothing refuted it",
    "unchecked": "not everything that it needs has been shown or checked",
    "after-conclusion": "the conclusion was drawn before",
    "too-wide": f"it concerns more than {MAX_PEOPLE} people and is not judged",
    "unread": "it could not be read",
}


class StepVerdict(NamedTuple):
    """`ok` is None where the step was not judged; `reason` is a key of REASONS, "" if ok."""

    ok: bool | None
    reason: str = ""


class Meaning(NamedTuple):
    """What one person says, as truth tables over the people that it concerns.

    `people` are the speaker and all who are named; bit w of `table` is the statement's truth in
    world w of those people, and bit w of `fits` whether that is what the speaker's role demands.
    """

    people: tuple[int, ...]
    table: int
    fits: int

    def worlds(self, known: Mapping[int, bool]) -> int:
        """The worlds of `people` in which those who are known have their roles."""
        leaves, full = leaf_tables(len(self.people)), self.full
        worlds = full
        for leaf, person in zip(leaves, self.people, strict=True):
            role = known.get(person)
            if role is not None:
                worlds &= leaf if role else full ^ leaf
        return worlds

    def leaf(self, person: int) -> int:
        """The worlds in which a person of `people` tells the truth."""
        return leaf_tables(len(self.people))[self.people.index(person)]

    @property
    def full(self) -> int:
        return (1 << (1 << len(self.people))) - 1

    def truth(self, known: Mapping[int, bool]) -> bool | None:
        """What the statement comes out as, whoever the others are; None if that varies."""
        worlds = self.worlds(known)
        return None if 0 != worlds & self.table != worlds else bool(worlds & self.table)


@lru_cache(maxsize=1 << 12)
def meaning(speaker: int, statement: tuple) -> Meaning | None:
    """None for a statement that concerns more than MAX_PEOPLE people."""
    people = tuple(dict.fromkeys([speaker, *mentioned(statement)]))
    if len(people) > MAX_PEOPLE:
        return None
    table = truth_table(renumbered(statement, {p: i for i, p in enumerate(people)}), len(people))
    leaves, full = leaf_tables(len(people)), (1 << (1 << len(people))) - 1
    return Meaning(people, table, full ^ table ^ leaves[0])


def check(puzzle: Puzzle, forms: Iterable[Form | None]) -> list[StepVerdict]:
    """One verdict per step; a form of None, a line that could not be read, is not judged."""
    checker = Checker(puzzle)
    return [checker.step(form) for form in forms]


def first_fault(verdicts: Iterable[StepVerdict]) -> int | None:
    """The index of the first wrong step."""
    return next((i for i, verdict in enumerate(verdicts) if verdict.ok is False), None)


class _Wrong(Exception):
    """The reason why a step is wrong."""


class _TooWide(Exception):
    pass


class Checker:
    """What stands before the next step. `concluded` is the world of a right conclusion."""

    def __init__(self, puzzle: Puzzle) -> None:
        self.statements = puzzle.statements
        self.people = len(puzzle.statements)
        self.assumed: list[int] = []  # whose roles are assumed, the latest last
        self.facts: list[dict[int, bool]] = [{}]  # facts[k]: known under the first k assumptions
        self.both: set[int] = set()  # those assumed whose other role has been refuted
        self.failed = False  # a contradiction was found, and not yet drawn back from
        self.checked: set[int] = set()  # whose statements were checked under what is known
        self.world: tuple[bool, ...] | None = None  # the world being tried, by "try"
        self.tried: set[int] = set()  # whose statements were found to fit it
        self.refuted: set[tuple[bool, ...]] = set()
        self.concluded: tuple[bool, ...] | None = None

    def step(self, form: Form | None) -> StepVerdict:
        """The verdict on the next step, whose claim is taken over if it is right."""
        if form is None:
            return StepVerdict(None, "unread")
        try:
            self._take(form)
        except _Wrong as wrong:
            return StepVerdict(False, str(wrong))
        except _TooWide:
            return StepVerdict(None, "too-wide")
        return StepVerdict(True)

    def known(self) -> dict[int, bool]:
        """The roles that are assumed, inferred or proven here."""
        return {person: role for level in self.facts for person, role in level.items()}

    def _take(self, form: Form) -> None:
        if self.concluded is not None:
            raise _Wrong("after-conclusion")
        match form:
            case ["note"]:
                return
            case ["garbled" | "guess" as reason]:
                raise _Wrong(reason)
            case ["try", list(roles), person, list(part_values), bool(fits)] if self._are(
                person, roles
            ):
                self._try(tuple(roles), person, part_values, fits)
            case ["conclude", list(roles)] if self._are(0, roles):
                self._conclude(tuple(roles))
            case ["back", person] if self._are(person):
                self._back(person)
            case ["must", person, bool(role)] if self._are(person):
                self._must(person, role)
            case ["assume", person, bool(role)] if self._are(person):
                self._assume(person, role)
            case _ if self.failed:
                raise _Wrong("not-dealt-with")
            case ["fits"]:
                self._fits()
            case ["placed"]:
                if len(self.known()) < self.people:
                    raise _Wrong("unknown")
            case ["infer", person, bool(role), speaker, list(given)] if self._are(person) and (
                self._are(speaker)
            ):
                self._infer(person, role, speaker, given)
            case ["contradiction", person, bool(truth)] if self._are(person):
                self._settled(person, truth, fitting=False)
                self.failed = True
            case ["check", person, bool(truth)] if self._are(person):
                self._settled(person, truth, fitting=True)
                self.checked.add(person)
            case _:
                raise _Wrong("malformed")

    def _are(self, person: Any, roles: list[Any] | None = None) -> bool:
        """Whether this is a person, and these are everybody's roles."""
        is_world = roles is None or (
            len(roles) == self.people and all(isinstance(role, bool) for role in roles)
        )
        return type(person) is int and 0 <= person < self.people and is_world

    def _meaning(self, person: int) -> Meaning:
        words = meaning(person, self.statements[person])
        if words is None:
            raise _TooWide
        return words

    # --- assumptions -------------------------------------------------------------------------

    def _assume(self, person: int, role: bool) -> None:
        if self.failed:  # the other role of the person assumed last
            self._need_last(person)
            if person in self.both or self.facts[-1][person] == role:
                raise _Wrong("refuted-before")
            self._close()
            self.both.add(person)
            self.failed = False
        elif person in self.known():
            raise _Wrong("known")
        self.assumed.append(person)
        self.facts.append({person: role})

    def _back(self, person: int) -> None:
        self._need_failed(person)
        if person not in self.both:
            raise _Wrong("other-role-open")
        self.both.discard(self._close())

    def _must(self, person: int, role: bool) -> None:
        self._need_failed(person)
        if person in self.both or self.facts[-1][person] == role:
            raise _Wrong("does-not-follow")
        self._close()
        self.facts[-1][person] = role
        self.failed = False

    def _need_failed(self, person: int) -> None:
        if not self.failed:
            raise _Wrong("not-refuted")
        self._need_last(person)

    def _need_last(self, person: int) -> None:
        if not self.assumed or self.assumed[-1] != person:
            raise _Wrong("not-open")

    def _close(self) -> int:
        """Drop the latest assumption and all that was found under it."""
        self.facts.pop()
        self.checked.clear()
        return self.assumed.pop()

    # --- claims ------------------------------------------------------------------------------

    def _fits(self) -> None:
        known = self.known()
        roles = [known.get(person) for person in range(self.people)]
        for person, role in known.items():
            if evaluate(self.statements[person], roles) == (not role):
                raise _Wrong("contradicted")

    def _infer(self, person: int, role: bool, speaker: int, given: list[Any]) -> None:
        known = self.known()
        if person in known:
            raise _Wrong("known")
        premises: dict[int, bool] = {}
        for pair in given:
            match pair:
                case [who, bool(what)] if self._are(who):
                    premises[who] = what
                case _:
                    raise _Wrong("malformed")
        if any(known.get(who) != what for who, what in premises.items()):
            raise _Wrong("unknown")
        words = self._meaning(speaker)
        worlds = words.worlds(premises) & words.fits
        # Premises that contradict one another allow no inference: the contradiction comes first.
        if not worlds or person not in words.people:
            raise _Wrong("does-not-follow")
        if worlds & words.leaf(person) != (worlds if role else 0):
            raise _Wrong("does-not-follow")
        self.facts[-1][person] = role

    def _settled(self, person: int, truth: bool, fitting: bool) -> None:
        known = self.known()
        if person not in known:
            raise _Wrong("unknown")
        if self._meaning(person).truth(known) != truth or (known[person] == truth) != fitting:
            raise _Wrong("wrong-value" if fitting else "no-contradiction")

    def _try(
        self, world: tuple[bool, ...], person: int, part_values: list[Any], fits: bool
    ) -> None:
        if world in self.refuted:
            raise _Wrong("refuted-before")
        if world != self.world and self.world is not None and self.world not in self.refuted:
            raise _Wrong("left-open")
        if part_values != values(self.statements[person], world) or fits != (
            part_values[-1] == world[person]
        ):
            raise _Wrong("wrong-value")
        if world != self.world:
            self.world, self.tried = world, set()
        if fits:
            self.tried.add(person)
        else:
            self.refuted.add(world)

    def _conclude(self, world: tuple[bool, ...]) -> None:
        """Everybody's role is proven, or all statements were checked. (One world fits, it is said,
        so to have found one is enough.)"""
        known = self.known()
        everyone = len(known) == self.people and not self.failed
        if everyone and world == tuple(known[p] for p in range(self.people)):
            right = not self.assumed or len(self.checked) == self.people
        else:
            alive = world == self.world and world not in self.refuted
            right = alive and len(self.tried) == self.people
        if not right:
            raise _Wrong("unchecked")
        self.concluded = world
