"""Wrong reasoning, made from right reasoning, and labelled: for DPO, process models and tests.

Each kind is a function (puzzle, forms, rng) -> (forms, answer, step), where `step` is the first
wrong step by the checker; one past the last where only the answer is wrong.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from swr1.puzzles.checker import Checker, check, first_fault
from swr1.puzzles.item import Puzzle

Form = list[Any]
World = list[bool]
Wronged = tuple[list[Form], World, int]

SHUFFLES = 20  # tries to find a wrong order at random


def another_answer(puzzle: Puzzle, forms: list[Form], rng: Random) -> Wronged:
    """Right reasoning, and an answer that it does not give."""
    return forms, _other_world(forms[-1][1], rng), len(forms)


def shuffled(puzzle: Puzzle, forms: list[Form], rng: Random) -> Wronged:
    """The steps in another order, one in which not every step is licensed; the right answer."""
    order = list(forms)
    for _ in range(SHUFFLES):
        rng.shuffle(order)
        fault = first_fault(check(puzzle, order))
        if fault is not None:
            return order, forms[-1][1], fault
    return [forms[-1], *forms[:-1]], forms[-1][1], 0


def replaced(puzzle: Puzzle, forms: list[Form], rng: Random) -> Wronged:
    """One step replaced by a wrong one of the same kind, all others kept.

    The answer changes only with the conclusion.
    """
    places = [k for k, form in enumerate(forms) if next(_alternatives(form, 2, Random(0)), None)]
    rng.shuffle(places)
    for place in places:
        for form in _alternatives(forms[place], len(puzzle.names), rng):
            if check(puzzle, [*forms[:place], form])[-1].ok is False:
                wrong = [*forms[:place], form, *forms[place + 1 :]]
                return wrong, wrong[-1][1], place
    raise ValueError("no step of this reasoning can be made wrong")


def early(puzzle: Puzzle, forms: list[Form], rng: Random) -> Wronged:
    """Stops before everything is shown or checked, and answers what it has, the rest guessed."""
    places = list(range(1, len(forms) - 1))
    rng.shuffle(places)
    for place in [*places, 0]:
        checker = Checker(puzzle)
        for form in forms[:place]:
            checker.step(form)
        known = checker.known() or dict(enumerate(checker.world or ()))
        world = [known.get(p, rng.random() < 0.5) for p in range(len(puzzle.names))]
        conclusion = ["conclude", world]
        if checker.step(conclusion).ok is False:
            break
    return [*forms[:place], conclusion], world, place


def _alternatives(form: Form, people: int, rng: Random) -> Iterator[Form]:
    """Steps of the same kind that claim something else, at random; none for what claims nothing."""
    kind = form[0]
    if kind in ("infer", "must", "check", "contradiction"):
        others = [(p, role) for p in range(people) for role in (True, False)]
        rng.shuffle(others)
        yield [kind, form[1], not form[2], *form[3:]]
        if kind != "infer":
            yield from ([kind, p, role, *form[3:]] for p, role in others if p != form[1])
    elif kind == "try":
        values = list(form[3])
        at = rng.randrange(len(values))
        values[at] = not values[at]
        changes = [[*form[:3], values, form[4]], [*form[:4], not form[4]]]
        rng.shuffle(changes)
        yield from changes
    elif kind == "conclude":
        yield [kind, _other_world(form[1], rng)]


def _other_world(world: Sequence[bool], rng: Random) -> World:
    """Another world, each as likely."""
    number = rng.randrange(1, 1 << len(world))
    return [role != bool(number >> p & 1) for p, role in enumerate(world)]


WRONG: dict[str, Callable[[Puzzle, list[Form], Random], Wronged]] = {
    "answer": another_answer,
    "shuffled": shuffled,
    "replaced": replaced,
    "early": early,
}
