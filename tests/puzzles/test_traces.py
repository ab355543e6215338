"""Traces end where they should, say what they mean to, and wrong ones are labelled as wrong."""

import hashlib
import re
from collections import Counter
from random import Random

import pytest

from swr1.errors import DataError, UsageError
from swr1.puzzles.case_analysis import GUESS
from swr1.puzzles.corruptions import WRONG
from swr1.puzzles.generator import generate
from swr1.puzzles.item import Puzzle, puzzle_of
from swr1.puzzles.propagation import propagate
from swr1.puzzles.roles import find_roles
from swr1.puzzles.trace_text import read_step
from swr1.puzzles.traces import (
    STYLES,
    answer_text,
    assistant_text,
    find_style,
    make_trace,
    trace_fields,
)

from .brute import brute_solutions, holds
from .random_puzzles import NAMES, ZH_NAMES, random_puzzle

CAREFUL = ["search", "propagate", "cases"]
PUZZLES = [random_puzzle(s, people, depth) for people in (2, 3, 4, 6) for depth in (2, 3)
           for s in range(25)]  # fmt: skip

# Recipes learn from these texts, byte for byte.
PINNED = {
    "cases": "95e0488b68a3f72ea7377d650ade9b8aefb0d0ab72d6641dae8a5f56e84835c2",
    "hasty": "1b202b1984200e7f275571f59643d08e49ac2bebf62f1daad85415e3cbfddb1a",
}


@pytest.mark.parametrize("style", PINNED)
def test_texts_that_recipes_learn_from_never_change(style):
    digest = hashlib.sha256()
    for people in (2, 3, 4):
        for depth in (2, 3):
            for seed in range(40):
                fields = trace_fields(random_puzzle(seed, people, depth), style, Random(seed))
                digest.update(fields["trace"].encode() + b"\0")
    assert digest.hexdigest() == PINNED[style]


@pytest.mark.parametrize("style", CAREFUL)
def test_careful_styles_end_in_the_solution(style):
    for puzzle in PUZZLES:
        trace = make_trace(puzzle, style, Random(0))
        assert trace.answer == puzzle.answer()
        assert trace.fault is None
        turn = trace_fields(puzzle, style, Random(0))["trace"]
        reasoning, answer = re.fullmatch(
            r"<think> (.+) </think>\n<answer>(.+)</answer>", turn, re.S
        ).groups()
        assert answer == answer_text(puzzle.answer(), puzzle.roles)
        assert reasoning == trace.reasoning


@pytest.mark.parametrize("style", ["search", "propagate"])
def test_large_puzzles(style):
    for record in generate(6, people="9-10", depth=3, seed=4):
        puzzle = puzzle_of(record)
        assert make_trace(puzzle, style, Random(0)).answer == puzzle.answer()


@pytest.mark.parametrize("style", CAREFUL)
def test_no_world_fits(style):
    paradox = Puzzle(["Ava"], (("knave", 0),), (True,), find_roles())
    with pytest.raises(DataError, match="no world"):
        make_trace(paradox, style, Random(0))


def test_propagation_gets_out_of_a_paradox():
    """If Ava and so Cleo tell the truth, Ben can be neither: he says then that he lies."""
    statements = (
        ("knight", 2),
        ("iff", ("knave", 1), ("and", ("knight", 0), ("knight", 2))),
        ("or", ("knave", 1), ("knight", 0)),
    )
    (only,) = brute_solutions(statements)
    trace = make_trace(Puzzle(NAMES[:3], statements, only, find_roles()), "propagate", Random(0))
    assert [step.form for step in trace.steps[2:7]] == [
        ["assume", 1, True],
        ["contradiction", 1, False],
        ["must", 1, False],
        ["contradiction", 1, True],
        ["must", 0, False],
    ]
    assert trace.steps[-1].form == ["conclude", list(only)]


def test_propagation_refuses_what_it_cannot_tabulate():
    wide = ("and", *[("knight", i) for i in range(25)])
    puzzle = Puzzle([f"P{i}" for i in range(25)], (wide,) * 25, (True,) * 25, find_roles())
    with pytest.raises(DataError, match="more than 20 people"):
        propagate(puzzle)


