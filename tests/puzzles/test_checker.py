"""The checker accepts right steps, and only right ones; texts are read back as the steps they tell."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.puzzles.checker import REASONS, Checker, check, first_fault
from swr1.puzzles.corruptions import WRONG
from swr1.puzzles.item import Puzzle
from swr1.puzzles.roles import find_roles
from swr1.puzzles.trace_text import read_steps, tell
from swr1.puzzles.traces import STYLES, make_trace
from tests.timing import ends_soon

from .brute import brute_solutions, holds
from .random_puzzles import NAMES, ZH_NAMES, random_puzzle

CAREFUL = ["search", "propagate", "cases"]
PUZZLES = [random_puzzle(s, people, depth) for people in (2, 3, 4, 6) for depth in (2, 3)
           for s in range(20)]  # fmt: skip


def forms_of(puzzle, style, seed=0, wrong=None):
    return [step.form for step in make_trace(puzzle, style, Random(seed), wrong).steps]


@pytest.mark.parametrize("style", CAREFUL)
def test_right_traces_are_accepted_step_by_step(style):
    for puzzle in PUZZLES:
        verdicts = check(puzzle, forms_of(puzzle, style))
        assert [v for v in verdicts if v != (True, "")] == []


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**9), people=st.integers(2, 6), depth=st.integers(2, 4))
def test_right_traces_of_any_puzzle_are_accepted(seed, people, depth):
    puzzle = random_puzzle(seed, people, depth)
    for style in CAREFUL:
        forms = forms_of(puzzle, style)
        assert first_fault(check(puzzle, forms)) is None
        assert forms[-1] == ["conclude", list(puzzle.solution)]


@pytest.mark.parametrize("style", CAREFUL)
def test_a_step_made_wrong_is_the_first_fault(style):
    """Each claim turned round in its place, by rules of this test."""
    turned = 0
    for puzzle in PUZZLES[::4]:
        forms = forms_of(puzzle, style)
        for k, form in enumerate(forms):
            wrong = [*form]
            match form[0]:
                case "infer" | "must" | "check" | "contradiction":
                    wrong[2] = not form[2]
                case "try":
                    wrong[4] = not form[4]
                case "conclude":
                    wrong[1] = [not form[1][0], *form[1][1:]]
                case _:
                    continue
            assert first_fault(check(puzzle, [*forms[:k], wrong, *forms[k + 1 :]])) == k
            turned += 1
    assert turned > 200


@pytest.mark.parametrize("style", CAREFUL)
def test_no_claim_can_be_left_out(style):
    """What a later step needs is missed there: a conclusion never stands on less."""
    for puzzle in PUZZLES[::3]:
        forms = forms_of(puzzle, style)
        for k, form in enumerate(forms[:-1]):
            if form[0] in ("infer", "must", "check", "assume", "contradiction"):
                assert first_fault(check(puzzle, forms[:k] + forms[k + 1 :])) is not None


@pytest.mark.parametrize("wrong", [w for w in WRONG if w != "answer"])
@pytest.mark.parametrize("style", CAREFUL)
def test_wrong_traces_fail_where_they_say(style, wrong):
    for seed, puzzle in enumerate(PUZZLES):
        trace = make_trace(puzzle, style, Random(seed), wrong)
        verdicts = check(puzzle, [step.form for step in trace.steps])
        assert first_fault(verdicts) == trace.fault["step"]


# Nothing false is accepted: random steps, judged by brute force over all worlds of the puzzle.

people = st.integers(0, 2)
roles = st.booleans()
random_steps = st.one_of(
    st.tuples(st.just("assume"), people, roles),
    st.tuples(
        st.just("infer"),
        people,
        roles,
        people,
        st.lists(st.tuples(people, roles).map(list), max_size=2),
    ),
    st.tuples(st.sampled_from(["contradiction", "check", "must"]), people, roles),
    st.tuples(st.just("back"), people),
    st.just(("placed",)),
    st.tuples(st.just("conclude"), st.lists(roles, min_size=3, max_size=3)),
).map(list)


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 40), steps=st.lists(random_steps, min_size=10, max_size=40))
def test_whatever_is_accepted_is_true(seed, steps):
    """What is known holds in every solution that keeps the open assumptions."""
    puzzle = random_puzzle(seed, 3)
    checker, assumed = Checker(puzzle), []
    for form in steps:
        ok, reason = checker.step(form)
        assert (reason == "") == ok
        if not ok:
            continue
        if form[0] == "assume":
            if assumed and assumed[-1][0] == form[1]:
                assumed.pop()
            assumed.append((form[1], form[2]))
        elif form[0] in ("back", "must"):
            assert assumed.pop()[0] == form[1]
        keeps = all(puzzle.solution[p] == role for p, role in assumed)
        if form[0] == "contradiction":
            assert not keeps
        if keeps:
            assert not checker.failed
            assert all(puzzle.solution[p] == role for p, role in checker.known().items())
        if form[0] == "check" and len(checker.known()) == 3:
            world = [checker.known()[p] for p in range(3)]
            assert holds(puzzle.statements[form[1]], world) == world[form[1]]
        if form[0] == "conclude":
            assert tuple(form[1]) == puzzle.solution


@settings(deadline=None, max_examples=120)
@given(data=st.data(), seed=st.integers(0, 40))
def test_an_inference_is_valid_or_refused(data, seed):
    """From given assumptions: accepted exactly if it holds in all worlds that the premises leave."""
    puzzle = random_puzzle(seed, 4, 3)
    given = data.draw(st.dictionaries(st.integers(0, 3), roles, max_size=3))
    person = data.draw(st.sampled_from([p for p in range(4) if p not in given]))
    role, speaker = data.draw(roles), data.draw(st.integers(0, 3))
    statement = puzzle.statements[speaker]
    worlds = [[bool(w >> p & 1) for p in range(4)] for w in range(16)]
    left = [w for w in worlds if all(w[p] == r for p, r in given.items())]
    left = [w for w in left if holds(statement, w) == w[speaker]]
    valid = left != [] and all(w[person] == role for w in left)
    checker = Checker(puzzle)
    for p, r in given.items():
        assert checker.step(["assume", p, r]).ok
    form = ["infer", person, role, speaker, [[p, r] for p, r in given.items()]]
    assert checker.step(form).ok is valid


# Single steps and why they are wrong. Ava: "Ben is a knave." Ben: "Ava and Ben are knaves."

DUO = Puzzle(
    ["Ava", "Ben"],
    (("knave", 1), ("and", ("knave", 0), ("knave", 1))),
    (True, False),
    find_roles(),
)
BEN_LIES = ["infer", 1, False, 1, []]
T, F = True, False


@pytest.mark.parametrize(
    ("forms", "reason"),
    [
        ([["assume", 0, T], ["assume", 0, F]], "known"),
        ([BEN_LIES, BEN_LIES], "known"),
        ([["infer", 0, T, 0, [[1, F]]]], "unknown"),
        ([["assume", 1, T], ["infer", 0, T, 0, [[1, F]]]], "unknown"),
        ([["infer", 0, T, 0, []]], "does-not-follow"),
        ([["infer", 1, T, 1, []]], "does-not-follow"),
        ([["assume", 0, T], ["must", 0, F]], "not-refuted"),
        ([["back", 0]], "not-refuted"),
        ([["assume", 1, T], ["contradiction", 1, T]], "no-contradiction"),
        ([["contradiction", 1, F]], "unknown"),
        ([["assume", 1, T], ["contradiction", 1, F], ["fits"]], "not-dealt-with"),
        ([["assume", 1, T], ["contradiction", 1, F], ["must", 1, T]], "does-not-follow"),
        ([["assume", 1, T], ["contradiction", 1, F], ["must", 0, F]], "not-open"),
        ([["assume", 1, T], ["contradiction", 1, F], ["back", 1]], "other-role-open"),
        ([["assume", 1, T], ["contradiction", 1, F], ["assume", 1, T]], "refuted-before"),
        ([["assume", 1, T], ["contradiction", 1, F], ["conclude", [T, F]]], "unchecked"),
        ([["assume", 1, T], ["fits"]], "contradicted"),
        ([["placed"]], "unknown"),
        ([["check", 0, T]], "unknown"),
        ([["assume", 0, T], ["assume", 1, T], ["check", 0, T]], "wrong-value"),
        ([["assume", 0, T], ["assume", 1, F], ["conclude", [T, F]]], "unchecked"),
        ([["conclude", [T, F]]], "unchecked"),
        ([["try", [T, T], 0, [T], F]], "wrong-value"),
        ([["try", [T, T], 0, [F], T]], "wrong-value"),
        ([["try", [T, F], 1, [F, T, T], T]], "wrong-value"),
        ([["try", [T, F], 1, [F, T, F], T], ["try", [T, T], 0, [F], F]], "left-open"),
        ([["try", [T, T], 0, [F], F], ["try", [T, T], 1, [F, F, F], F]], "refuted-before"),
        ([["try", [T, F], 1, [F, T, F], T], ["conclude", [T, F]]], "unchecked"),
        ([["assume", 1, T], ["infer", 0, T, 1, [[1, T]]]], "does-not-follow"),
        ([["assume", 0, F], ["assume", 1, F], ["check", 0, T]], "wrong-value"),
        ([["assume", 0, T], ["assume", 1, F], ["contradiction", 0, T]], "no-contradiction"),
        ([["try", [F, T], 0, [F], T], ["try", [F, T], 1, [T, F, F], F],
          ["try", [T, F], 1, [F, T, F], T], ["conclude", [T, F]]], "unchecked"),
        ([["guess"]], "guess"),
        ([["garbled"]], "garbled"),
        ([["assume", 2, T]], "malformed"),
        ([["assume", -1, T]], "malformed"),
        ([["assume", T, T]], "malformed"),
        ([["assume", 0, 1]], "malformed"),
        ([["infer", 1, F, 1, [[0]]]], "malformed"),
        ([["conclude", [T]]], "malformed"),
        ([["dream"]], "malformed"),
        ([[]], "malformed"),
        (["assume"], "malformed"),
        ([BEN_LIES, ["infer", 0, T, 0, [[1, F]]], ["conclude", [T, F]], ["note"]],
         "after-conclusion"),
    ],
)  # fmt: skip
def test_reasons(forms, reason):
    *before, last = check(DUO, forms)
    assert all(verdict.ok for verdict in before)
    assert last == (False, reason)
    assert reason in REASONS


def test_a_check_ends_with_the_assumption_under_which_it_was_made():
    """Ava: "I am a knight." Ben: "Ava is a knight and I am a knave.\""""
    said = (("knight", 0), ("and", ("knight", 0), ("knave", 1)))
    puzzle = Puzzle(["Ava", "Ben"], said, (False, False), find_roles())
    forms = [
        ["assume", 0, T],
        ["check", 0, T],
        ["assume", 1, T],
        ["contradiction", 1, F],
        ["assume", 1, F],
        ["contradiction", 1, T],
        ["back", 1],
        ["assume", 0, F],
        ["assume", 1, F],
        ["check", 1, F],
    ]
    stale = check(puzzle, [*forms, ["conclude", [F, F]]])
    assert first_fault(stale) == len(forms)
    assert stale[-1].reason == "unchecked"
    assert first_fault(check(puzzle, [*forms, ["check", 0, F], ["conclude", [F, F]]])) is None


