"""The verdict on multiple choice: one letter, or one option's text; two are none."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import DataError
from swr1.verifiers.builtin.choice import verify
from tests.timing import ends_soon

CITIES = ["Rome", "Berlin", "Paris", "The Hague"]


def judge(completion, answer="C", choices=CITIES, **options):
    record = {"id": "x", "task": "choice", "answer": answer, "completion": completion}
    return verify(record | {"info": {"choices": choices}}, **options)


RIGHT = [
    "C",
    "c",
    "(C)",
    "[C]",
    "C.",
    "**C**",
    "`C`",
    "$C$",
    r"\text{C}",
    "C. Paris",
    "C) Paris",
    "(C) Paris",
    "C: Paris",
    "C、巴黎",
    "C, the capital of France",
    "Option C",
    "option (C)",
    "Choice C.",
    "选C",
    "选项C",
    "选择 C。",
    "答案是C",
    "答案：C",
    "（C）",
    "Paris",
    "paris",
    "Paris.",
    "**Paris**",
    "The answer is C",
    "The answer is Paris",
    "Answer: C",
]
WRONG = [  # text, reason
    ("A", None),
    ("Rome", None),
    ("A or C", "several"),
    ("C or A", "several"),
    ("C and A", "several"),
    ("A, C", "several"),
    ("C, A", "several"),
    ("A/C", "several"),
    ("C; A", "several"),
    ("A, B, C, D", "several"),
    ("A. B. C. D.", "several"),
    ("C (or A)", "several"),
    ("B (not C)", None),
    ("Rome or Paris", "no-option"),
    ("Rome, Berlin, Paris, The Hague", "no-option"),
    ("C. Rome", "mismatch"),
    ("C, or perhaps Rome", "mismatch"),
    ("A. Paris", "mismatch"),
    ("E", "no-option"),
    ("AC", "no-option"),
    ("Lyon", "no-option"),
    ("Paris, France", "no-option"),
    ("all of them", "no-option"),
    ("?", "no-option"),
    ("C or 甲", "no-option"),
]


@pytest.mark.parametrize("said", RIGHT)
def test_what_chooses_the_right_option(said):
    assert judge(f"<think>A?</think><answer>{said}</answer>")["label"] == "correct"
    assert judge(f"\\boxed{{{said}}}")["label"] == "correct"


@pytest.mark.parametrize(("said", "reason"), WRONG)
def test_what_does_not(said, reason):
    verdict = judge(f"<answer>{said}</answer>")
    assert (verdict["score"], verdict["label"]) == (0.0, "wrong")
    assert verdict["detail"]["reason"] == reason


PROSE = [
    ("So the answer is C.", "correct"),
    ("The answer is: **C**", "correct"),
    ("The answer is C because A is in Italy.", "correct"),
    ("The answer is C, since Rome is in Italy", "correct"),
    ("The answer is A. No. The answer is C.", "correct"),
    ("The answer is Paris.", "correct"),
    ("综上，故选C。", "correct"),
    ("所以答案是 C，因为A不对", "correct"),
    ("因此选（C）", "correct"),
    ("The answer is A or C.", "wrong"),
    ("The answer is A, C.", "wrong"),
    ("The answer is C. The answer is A.", "wrong"),
    ("答案是A或C", "wrong"),
    ("C", "unreadable"),
    ("I like C.", "unreadable"),
    ("", "unreadable"),
    ("<think>The answer is C", "unreadable"),
    ("<think>The answer is C</think>", "unreadable"),
    ("<answer>C", "unreadable"),
    ("<answer>A</answer><answer>C</answer>", "wrong"),
    (r"<answer>C</answer> \boxed{C}", "correct"),
    (r"<answer>A</answer> \boxed{C}", "wrong"),
]


@pytest.mark.parametrize(("completion", "label"), PROSE)
def test_where_the_choice_is_read(completion, label):
    assert judge(completion)["label"] == label


ANNOUNCED = """The correct option is X.|Best choice: X|The right alternative must be (X)|The answer is clearly X.
The answer is therefore option X|The most suitable option would be X|The answer to this question is X.
Option X is correct.|(X) is the right answer|Hence X is the best option.|Only X is right.
I'd pick X - it is safe.|We select option (X)|I'll go with X|My choice is X|Selected: X
Answer - X|Answer -> X|Answer = X|Answer: <X>|The answer is 'X'.|Answer: «X»|The answer is \\(X\\).
Antwort: X|Réponse : X|Respuesta: X|정답: X
本题选X|因此选择X选项|选项X正确。|X项正确|X是正确的。|因此，正确的选项是（X）。|答案应为X|符合题意的是X。|答：选X|选X。
It's X.|<think>hm</think> It is X, since it fits.|I choose X|Hence (X).|All fits. Therefore, X
{"answer": "X"}|{"thinking": "A or B?", "choice": "X"}|{"final_answer": ["X"]}""".replace(
    "\n", "|"
).split("|")
ANNOUNCED += [
    "Final Answer\n\nX",
    "## Answer\n**X**",
    "**Answer:**\n\n(X)",
    '```json\n{"answer": "X"}\n```',
]


@pytest.mark.parametrize(
    "text", ["It is A square.", "It's not C.", "So A is wrong.", "It is I, hm"]
)
def test_what_only_looks_like_a_choice(text):
    assert judge(text)["label"] == "unreadable"


@pytest.mark.parametrize("form", ANNOUNCED)
def test_how_a_choice_is_announced(form):
    assert judge(form.replace("X", "C"))["label"] == "correct"
    assert judge(form.replace("X", "B"))["detail"]["read"] == "B"
    assert judge(form.replace("X", "C"), announced=False)["label"] == "unreadable"


NOT_ANNOUNCED = """C is not correct.|The answer is not C.|C is wrong|Is C correct?|If C is right, it rains.|Not C.
I don't think C is right|Whether C is true is unclear|Neither C is correct|The correct answer is unknown
I would not choose C|选项C错误|C不正确|不选C|Suppose C is true.""".replace("\n", "|").split("|")


@pytest.mark.parametrize("text", NOT_ANNOUNCED)
def test_what_announces_no_choice(text):
    assert judge(text)["label"] != "correct"


BOXES = r"""\textit{X}|\mathsf{X}|\bm{X}|\boldsymbol{X}|{\rm X}|\bf X|\large X|~X~|\ X\ |X\,|\quad X|\textcolor{red}{X}
\left(X\right)|\{X\}|X - Paris|X = Paris|X → Paris|X \text{ Paris}|X\ (\text{Paris})|\text{Option }\textbf{X}|X选项
\text{(X) Paris}|X;|``X''|\operatorname{X}""".replace("\n", "|").split("|")


@pytest.mark.parametrize("box", BOXES)
def test_how_a_letter_is_boxed(box):
    assert judge(f"\\boxed{{{box.replace('X', 'C')}}}")["label"] == "correct"
    other = judge(f"\\boxed{{{box.replace('X', 'B')}}}", "B")["label"]
    assert other == ("wrong" if "Paris" in box else "correct")


@pytest.mark.parametrize(
    ("completion", "label"),
    [
        (r"First \boxed{x=2}. So the answer is C.", "correct"),
        (r"\boxed{\Delta E \ll 1}" "\n\n**Answer: C**", "correct"),
        (r"The value is \boxed{7}, hence \boxed{C}.", "correct"),
        (r"<answer>C</answer> by \boxed{7}", "correct"),
        (r"\boxed{C}. The answer is B.", "correct"),  # a box that names one comes first
        (r"\boxed{E}. The answer is C.", "wrong"),
        (r"\boxed{A or C}. The answer is C.", "wrong"),
        (r"\boxed{Rome}. The answer is C.", "wrong"),
        (r"\boxed{7}. The answer is unknown.", "wrong"),
        (r"<answer>7</answer>. The answer is C.", "wrong"),
    ],
)  # fmt: skip
def test_a_box_of_the_working_names_no_option(completion, label):
    assert judge(completion)["label"] == label


EXCLUDING = """C, not D|C (not A, B or D)|C rather than B|C instead of D|C; A is wrong|C (A and B are incorrect)
C, whereas A is false|C, but not A|C (A isn't right)|C, D being false|C unlike A|C. Paris, not Rome|C (ruling out A)
C，不是A|C而不是A|C（A错误）""".replace("\n", "|").split("|")
HEDGING = """C or D|C / D|C; D|C (or A)|C, or perhaps Rome|C, A too|C; A is too|C, and A is not wrong|A, no, C|C? or D
both C and D|C but A is also right|C, though A is possible|not D but C or A""".replace(
    "\n", "|"
).split("|")
FRAMES = ["The answer is {}.", "<answer>{}</answer>", "\\boxed{{{}}}", "I choose {}", "答案是{}"]


@pytest.mark.parametrize("frame", FRAMES)
def test_to_exclude_others_is_no_hedge(frame):
    for said in EXCLUDING:
        assert judge(frame.format(said))["detail"]["read"] == "C", said
    for said in HEDGING:
        for gold in "ACD":
            assert judge(frame.format(said), gold)["label"] != "correct", said


@pytest.mark.parametrize(
    "piece", ["😀", "|-|\n", "A ", "A, ", "A or ", "not A ", "A is ", "选", "( ", "\\text{", "the answer is ",
              "C is right ", "I choose ", '{"answer": "', "Answer\n", " ", "because "],
)  # fmt: skip
def test_long_answers_take_linear_time(piece):
    text = piece * (30_000 // len(piece))
    for frame in ("<answer>{}</answer>", "\\boxed{{{}}}", "The answer is {}", "{}"):
        completion = frame.replace("{}", text).replace("{{", "{").replace("}}", "}")
        assert ends_soon(lambda: judge(completion))  # noqa: B023
        assert ends_soon(lambda: several(completion))  # noqa: B023


def test_the_announcement_can_be_left_unread():
    assert judge("The answer is C", announced=False)["label"] == "unreadable"


def test_options_that_differ_in_a_sign():
    numbers = ["5", "-5", "0.5", "50"]
    for letter, text in zip("ABCD", numbers, strict=True):
        assert judge(f"<answer>{text}</answer>", letter, numbers)["label"] == "correct"
    assert judge("<answer>5</answer>", "B", numbers)["label"] == "wrong"


def test_the_text_of_two_options_is_no_choice():
    assert judge("<answer>Paris</answer>", "A", ["Paris", "paris!", "Rome"])["label"] == "correct"
    assert (
        judge("<answer>PARIS</answer>", "A", ["Paris", "paris!"])["detail"]["reason"] == "several"
    )


def test_an_option_may_hold_letters():
    options = ["Vitamin A", "Vitamin D", "Plan B"]
    assert judge("<answer>B. Vitamin D</answer>", "B", options)["label"] == "correct"
    assert judge("<answer>B. It is Vitamin D</answer>", "B", options)["label"] == "correct"


@given(st.sampled_from(CITIES), st.sampled_from("ABCD"))
def test_a_letter_with_a_text_is_right_only_if_they_belong_together(city, letter):
    right = judge(f"<answer>{letter}. {city}</answer>", letter)["label"] == "correct"
    assert right == (CITIES[string.ascii_uppercase.index(letter)] == city)


@given(st.text(max_size=40))
def test_any_text_is_judged(text):
    assert judge(f"<answer>{text}</answer>")["label"] in ("correct", "wrong", "unreadable")


@pytest.mark.parametrize(
    ("fields", "reason"), [({"answer": None}, "no answer"), ({"task": "math"}, "task is 'math'")]
)
def test_what_cannot_be_judged_is_null(fields, reason):
    verdict = verify({"id": "x", "task": "choice", "answer": "C", "completion": "C"} | fields)
    assert verdict["score"] is None
    assert verdict["label"] is None
    assert reason in verdict["error"]


@pytest.mark.parametrize("answer", ["Paris", "E", 3, ["C"]])
def test_a_gold_that_is_no_letter_is_bad_data(answer):
    with pytest.raises(DataError, match="letter"):
        judge("C", answer)


# --- several right options ---


def several(completion, answer=("B", "D"), choices=("甲", "乙", "丙", "丁"), info=(), **options):
    record = {"id": "x", "task": "multi-choice", "completion": completion}
    record |= {"answer": list(answer) if isinstance(answer, tuple) else answer}
    return verify(record | {"info": {"choices": list(choices), **dict(info)}}, **options)


ALL = """BD DB B,D B、D B；D B/D (B)(D) B和D 选BD 选项B、D **BD** \\text{BD} b,d B,B,D 乙、丁""".split()
ALL += ["B, D", "B and D", "B D", "(B), (D)", "Options B and D", "B. 乙; D. 丁"]
NOT_ALL = [  # text, what is read, reason
    ("B", "B", "incomplete"),
    ("乙", "B", "incomplete"),
    ("A", "A", None),
    ("AB", "AB", None),
    ("ABD", "ABD", None),
    ("ABCD", "ABCD", None),
    ("BAD", "ABD", None),
    ("bd", None, "no-option"),  # a word, perhaps
    ("B or D", None, "several"),
    ("BD或A", None, "no-option"),
    ("BD (or ABD)", None, "no-option"),
    ("BDE", None, "no-option"),
    ("B. 丙", None, "mismatch"),
    ("all of them", None, "no-option"),
    ("not A, not C", None, "no-option"),
]


@pytest.mark.parametrize("said", ALL)
def test_all_right_options_in_any_form(said):
    assert several(f"<think>A?</think><answer>{said}</answer>")["label"] == "correct"
    assert several(f"\\boxed{{{said}}}")["detail"]["read"] == "BD"


@pytest.mark.parametrize(("said", "read", "reason"), NOT_ALL)
def test_one_too_few_or_too_many_is_wrong(said, read, reason):
    verdict = several(f"<answer>{said}</answer>")
    assert (verdict["score"], verdict["label"]) == (0.0, "wrong")
    assert (verdict["detail"]["read"], verdict["detail"]["reason"]) == (read, reason)


@pytest.mark.parametrize(
    ("completion", "label"),
    [
        ("答案是BD。", "correct"),
        ("综上，故选B、D。", "correct"),
        ("所以答案是 B，D", "correct"),
        ("故选BD，因为A不对", "correct"),
        ("【解析】略 <eoe>\n【答案】 BD <eoa>", "correct"),
        ("The answers are B and D.", "correct"),
        (r"\boxed{B} and \boxed{D}", "correct"),
        (r"\boxed{BD}, or rather \boxed{ABD}", "wrong"),
        ("The answer is B, and D is wrong", "wrong"),
        ("BD", "unreadable"),
        ("<think>The answer is BD</think>", "unreadable"),
    ],
)
def test_where_several_are_read(completion, label):
    assert several(completion)["label"] == label


def test_some_of_the_right_ones_may_be_worth_something():
    half = {"incomplete": 0.5}
    assert several("<answer>B</answer>", **half)["score"] == 0.5
    assert several("<answer>B</answer>", info=half.items())["score"] == 0.5
    assert several("<answer>B</answer>", info={"incomplete": 0}.items(), **half)["score"] == 0.0
    for said in ("AB", "A", "ABCD", "B or D"):
        assert several(f"<answer>{said}</answer>", **half)["score"] == 0.0
    assert several("<answer>B</answer>", **half)["label"] == "wrong"
    assert judge("<answer>A</answer>", **half)["score"] == 0.0
    with pytest.raises(DataError, match=r"0 to 0\.5"):
        several("<answer>B</answer>", incomplete=0.9)


def test_how_several_golds_are_written():
    for answer in (("B", "D"), ("D", "B"), "BD", "B, D", "b、d"):
        assert several("<answer>BD</answer>", answer)["label"] == "correct"
    assert several("<answer>C</answer>", ("C",))["label"] == "correct"
    for answer in ("BX", ("B", "B"), [2, 4], {"B": 1}):
        with pytest.raises(DataError, match="some letters of A-D"):
            several("<answer>B</answer>", answer)


@given(st.sets(st.sampled_from("ABCD"), min_size=1), st.sets(st.sampled_from("ABCD"), min_size=1))
def test_only_the_same_set_is_right(said, gold):
    verdict = several(f"<answer>{', '.join(said)}</answer>", tuple(gold), incomplete=0.5)
    assert verdict["score"] == (1.0 if said == gold else 0.5 if said < gold else 0.0)


@given(st.text(max_size=40))
def test_any_text_is_judged_for_several(text):
    assert several(f"<answer>{text}</answer>")["label"] in ("correct", "wrong", "unreadable")