def test_propagation_needs_fewer_steps_than_search():
    steps = Counter()
    for puzzle in PUZZLES:
        for style in CAREFUL:
            steps[style] += len(make_trace(puzzle, style, Random(0)).steps)
    assert steps["propagate"] < 0.5 * min(steps["search"], steps["cases"])


def test_search_claims_only_real_contradictions():
    """Every contradiction named is one in all completions of the roles assumed before it."""
    named = 0
    for puzzle in PUZZLES:
        assumed, contradictions = {}, 0
        reasoning = make_trace(puzzle, "search", Random(0)).reasoning
        for line in reasoning.splitlines():
            if step := re.search(r"[Ss]uppose (\w+) is a (\w+)\.", line):
                assumed[puzzle.names.index(step[1])] = step[2] == "knight"
            elif step := re.match(r"Neither role works for (\w+)\.", line):
                del assumed[puzzle.names.index(step[1])]
            elif line.endswith("This is a contradiction."):
                contradictions += 1
                (only,) = brute_solutions(puzzle.statements)
                assert any(only[p] != role for p, role in assumed.items())
                speaker = puzzle.names.index(line.split()[0])
                assert ("would be true" in line) != assumed[speaker]
        assert tuple(assumed[i] for i in range(len(puzzle.names))) == puzzle.solution
        assert contradictions or len(re.findall("uppose", reasoning)) == len(puzzle.names)
        named += contradictions
    assert named > 100


def check_case_lines(puzzle, reasoning):
    """Recompute every verdict of a case trace from its world; the last line."""
    people = {name: i for i, name in enumerate(puzzle.names)}
    lines = reasoning.split("\n")
    for line in lines[:-1]:
        head, claim = line.split(" ; ", 1)
        world = [word.endswith("_honest") for word in head.split()[1:]]
        speaker, rest = claim.split(" says ", 1)
        person = people[speaker]
        truth = holds(puzzle.statements[person], world)
        inside, verdict = rest.rsplit(" , ", 1)
        assert verdict.split()[2] == ("ok" if truth == world[person] else "bad")
        if " = " in inside:
            assert inside.rsplit(" = ", 1)[1] == ("yes" if truth else "no")
        for name, role in re.findall(r"(\S+) (honest|liar) (?:not )?(?:knight|knave)", inside):
            assert world[people[name]] == (role == "honest")
    return lines[-1]


def test_every_line_of_a_case_trace_is_true():
    for puzzle in PUZZLES:
        last = check_case_lines(puzzle, make_trace(puzzle, "cases", Random(0)).reasoning)
        words = [
            f"{name}_{'honest' if role == 'knight' else 'liar'}" for name, role in puzzle.answer()
        ]
        assert last == f"so {' '.join(words)}"


def test_hasty_guesses_or_stops_early_and_never_misstates():
    traces = [(p, make_trace(p, "hasty", Random(seed))) for seed, p in enumerate(PUZZLES * 2)]
    guesses = [t for _, t in traces if t.reasoning == "guess"]
    assert abs(len(guesses) / len(traces) - GUESS) < 0.1
    early = 0
    for puzzle, trace in traces:
        if trace.reasoning != "guess":
            check_case_lines(puzzle, trace.reasoning)
            early += trace.answer != puzzle.answer()
            assert (trace.answer == puzzle.answer()) or trace.fault
    assert 0 < early < len(traces) - len(guesses)
    assert all(t.fault == {"kind": "hasty", "step": 0} for t in guesses)
    right = sum(trace.answer == puzzle.answer() for puzzle, trace in traces)
    assert 0.2 < right / len(traces) < 0.6