def test_nothing_is_concluded_where_no_world_fits():
    """Ava: "Ben is a knight." Ben: "Ava is a knave.\""""
    puzzle = Puzzle(["Ava", "Ben"], (("knight", 1), ("knave", 0)), (False, False), find_roles())
    forms = [
        ["assume", 0, T],
        ["infer", 1, T, 0, [[0, T]]],
        ["contradiction", 1, F],
        ["must", 0, F],
        ["infer", 1, F, 0, [[0, F]]],
        ["contradiction", 1, T],
        ["conclude", [F, F]],
    ]
    assert [v.ok for v in check(puzzle, forms)] == [True] * 6 + [False]


def test_what_does_not_stand_on_a_wrong_step_is_judged_by_itself():
    forms = [["infer", 0, F, 0, []], BEN_LIES, ["infer", 0, T, 0, [[1, F]]], ["conclude", [T, F]]]
    assert [v.ok for v in check(DUO, forms)] == [False, True, True, True]
    forms[1] = ["infer", 1, T, 1, []]
    assert [v.ok for v in check(DUO, forms)] == [False, False, False, False]


def test_what_is_not_read_or_too_wide_is_not_judged():
    assert check(DUO, [None, BEN_LIES])[0] == (None, "unread")
    wide = tuple(("and", *[("knight", i) for i in range(25)]) for _ in range(25))
    puzzle = Puzzle([f"P{i}" for i in range(25)], wide, (True,) * 25, find_roles())
    assert check(puzzle, [["infer", 1, T, 0, []]]) == [(None, "too-wide")]


