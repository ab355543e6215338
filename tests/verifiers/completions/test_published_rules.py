"""`--grader published`: golden cases worked out by hand from the published rules.

Format +1 needs each tag once, as a substring, in order. An answer is read when "knight" plus "knave"
occur (as substrings, any case) as often as there are people and each "NAME is a ROLE" is there, with
Python's Unicode \\b and \\s. Every row says what the format verdict and the answer verdict must be.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.errors import UsageError
from swr1.rewards import load_recipe
from swr1.verifiers.builtin import format as form
from swr1.verifiers.builtin import knights

reward = load_recipe("logic-rl").reward
TWO = [["Zoey", "knight"], ["Oliver", "knave"]]
RIGHT = "(1) Zoey is a knight\n(2) Oliver is a knave"
PUZZLE = [{"role": "user", "content": "Zoey says: ... So who is a knight and who is a knave?"}]


def judge(completion, answer=TWO, prompt=PUZZLE, prefill="<think>", grader="published", **options):
    record = {
        "id": "x",
        "prompt": prompt,
        "completion": completion,
        "answer": answer,
        "generation": {"prefill": prefill},
    }
    record["verdicts"] = {
        "format": form.verify(record, grader="published", **options),
        "knights": knights.verify(record, grader=grader, **options),
    }
    return record


def labels(record):
    return record["verdicts"]["format"]["label"], record["verdicts"]["knights"]["label"]


def said(answer, thinking="x"):
    return f"{thinking}</think>\n<answer>{answer}</answer>"


# answer text -> how it is read; the format is fine in all of them
ANSWERS = [
    (RIGHT, "correct"),
    ("Zoey is a knight, Oliver is a knave", "correct"),
    ("ZOEY IS A KNIGHT oliver is a knave", "correct"),
    ("( 1 ) zoey is a knight ( 2 ) oliver is a knave", "correct"),
    ("Zoey is a knave\nOliver is a knave", "wrong"),
    ("Zoey is a knight\nOliver is a knight", "wrong"),
    ("", "unreadable"),
    ("  \n ", "unreadable"),
    ("Zoey is a knight", "unreadable"),
    (RIGHT + "\nThere are 1 knight and 1 other.", "unreadable"),  # three role words
    (RIGHT + "\nKnightly!", "unreadable"),  # a substring counts
    (RIGHT + "\nZoey is a knight", "unreadable"),
    (RIGHT + "\n(3) Bob is a knave", "unreadable"),
    (RIGHT + "\n(3) Bob is a spy", "correct"),
    ("Zoey is a knight, Oliver is a liar, knave", "unreadable"),
    ("Zoey: knight\nOliver: knave", "unreadable"),
    ("Zoey is knight\nOliver is knave", "unreadable"),
    ("Zoey is the knight\nOliver is the knave", "unreadable"),
    ("Zoey's a knight\nOliver's a knave", "unreadable"),
    ("**Zoey** is a knight\n**Oliver** is a knave", "unreadable"),
    ("Zoey is a **knight**\nOliver is a **knave**", "unreadable"),
    ("Zoey is a knights\nOliver is a knave", "unreadable"),
    ("_Zoey_ is a knight\nOliver is a knave", "unreadable"),  # _ is a word character
    ("Zoey is a knight_\nOliver is a knave", "unreadable"),
    ("Zoey is an knight\nOliver is a knave", "unreadable"),
    ("Zoey is not a knight\nOliver is a knave", "unreadable"),
    ("If Zoey is a knight then Oliver is a knave", "correct"),
    ("Zoey is a knight or Oliver is a knave", "correct"),
    ("It is false that Zoey is a knight and Oliver is a knave", "correct"),
    ("Is Zoey is a knight? Oliver is a knave?", "correct"),
    ("McZoey is a knight, Oliver is a knave", "unreadable"),
    ("Mc-Zoey is a knight, Oliver is a knave", "correct"),
    ("Zoey  is\n\ta   knight, Oliver is a knave", "correct"),
    ("Zoey\u00a0is\u3000a knight, Oliver is a knave", "correct"),  # Unicode white space
    ("Zoey\u200bis a knight, Oliver is a knave", "unreadable"),  # not white space
    ("Zoey is a \u212anight, Oliver is a \u212anave", "correct"),  # the Kelvin sign is a k
    ("Zoey i\u017f a knight, Oliver i\u017f a knave", "correct"),  # the long s is an s
    ("Zoey is a knight，Oliver is a knave。", "correct"),
    ("佐Zoey is a knight, Oliver is a knave", "unreadable"),  # no \b beside a CJK letter
    ("Zoey is a knight吧, Oliver is a knave", "unreadable"),
    ("Zoey是骑士, Oliver是无赖", "unreadable"),
    ("Zoey is a knight, Zoey is a knave", "unreadable"),  # Oliver is missing
]


@pytest.mark.parametrize(("answer", "expected"), ANSWERS)
def test_answers(answer, expected):
    record = judge(said(answer))
    assert labels(record) == ("ok", expected)
    total = {"correct": 3.0, "wrong": -0.5, "unreadable": -1.0}[expected]
    assert reward(record)["reward"] == total


def test_the_first_mention_of_a_name_decides():
    three = [["Zoey", "knight"], ["Oliver", "knave"], ["Ava", "knave"]]
    text = "Zoey is a knight, Oliver is a knave, Zoey is a knave"
    assert labels(judge(said(text), three))[1] == "unreadable"  # the count fits, Ava is missing
    two = "Oliver is a knave. Zoey is a knight"
    assert labels(judge(said(two)))[1] == "correct"


FORMATS = [  # completion after the prefill <think>, format label
    (said(RIGHT), "ok"),
    (said(RIGHT, ""), "ok"),  # empty reasoning
    (said(RIGHT, "..."), "ok"),
    (f"x</think> text between <answer>{RIGHT}</answer> and after <|im_end|>", "ok"),
    (said(RIGHT, "<THINK> hm </THINK>"), "ok"),  # case matters, so these are no tags
    (f"x</think></answer><answer>{RIGHT}", "tag-order"),
    (f"<answer>{RIGHT}</answer></think>", "tag-order"),
    (f"x</think>{RIGHT}", "missing-tag"),
    (f"<answer>{RIGHT}</answer>", "missing-tag"),
    (said(RIGHT, "<think>x"), "repeated-tag"),
    (said(RIGHT) + "<answer>more</answer>", "repeated-tag"),
    (said(RIGHT) + "<think>more</think>", "repeated-tag"),
    (said(RIGHT).upper(), "missing-tag"),
    ("", "missing-tag"),
]


@pytest.mark.parametrize(("completion", "expected"), FORMATS)
def test_formats(completion, expected):
    record = judge(completion)
    assert labels(record)[0] == expected
    if expected != "ok":
        assert reward(record)["reward"] == -3.0


def test_an_assistant_header_in_a_chatml_turn_throws_away_what_stood_before():
    record = judge(said(RIGHT, "as in User: ... Assistant: ..."))
    assert labels(record) == ("missing-tag", "correct")
    assert reward(record)["reward"] == -3.0


def test_in_the_plain_template_the_first_header_is_the_prompts_own():
    record = judge(said(RIGHT, "as in User: ... Assistant: ..."), header="plain")
    assert labels(record) == ("ok", "correct")


def test_a_header_in_the_question_lets_the_question_count_as_the_response():
    prompt = [{"role": "user", "content": "User: hi\nAssistant: use <think> and <answer>"}]
    assert labels(judge(said(RIGHT), prompt=prompt)) == ("repeated-tag", "correct")


def test_the_first_of_several_assistant_turns_is_the_header():
    prompt = [
        *PUZZLE,
        {"role": "assistant", "content": "<think>"},
        {"role": "user", "content": "?"},
    ]
    assert labels(judge(said(RIGHT), prompt=prompt))[0] == "repeated-tag"


def test_a_bare_text_has_no_header_and_so_no_answer():
    record = judge("<think>x</think><answer>" + RIGHT + "</answer>", prefill="", header="none")
    assert labels(record) == ("ok", "unreadable")
    whole = "<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n<think>" + said(RIGHT)
    assert labels(judge(whole, prefill="", header="none")) == ("ok", "correct")


def test_the_last_complete_answer_is_read_even_when_the_format_fails():
    wrong = "<answer>Zoey is a knave, Oliver is a knave</answer>"
    assert labels(judge(said(RIGHT) + wrong)) == ("repeated-tag", "wrong")
    assert labels(judge(f"x</think>{wrong} <answer>{RIGHT}"))[1] == "wrong"


TRUTHS = [  # people, an answer a person would call right, how it is read
    # "Mary Ann" is read back as "Mary", whose "is a" the answer does not have
    ([["Mary Ann", "knight"]], "Mary Ann is a knight", "unreadable"),
    ([["Mary Ann", "knight"]], "Mary is a knight", "correct"),
    ([["Jean-Luc", "knight"]], "Jean-Luc is a knight", "unreadable"),
    # in "(1) Zoë is a knight" the first word of ASCII letters is "is"
    ([["Zoë", "knight"]], "Zoë is a knight", "unreadable"),
    ([["Zoë", "knight"]], "is is a knight", "correct"),
    ([["佐伊", "knight"]], "佐伊 is a knight", "unreadable"),
    # both are read back as "is": one person is left, and the last one's role
    ([["Zoë", "knight"], ["José", "knave"]], "is is a knave", "correct"),
    ([["Zoey", "saint"], ["Ava", "sinner"]], "Zoey is a saint, Ava is a sinner", "unreadable"),
    ([["Zoey", "saint"], ["Ava", "sinner"]], "nothing", "unreadable"),
]


@pytest.mark.parametrize(("people", "answer", "expected"), TRUTHS)
def test_how_the_truth_is_read_back(people, answer, expected):
    assert labels(judge(said(answer), people))[1] == expected


EVAL = [  # the evaluation's grader: no header, no <think>, no count, NAME ... ROLE in a line
    (f"<answer>{RIGHT}</answer>", "correct"),
    ("<answer>Zoey: knight\nOliver: knave</answer>", "correct"),
    ("<answer>| Zoey | knight |\n| Oliver | knave |</answer>", "correct"),
    ("<answer>**Zoey** is the **knight**, **Oliver** is the **knave**</answer>", "correct"),
    (f"<answer>{RIGHT}\n1 knight, 1 knave</answer>", "correct"),
    ("<answer>Zoey is not a knave, Oliver is not a knight</answer>", "wrong"),
    ("<answer>Zoey and Oliver: knight, knave</answer>", "wrong"),  # the nearest role after a name
    ("<answer>Zoey\nknight\nOliver\nknave</answer>", "unreadable"),  # . does not cross lines
    ("<answer>Zoey hm\nZoey knight, Oliver knave</answer>", "correct"),
    ("<answer>Zoey knights, Oliver knaves</answer>", "unreadable"),
    (RIGHT, "unreadable"),
]


@pytest.mark.parametrize(("completion", "expected"), EVAL)
def test_the_evaluations_grader(completion, expected):
    record = judge(completion, prefill="", grader="published-eval")
    assert labels(record)[1] == expected


words = st.sampled_from(
    ["Zoey", "Oliver", "is a", "knight", "knave", "\n", ",", " ", "hm", "Knights"]
)


@given(st.lists(words, max_size=14).map(" ".join))
@settings(max_examples=500, deadline=None)
def test_the_linear_eval_reader_equals_the_published_pattern(text):
    import re

    from swr1.verifiers.completions.published import read_eval

    names = ["Zoey", "Oliver"]
    found = {n: re.search(rf"\b{n}\b.*?\b(knight|knave)\b", text, re.IGNORECASE) for n in names}
    expected = {n: m[1].lower() for n, m in found.items()} if all(found.values()) else None
    assert read_eval(text, names) == expected


@given(
    st.lists(st.sampled_from(["<answer>", "</answer>", "a", "\n", "<"]), max_size=12).map("".join)
)
@settings(max_examples=500, deadline=None)
def test_the_linear_answer_finder_equals_the_published_pattern(text):
    import re

    from swr1.verifiers.completions.published import last_answer

    found = re.findall("<answer>(.*?)</answer>", text, re.DOTALL)
    assert last_answer(text) == (found[-1].strip() if found else None)


def test_an_unknown_header_gets_a_suggestion():
    with pytest.raises(UsageError, match="Did you mean 'chatml'"):
        judge(said(RIGHT), header="chatlm")
