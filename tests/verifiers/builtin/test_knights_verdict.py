"""The knights verdict: properties over layouts and names, where the answer is, bad records, speed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.errors import DataError, UsageError
from swr1.verifiers.builtin.knights import GRADERS, verify
from tests.timing import ends_soon

ROLES = ("knight", "knave")
NAMES = [
    "Zoey", "Oliver", "Ann", "Anna", "Anna-Maria", "Mary Ann", "José", "Zoë", "O'Brien", "Dr. Who",
    "佐伊", "奥利弗", "Зоя", "民준", "A", "Will", "May", "Sage", "Ißa", "van der Berg",
]  # fmt: skip


def record(completion, answer, **more):
    return {"id": "x", "completion": completion, "answer": [list(p) for p in answer], **more}


def answered(text, answer, **options):
    return verify(record(f"<think>hm</think>\n<answer>{text}</answer>", answer), **options)


def other(role):
    return ROLES[1 - ROLES.index(role)]


def grouped(people, knights, knaves, joint):
    groups = [
        (title, [n for n, r in people if r == role])
        for title, role in ((knights, "knight"), (knaves, "knave"))
    ]
    return "\n".join(f"{title}{joint.join(names)}" for title, names in groups if names)


def by_subject(people):
    """Zoey, Ava and Leo are knights; Mia is a knave."""
    clauses = []
    for role in ROLES:
        names = [n for n, r in people if r == role]
        if len(names) > 1:
            clauses.append(f"{', '.join(names[:-1])} and {names[-1]} are {role}s")
        elif names:
            clauses.append(f"{names[0]} is a {role}")
    return "; ".join(clauses) + "."


LAYOUTS = [
    lambda p: "\n".join(f"({i}) {n} is a {r}" for i, (n, r) in enumerate(p, 1)),
    lambda p: " ".join(f"( {i} ) {n} is a {r}" for i, (n, r) in enumerate(p, 1)),
    lambda p: "\n".join(f"{i}. **{n}**: {r.title()}" for i, (n, r) in enumerate(p, 1)),
    lambda p: ", ".join(f"{n} is {r}" for n, r in p),
    lambda p: ", and ".join(f"{n} isn't a {other(r)}" for n, r in p),
    lambda p: ". ".join(f"{n} is not a {other(r)} but a {r}" for n, r in p) + ".",
    lambda p: "; ".join(f"{n} = {r}" for n, r in p),
    lambda p: "{" + ", ".join(f'"{n}": "{r}"' for n, r in p) + "}",
    lambda p: "[" + ", ".join(f'{{"name": "{n}", "role": "{r}"}}' for n, r in p) + "]",
    lambda p: "[" + ", ".join(f'{{"role": "{r}", "name": "{n}"}}' for n, r in p) + "]",
    lambda p: "| Name | Role |\n|---|---|\n" + "\n".join(f"| {n} | {r} |" for n, r in p),
    lambda p: "\n\n".join(f"### {n}\n\n*{r}*" for n, r in p),
    lambda p: grouped(p, "Knights: ", "Knaves: ", ", "),
    lambda p: grouped(p, "## Knights\n- ", "## Knaves\n- ", "\n- "),
    by_subject,
    lambda p: ", ".join(n for n, _ in p) + ": " + ", ".join(r for _, r in p),
    lambda p: " and ".join(n for n, _ in p) + " are " + " and ".join(r for _, r in p) + ", respectively",
    lambda p: "，".join(f"{n}是{'骑士' if r == 'knight' else '无赖'}" for n, r in p) + "。",
    lambda p: "$" + " \\\\ ".join(rf"\text{{{n}}} = \textbf{{{r}}}" for n, r in p) + "$",
    lambda p: f"{p[0][0]} is a {p[0][1]}." + "".join(f" And {n} is a {r}." for n, r in p[1:])
    + f"\nSo there are {sum(r == 'knight' for _, r in p)} knights and some knaves.",
]  # fmt: skip

people = st.lists(st.sampled_from(NAMES), min_size=2, max_size=7, unique=True).flatmap(
    lambda names: st.tuples(*(st.tuples(st.just(n), st.sampled_from(ROLES)) for n in names))
)


@given(people, st.sampled_from(range(len(LAYOUTS))), st.data())
@settings(max_examples=600, deadline=None)
def test_every_layout_reads_back_and_a_flipped_role_is_wrong(solution, layout, data):
    text = LAYOUTS[layout](list(solution))
    verdict = answered(text, solution)
    assert verdict["label"] == "correct", (text, verdict)
    assert verdict["detail"]["right"] == len(solution)
    at = data.draw(st.integers(0, len(solution) - 1))
    flipped = list(solution)
    flipped[at] = (flipped[at][0], other(flipped[at][1]))
    verdict = answered(text, flipped)
    assert verdict["label"] == "wrong", (text, verdict)
    assert verdict["detail"]["right"] == len(solution) - 1


@given(people, st.sampled_from(range(len(LAYOUTS))), st.data())
@settings(max_examples=200, deadline=None)
def test_a_missing_person_or_two_layouts_that_differ_are_unreadable(solution, layout, data):
    at = data.draw(st.integers(0, len(solution) - 1))
    fewer = list(solution[:at] + solution[at + 1 :])
    assert answered(LAYOUTS[layout](fewer), solution)["label"] == "unreadable"
    flipped = list(solution)
    flipped[at] = (flipped[at][0], other(flipped[at][1]))
    both = LAYOUTS[layout](list(solution)) + "\n\n" + LAYOUTS[0](flipped)
    assert answered(both, solution)["detail"]["reason"] in ("contradiction", "unclear")


WORDS = """Zoey Oliver knight knights knave is are a the and or not isn't neither all others both
: , . ? ; ( ) { } [ ] | - -> if says there 2 one Bob false respectively <answer> </answer> <br> \\text{
骑士 是 不 都 佐伊 ' " ** <b> she"""
words = st.sampled_from([*WORDS.split(), "\n"])


@given(st.one_of(st.text(max_size=300), st.lists(words, max_size=60).map(" ".join)), st.booleans())
@settings(max_examples=600, deadline=None)
def test_any_text_gets_a_verdict(text, tagged):
    completion = f"<answer>{text}</answer>" if tagged else text
    for grader in GRADERS:
        verdict = verify(record(completion, [("Zoey", "knight"), ("佐伊", "knave")]), grader=grader)
        assert verdict["label"] in ("correct", "wrong", "unreadable")
        assert (verdict["detail"]["reason"] is None) == (verdict["label"] != "unreadable")


GOOD = "Zoey is a knight, Ava is a knave"
SOLUTION = [("Zoey", "knight"), ("Ava", "knave")]
PLACES = [
    (f"<think>hm</think><answer>{GOOD}</answer>", "correct"),
    (f"<think>hm</think><answer>{GOOD}", "unclosed"),
    (f"<think>hm</think>{GOOD}", "no-answer"),
    (f"<answer>Zoey is a knave, Ava is a knave</answer> no: <answer>{GOOD}</answer>", "correct"),
    (f"<answer>{GOOD}</answer><answer>Zoey is a knave</answer>", "missing"),
    (f"<answer>{GOOD}</answer><answer>", "correct"),  # the last that is closed
    (f"<answer>{GOOD}</answer> (in `<answer>` tags)\n<answer> </answer>", "correct"),
    (f"<ANSWER>{GOOD}</ANSWER>", "correct"),
    (f"<Think>hm</think ><answer >{GOOD}</ Answer>", "correct"),
    (f"<answer><answer>{GOOD}</answer></answer>", "correct"),
    (f"<answer>Zoey is a knave<answer>{GOOD}</answer>", "correct"),
    (f"<think><answer>{GOOD}</answer></think>", "no-answer"),
    (f"<answer>{GOOD}</answer></think>", "no-answer"),  # <think> stood in the prompt
    (f"<THINK><answer>{GOOD}</answer></THINK >", "no-answer"),
    (f"<answer>{GOOD}</answer><think>no, Zoey is a knave</think>", "no-answer"),
    (f"<think>perhaps <answer>{GOOD}</answer>", "thinking-unclosed"),
    (f"< Think >perhaps <answer>{GOOD}</answer>", "thinking-unclosed"),
    (f"<think>a</think>b<think>perhaps <answer>{GOOD}</answer>", "no-answer"),
    (f"<think>a</think><answer>{GOOD}</answer><think>or", "correct"),
    (f"<think>a</think><answer>{GOOD}</answer></think>\n</think>", "correct"),  # closes nothing
    ("<answer></answer>", "empty"),
    ("", "no-answer"),
]


@pytest.mark.parametrize(("completion", "expected"), PLACES)
def test_only_the_last_answer_counts(completion, expected):
    verdict = verify(record(completion, SOLUTION))
    assert expected in (verdict["label"], verdict["detail"]["reason"])


def test_untagged_answers_are_read_only_when_asked_for():
    bare = record(f"Zoey is a knave I think</think>\n{GOOD}", SOLUTION)
    assert verify(bare)["detail"]["reason"] == "no-answer"
    assert verify(bare, require_tags=False)["label"] == "correct"


def test_the_prefill_is_part_of_the_text():
    cut = record(f"{GOOD}</answer>", SOLUTION, generation={"prefill": "<answer>"})
    assert verify(cut)["label"] == "correct"
    assert verify(record(f"{GOOD}</answer>", SOLUTION), prefill="<answer>")["label"] == "correct"


def test_a_completion_cut_by_length_says_so():
    cut = record("<answer>Zoey", SOLUTION, generation={"finish_reason": "length"})
    assert verify(cut)["detail"]["truncated"]


@pytest.mark.parametrize(
    "bad",
    [
        {"completion": None},
        {"answer": None},
        {"answer": []},
        {"answer": {"Zoey": "knight"}},
        {"answer": [["Zoey"]]},
        {"answer": [["Zoey", True]]},
        {"answer": [["Zoey", "wizard"]]},
        {"answer": [["Zoey", "knight"], ["zoey", "knave"]]},
        {"answer": [["?!", "knight"]]},
        {"info": {"roles": ["knight"]}},
        {"info": {"roles": ["saint", "sinner"]}},
    ],
)
def test_a_bad_record_is_an_error_that_names_it(bad):
    with pytest.raises(DataError, match="'x'"):
        verify(record("<answer></answer>", SOLUTION) | bad)


def test_a_wrong_grader_gets_a_suggestion():
    with pytest.raises(UsageError, match="Did you mean 'published'"):
        verify(record("", SOLUTION), grader="publishd")


HOSTILE = [
    "<answer>" * 12_500,
    "<answer>" + " " * 100_000 + "</answer>",
    "<answer>" + "Zoey " * 20_000 + "</answer>",
    "<answer>Zoey" + " " * 100_000 + "is a knight</answer>",
    "<answer>" + "Zoey, Ava, " * 900 + ":" + " knight, knave," * 200 + "</answer>",
    "<answer>" + "knight a a a a a a " * 500 + "</answer>",
    "<answer>" + "\\text{" * 1_600 + "</answer>",
    "<answer>" + "<b " * 3_300 + "</answer>",
    "<answer>" + "Zoey\n" * 1_900 + "</answer>",
    "<answer>" + "Zoey is a " * 900 + "</answer>",
    "<" * 100_000,
    "< " * 50_000,
]


@pytest.mark.parametrize("completion", HOSTILE, ids=lambda c: c[:20])
@pytest.mark.parametrize("grader", GRADERS)
def test_a_hostile_text_ends_soon(completion, grader):
    assert ends_soon(lambda: verify(record(completion, SOLUTION), grader=grader))


def test_an_endless_answer_is_not_read():
    verdict = answered(GOOD + " and so on" * 2_000, SOLUTION)
    assert verdict["detail"]["reason"] == "too-long"
    assert answered(GOOD + " " * 5_000, SOLUTION, max_chars=6_000)["label"] == "correct"