# Reading texts


@pytest.mark.parametrize("wrong", [None, *WRONG])
@pytest.mark.parametrize("style", CAREFUL)
def test_texts_are_read_back_as_their_steps(style, wrong):
    tellings = [("knight/knave", NAMES), ("骑士/无赖", ZH_NAMES)]
    odd = ["A. B.", "Ann", "Ann-Lee", "D(x)", "O'Neil", "Zoë"]  # some the beginning of others
    tellings.append(("angel/devil", odd))
    for seed in range(25):
        for words, names in tellings:
            puzzle = random_puzzle(seed, 4, 3, words, names)
            trace = make_trace(puzzle, style, Random(seed), wrong)
            assert read_steps(trace.reasoning, puzzle) == [step.form for step in trace.steps]


def test_hasty_texts_are_read_back():
    for seed, puzzle in enumerate(PUZZLES):
        trace = make_trace(puzzle, "hasty", Random(seed))
        assert read_steps(trace.reasoning, puzzle) == [step.form for step in trace.steps]


@pytest.mark.parametrize(
    ("line", "form"),
    [
        ("So Ava must be a knight.", ["must", 0, T]),
        ("  Suppose Ben is a knave. ", ["assume", 1, F]),
        ("With Ben a knave, it is true that Ben is a knave; so Ava, who says it, is a knight.",
         ["infer", 0, T, 0, [[1, F]]]),
        # another statement than Ava's, a role that does not go with its truth, a wrong "who"
        ("With Ben a knave, it is true that Ben is a knight; so Ava, who says it, is a knight.",
         ["garbled"]),
        ("Ava, a knave, says that Ben is a knave: true, as it should be.", ["garbled"]),
        ("As Ava is a knight, it is false that Ben is a knave; so Ben is a knave.", ["garbled"]),
        ("So Ava is a knight.", ["garbled"]),
        ("So Ben is a knave and Ava is a knight.", ["garbled"]),
        ("try Ava_honest Ben_honest ; Ava says Ben honest knave no , Ava honest bad .",
         ["try", [T, T], 0, [F], F]),
        ("try Ava_honest Ben_honest ; Ava says Ben liar knave yes , Ava honest ok .", ["garbled"]),
        ("try Ava_honest ; Ava says Ben honest knave no , Ava honest bad .", ["garbled"]),
        ("try Ava_honest Ben_honest ; Ava says Ben honest knight yes , Ava honest ok .",
         ["garbled"]),
        ("so Ava_honest Ben_liar", ["conclude", [T, F]]),
        ("so Ben_liar", None),
        ("So Cleo must be a knight.", None),
        ("So Ava must be a spy.", None),
        ("So we see that Ava is a knight.", None),
        ("Hmm, wait.", None),
        ("guess", ["guess"]),
    ],
)  # fmt: skip
def test_single_lines(line, form):
    assert read_steps(line, DUO) == [form]