def test_answer_and_turn_layout():
    answer = [["Zoey", "angel"], ["Oliver", "devil"]]
    roles = find_roles("angel/devil")
    assert answer_text(answer, roles) == "(1) Zoey is an angel\n(2) Oliver is a devil"
    assert assistant_text("Hm.", answer, roles) == (
        "<think> Hm. </think>\n<answer>(1) Zoey is an angel\n(2) Oliver is a devil</answer>"
    )
    assert answer_text([["小明", "无赖"]], find_roles("骑士/无赖")) == "(1) 小明是无赖"


@pytest.mark.parametrize("style", ["search", "propagate"])
@pytest.mark.parametrize(("roles", "names"), [("angel/devil", NAMES), ("骑士/无赖", ZH_NAMES)])
def test_traces_use_the_words_of_the_puzzle(style, roles, names):
    for seed in range(30):
        puzzle = random_puzzle(seed, 4, 3, roles, names)
        turn = trace_fields(puzzle, style, Random(0))["trace"]
        assert not re.search(r"knight|knave|\ba angel|[{}]", turn)
        said = turn.replace("think", "").replace("answer", "")
        if roles == "骑士/无赖":
            assert not re.search("[A-Za-z]", said)
        for name, role in puzzle.answer():
            assert any(name in line and role in line for line in turn.splitlines()[-4:])


def test_flipped_roles_swap_the_words_only():
    puzzle = random_puzzle(3, 4, 2)
    flipped = random_puzzle(3, 4, 2, "knave/knight")
    other = {"knight": "knave", "knave": "knight"}
    for style in ("search", "propagate"):
        text = make_trace(puzzle, style, Random(0)).reasoning
        swapped = make_trace(flipped, style, Random(0)).reasoning
        assert re.sub("knight|knave", lambda m: other[m[0]], text) == swapped


# Wrong reasoning


def lines_of(trace):
    return [step.text for step in trace.steps]


@pytest.mark.parametrize("style", CAREFUL)
def test_wrong_answers_keep_the_reasoning(style):
    for seed, puzzle in enumerate(PUZZLES[::4]):
        wrong = make_trace(puzzle, style, Random(seed), "answer")
        assert lines_of(wrong) == lines_of(make_trace(puzzle, style, Random(seed)))
        assert wrong.answer != puzzle.answer()
        assert [name for name, _ in wrong.answer] == puzzle.names
        assert wrong.fault == {"kind": "answer", "step": len(wrong.steps)}


@pytest.mark.parametrize("style", CAREFUL)
def test_shuffled_steps_are_the_same_steps(style):
    for seed, puzzle in enumerate(PUZZLES[::4]):
        wrong = make_trace(puzzle, style, Random(seed), "shuffled")
        right = lines_of(make_trace(puzzle, style, Random(seed)))
        assert lines_of(wrong) != right
        assert sorted(lines_of(wrong)) == sorted(right)
        assert wrong.answer == puzzle.answer()


@pytest.mark.parametrize("style", CAREFUL)
def test_one_step_is_replaced_by_one_of_its_kind(style):
    kinds = Counter()
    for seed, puzzle in enumerate(PUZZLES):
        wrong = make_trace(puzzle, style, Random(seed), "replaced")
        right = make_trace(puzzle, style, Random(seed))
        changed = [k for k, pair in enumerate(zip(wrong.steps, right.steps, strict=True))
                   if pair[0] != pair[1]]  # fmt: skip
        assert changed == [wrong.fault["step"]]
        kind = wrong.steps[changed[0]].form[0]
        assert right.steps[changed[0]].form[0] == kind
        assert (wrong.answer == puzzle.answer()) == (kind != "conclude")
        kinds[kind] += 1
    expected = {
        "search": {"contradiction", "check", "conclude"},
        "propagate": {"infer", "contradiction", "must", "conclude"},
        "cases": {"try", "conclude"},
    }
    assert expected[style] <= set(kinds)


