"""Reasoning texts for puzzles, as a model should (or, for experiments, should not) write them.

A trace is a list of steps. A step is a line of text and its form, which `checker` judges, and
`trace_text` writes and reads. Forms are JSON lists; people are numbers, a role is true for the
truth teller:

    ["note"]                        an opening that claims nothing
    ["assume", p, role]             suppose p's role; or, after a contradiction, p's other role
    ["infer", p, role, s, given]    p's role follows from what s says; `given` are the roles it rests
                                    on, [[q, role], ...], s's own first where it is used
    ["fits"]                        no statement settled by the known roles contradicts them (settled
                                    by the truth of its parts: strong Kleene logic)
    ["contradiction", p, truth]     p's statement comes out as `truth`, and p's role says otherwise
    ["must", p, role]               the assumption made last failed, so p has the other role
    ["back", p]                     both roles of p failed: so did the assumption before
    ["placed"]                      everyone has a role
    ["check", p, truth]             p's statement is `truth`, as p's role demands
    ["try", roles, p, values, ok]   in this world the parts of p's statement have these values, and
                                    the last, its own, fits p's role or does not
    ["conclude", roles]             who is what
    ["guess"], ["garbled"]          no reason; a line that misstates the puzzle or its reasons

An assumption and all inferred under it are known until it is drawn back from. `try` stands by
itself: it needs no assumption, and a world is left only when it has been refuted.

A style is a function (puzzle, rng) -> forms, ending in ["conclude", roles], or, for careless ones,
perhaps in what they guess. To add one, write the function and put it in STYLES.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from swr1.errors import DataError, UsageError
from swr1.puzzles import propagation
from swr1.puzzles.case_analysis import GUESS, NO_WORLD, STOP, by_cases
from swr1.puzzles.checker import check, first_fault
from swr1.puzzles.corruptions import WRONG
from swr1.puzzles.item import Puzzle
from swr1.puzzles.roles import Roles
from swr1.puzzles.search import search as search_events
from swr1.puzzles.trace_text import role_sentence, tell
from swr1.registry import check_known

Form = list[Any]
Answer = list[list[str]]


class Step(NamedTuple):
    text: str
    form: Form


class Trace(NamedTuple):
    """`fault` is None for right reasoning, else {"kind", "step"}: the first wrong step."""

    steps: list[Step]
    answer: Answer
    fault: dict[str, Any] | None = None

    @property
    def reasoning(self) -> str:
        return "\n".join(step.text for step in self.steps)


def answer_text(answer: Sequence[Sequence[str]], roles: Roles) -> str:
    """The answer as it stands between <answer> and </answer>: "(1) Zoey is a knight", a line each."""
    return "\n".join(
        f"({i}) {role_sentence(name, word, roles)}" for i, (name, word) in enumerate(answer, 1)
    )


def assistant_text(reasoning: str, answer: Sequence[Sequence[str]], roles: Roles) -> str:
    """The whole assistant turn."""
    return f"<think> {reasoning} </think>\n<answer>{answer_text(answer, roles)}</answer>"


def search(puzzle: Puzzle, rng: Random) -> list[Form]:
    """Assume a role, check what it settles, name the contradiction, go back, conclude."""
    forms: list[Form] = [["note"]]
    roles: dict[int, bool] = {}
    for kind, *event in search_events(puzzle.statements):
        if forms[-1][0] == "assume" and kind in ("assume", "solved"):
            forms.append(["fits"])
        if kind == "conflict":
            forms.append(["contradiction", *event])
        elif kind != "solved":
            forms.append([kind, *event])
        if kind == "assume":
            roles[event[0]] = event[1]
        elif kind == "solved":
            world = [roles[p] for p in range(len(puzzle.names))]
            checks = [["check", p, role] for p, role in enumerate(world)]
            return [*forms, ["placed"], *checks, ["conclude", world]]
    raise DataError(NO_WORLD)


def propagate(puzzle: Puzzle, rng: Random) -> list[Form]:
    """Derive what follows, assume where nothing does, keep the opposite of what is contradicted."""
    return propagation.propagate(puzzle)


def cases(puzzle: Puzzle, rng: Random) -> list[Form]:
    """Try the worlds one by one, each statement with the value of its every part; never wrong."""
    return by_cases(puzzle, rng, stop=0.0)


def hasty(puzzle: Puzzle, rng: Random) -> list[Form]:
    """Mixed care, as in what people write: often a guess, else `cases` that may stop too early.

    A model that learns from it can reason and mostly does not: a start from which RL has something
    to find. More than half of the answers are wrong.
    """
    if rng.random() < GUESS:
        return [["guess"]]
    return by_cases(puzzle, rng, stop=STOP)


STYLES: dict[str, Callable[[Puzzle, Random], list[Form]]] = {
    "search": search,
    "propagate": propagate,
    "cases": cases,
    "hasty": hasty,
}


def find_style(name: str) -> Callable[[Puzzle, Random], list[Form]]:
    """Raises UsageError, with a suggestion, for an unknown style."""
    check_known("trace style", name, STYLES)
    return STYLES[name]


def check_wrong(style: str, wrong: str | None) -> None:
    """Raises UsageError for an unknown kind of wrong reasoning, or a style that has its own."""
    known = (*WRONG, "any")
    if wrong is not None:
        check_known("kind of wrong reasoning", wrong, known)
    if wrong is not None and style == "hasty":
        raise UsageError(f"hasty makes its own mistakes; take {wrong!r} with another style")


def make_trace(puzzle: Puzzle, style: str, rng: Random, wrong: str | None = None) -> Trace:
    """Reasoning in a style, right, or wrong in the given way (a kind in corruptions.WRONG, or any).

    Raises UsageError for what `find_style` and `check_wrong` refuse, DataError for a puzzle
    that no world fits.
    """
    check_wrong(style, wrong)
    forms = find_style(style)(puzzle, rng)
    fault = None
    if wrong is not None:
        wrong = rng.choice(list(WRONG)) if wrong == "any" else wrong
        forms, world, step = WRONG[wrong](puzzle, forms, rng)
        fault = {"kind": wrong, "step": step}
    elif forms[-1][0] == "guess":
        world = [rng.random() < 0.5 for _ in puzzle.names]
    else:
        world = forms[-1][1]
    if style == "hasty" and (hasty_step := first_fault(check(puzzle, forms))) is not None:
        fault = {"kind": "hasty", "step": hasty_step}
    steps = [Step(tell(puzzle, style, form), form) for form in forms]
    return Trace(steps, puzzle.answer(world), fault)


def trace_fields(
    puzzle: Puzzle, style: str, rng: Random, wrong: str | None = None, steps: bool = False
) -> dict[str, Any]:
    """What goes into a record's info.

    `trace` is the whole assistant turn, `trace_style` the style, `trace_answer` what it answers,
    `trace_fault` what is wrong with it: null, or {"kind", "step": the first wrong step, counted
    from 0; the number of steps where only the answer is wrong}.
    With `steps`, which more than doubles the record: `steps`, [{"text", "form", "ok"}, ...],
    where `ok` is the checker's verdict.
    """
    trace = make_trace(puzzle, style, rng, wrong)
    fields: dict[str, Any] = {
        "trace": assistant_text(trace.reasoning, trace.answer, puzzle.roles),
        "trace_style": style,
        "trace_answer": trace.answer,
        "trace_fault": trace.fault,
    }
    if steps:
        verdicts = check(puzzle, [step.form for step in trace.steps])
        fields["steps"] = [
            {"text": step.text, "form": step.form, "ok": verdict.ok}
            for step, verdict in zip(trace.steps, verdicts, strict=True)
        ]
    return fields


def pair_fields(
    puzzle: Puzzle, style: str, rng: Random, wrong: str = "any", steps: bool = False
) -> dict[str, Any]:
    """The fields of right reasoning, and `pair` for preference training such as DPO.

    `pair` holds `chosen` (the same as `trace`) and `rejected`, assistant turns, and `fault`, what
    is wrong with the second.
    """
    fields = trace_fields(puzzle, style, rng, steps=steps)
    rejected = make_trace(puzzle, style, rng, wrong)
    turn = assistant_text(rejected.reasoning, rejected.answer, puzzle.roles)
    return fields | {"pair": {"chosen": fields["trace"], "rejected": turn, "fault": rejected.fault}}