@settings(deadline=None, max_examples=150)
@given(data=st.data(), style=st.sampled_from(CAREFUL))
def test_damaged_texts_never_crash_and_never_read_as_something_else(data, style):
    """A line with one word changed tells its own form, or is garbled, or is not read."""
    puzzle = random_puzzle(data.draw(st.integers(0, 30)), 3)
    lines = make_trace(puzzle, style, Random(0)).reasoning.splitlines()
    line = data.draw(st.sampled_from(lines))
    words = line.split(" ")
    at = data.draw(st.integers(0, len(words) - 1))
    words[at] = data.draw(st.sampled_from([*" ".join(lines).split(" "), "", "?", "(", "\\"]))
    damaged = " ".join(words)
    forms = read_steps(damaged, puzzle)
    check(puzzle, forms)
    for form in forms:
        if form not in (None, ["garbled"]):
            assert damaged.strip() in {tell(puzzle, s, form) for s in STYLES} | {
                damaged.strip().replace("try", "with"), damaged.strip().replace("with", "try"),
            }  # fmt: skip


@settings(deadline=None)
@given(text=st.text())
def test_any_text_can_be_tried(text):
    forms = read_steps(text, DUO)
    assert len(check(DUO, forms)) == len(forms)


@pytest.mark.parametrize("again", [" is a knight", ", ", "; with ", "; so ", "Ava a knight and "])
def test_hostile_lines_take_no_time(again):
    line = "As Ava is a knight, it is true that Ben is a knave"
    assert ends_soon(lambda: read_steps(line + again * (18_000 // len(again)), DUO), 2)
    assert read_steps(line + again * (18_000 // len(again)), DUO) == [None]
    assert read_steps(line * 10**5, DUO) == [None]


def test_solutions_are_what_these_tests_say():
    assert brute_solutions(DUO.statements) == {DUO.solution}