@pytest.mark.parametrize("style", CAREFUL)
def test_early_ones_stop_and_answer_what_they_have(style):
    lengths, right_by_luck = set(), 0
    for seed, puzzle in enumerate(PUZZLES):
        wrong = make_trace(puzzle, style, Random(seed), "early")
        right = make_trace(puzzle, style, Random(seed))
        assert lines_of(wrong)[:-1] == lines_of(right)[: len(wrong.steps) - 1]
        assert len(wrong.steps) <= len(right.steps)
        assert wrong.fault == {"kind": "early", "step": len(wrong.steps) - 1}
        assert wrong.answer == puzzle.answer(wrong.steps[-1].form[1])
        right_by_luck += wrong.answer == puzzle.answer()
        lengths.add(len(wrong.steps))
    assert len(lengths) > 5
    assert 0 < right_by_luck < len(PUZZLES)


@pytest.mark.parametrize("wrong", [None, *WRONG])
def test_fields(wrong):
    puzzle = PUZZLES[60]
    fields = trace_fields(puzzle, "propagate", Random(1), wrong, steps=True)
    slim = trace_fields(puzzle, "propagate", Random(1), wrong)
    steps = fields.pop("steps")
    assert fields == slim
    assert fields["trace_style"] == "propagate"
    assert "\n".join(s["text"] for s in steps) in fields["trace"]
    assert answer_text(fields["trace_answer"], puzzle.roles) in fields["trace"]
    if wrong is None:
        assert fields["trace_fault"] is None
    first_wrong = [s["ok"] for s in steps].index(False) if wrong not in (None, "answer") else None
    if first_wrong is not None:
        assert fields["trace_fault"] == {"kind": wrong, "step": first_wrong}
    else:
        assert all(s["ok"] for s in steps)


def test_unknown_words_are_refused():
    with pytest.raises(UsageError, match="Did you mean 'hasty'"):
        find_style("hastily")
    with pytest.raises(UsageError, match="Did you mean 'shuffled'"):
        trace_fields(PUZZLES[0], "search", Random(0), "shuffle")
    with pytest.raises(UsageError, match="its own mistakes"):
        trace_fields(PUZZLES[0], "hasty", Random(0), "answer")


# The generator's traces


@pytest.mark.parametrize("style", STYLES)
def test_styles_answer_for_everybody_in_order(style):
    for r in generate(60, (2, 5), trace=style, seed=1):
        lines = r["info"]["trace"].rpartition("<answer>")[2].removesuffix("</answer>").splitlines()
        assert [line.split()[1] for line in lines] == r["info"]["names"]


def test_retelling_changes_the_people_and_nothing_else():
    once = list(generate(40, people=(2, 3), seed=3, names="few"))
    often = list(generate(200, people=(2, 3), seed=3, names="few", retell=5))
    for i, record in enumerate(often):
        size, turn = i % 2, i // 2
        assert record["info"]["statements"] == once[2 * (turn // 5) + size]["info"]["statements"]
    assert len({r["prompt"][0]["content"] for r in often}) == 200
    assert list(generate(7, people=(2, 3), seed=3, names="few", retell=5, start=33)) == often[33:40]


def test_retelling_has_an_end():
    with pytest.raises(UsageError, match="from 1 to 56"):
        generate(10, people=2, names="few", retell=57)
    with pytest.raises(UsageError, match=r"only 399 puzzles .*each 56 times"):
        generate(399 * 56 + 1, people=2, names="few", retell=56)
    last = list(generate(3, people=2, names="few", retell=56, start=399 * 56 - 3))
    assert len(last) == 3


def test_case_steps_are_read_as_a_tokenizer_of_words_writes_them():
    """It decodes " ok ." as " ok.": what a policy writes itself is read like the trace it learned."""
    from swr1.training.init import make_tokenizer

    for puzzle in PUZZLES[:100:5]:
        turn = trace_fields(puzzle, "cases", Random(1))["trace"]
        lines = turn.partition("</think>")[0].removeprefix("<think>").strip().splitlines()
        tokenizer = make_tokenizer("word", [turn], None)
        decoded = tokenizer.decode(tokenizer("\n".join(lines))["input_ids"]).splitlines()
        assert decoded != lines
        forms = [read_step(line, puzzle) for line in lines]
        assert [read_step(line.strip(), puzzle) for line in decoded] == forms and forms[0][
            0
        ] == "try"
