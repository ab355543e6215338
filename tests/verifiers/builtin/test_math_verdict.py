"""The verdict on a mathematical answer: equal forms, near misses, hedges, and a parser that hangs."""

from fractions import Fraction
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.errors import DataError, UsageError
from swr1.verifiers.builtin.math import verify
from swr1.verifiers.completions.answers import boxed, final_text, tagged
from swr1.verifiers.mathematics.latex import clean
from swr1.verifiers.mathematics.numbers import number
from tests.conftest import jsonl, load, run_swr1
from tests.timing import ends_soon

HERE = Path(__file__).parent
HANGS = r"\boxed{" + "+".join(f"|x-{k}|" for k in range(30)) + "<90}"  # 2^30 cases


def pairs(name):
    lines = (HERE / f"math_{name}.tsv").read_text().splitlines()
    return [tuple(line.split("\t")) for line in lines if line and not line.startswith("#")]


def judge(completion, answer="18", info=None, **options):
    record = {"id": "x", "task": "math", "answer": answer, "completion": completion}
    return verify(record | {"info": info or {}}, **options)


def test_there_are_enough_pairs():
    assert len(set(pairs("equal"))) == len(pairs("equal")) >= 500
    assert len(set(pairs("near"))) == len(pairs("near")) >= 400


@pytest.mark.parametrize(("gold", "said"), pairs("equal"))
def test_equal_forms_are_correct(gold, said):
    assert judge(f"So \\boxed{{{said}}}.", gold)["label"] == "correct"
    assert judge(f"<answer>{said}</answer>", gold)["label"] == "correct"


@pytest.mark.parametrize(("gold", "said"), pairs("near"))
def test_near_misses_are_wrong(gold, said):
    verdict = judge(f"So \\boxed{{{said}}}.", gold)
    assert (verdict["score"], verdict["label"]) == (0.0, "wrong")


READ = [  # completion, label, reason
    (r"\boxed{18}", "correct", None),
    (r"<think>17?</think> \boxed{18}", "correct", None),
    (r"<think>\boxed{17}</think> \boxed{18}", "correct", None),
    (r"<think>\boxed{18}</think> so 18", "unreadable", "no-answer"),
    (r"<think>\boxed{18}", "unreadable", "thinking-unclosed"),
    (r"<think>a</think>b</think>\boxed{18}", "correct", None),
    (r"\boxed{17} no, \boxed{18}", "wrong", "hedge"),
    (r"\boxed{18} so \boxed{18.0} and \boxed{\frac{36}{2}}", "correct", None),
    (r"<answer>18</answer>", "correct", None),
    (r"<answer>17</answer><answer>18</answer>", "wrong", "hedge"),
    (r"<answer>\boxed{18}</answer>", "correct", None),
    (r"<answer>It is \boxed{18} ducks</answer>", "correct", None),
    (r"<answer>17</answer> \boxed{18}", "wrong", "hedge"),
    (r"<answer>18", "unreadable", "no-answer"),
    (r"\boxed{18", "unreadable", "no-answer"),
    (r"\boxed{}", "unreadable", "empty"),
    (r"\boxed{\boxed{18}}", "correct", None),
    (r"\boxed{17 \boxed{18}}", "wrong", None),
    (r"\fbox{18}", "correct", None),
    (r"\boxed{17 = 18}", "wrong", "hedge"),
    (r"\boxed{18} \boxed{18?}", "wrong", "hedge"),
    (r"\boxed{18?} \boxed{18}", "wrong", "hedge"),
    (r"\boxed18", "unreadable", "no-answer"),  # in LaTeX, a box around the 1
    (r"Put it into \boxed, a box: \boxed{18}", "correct", None),
    (r"$\boxed\text{18}$", "correct", None),
    (r"\boxed{...} \boxed{18}", "correct", None),
    (r"\boxed{9 + 8 = 18}", "wrong", "hedge"),
    (r"\boxed{n = 18}", "correct", None),
    (r"\boxed{9\cdot2}", "wrong", "unevaluated"),
    ("The answer is 18", "unreadable", "no-answer"),
    ("", "unreadable", "no-answer"),
    (r"\boxed{" + "1" * 3000 + "}", "unreadable", "too-long"),
    (r"\boxed{\frac{\frac}", "unreadable", "no-answer"),
    (r"\boxed{\frac{}{}\sqrt}", "wrong", "unread"),
]


@pytest.mark.parametrize(("completion", "label", "reason"), READ)
def test_where_the_answer_is_read(completion, label, reason):
    verdict = judge(completion)
    assert (verdict["label"], verdict["detail"]["reason"]) == (label, reason)
    assert verdict["score"] == (1.0 if label == "correct" else 0.0)


LAST = [
    ("She earns $18.", "correct"),
    ("9 * 2 = 18", "correct"),
    ("#### 18", "correct"),
    ("It costs 1,800 dollars", "wrong"),
    ("18 of the 20", "wrong"),
    ("none", "unreadable"),
    (r"20 \boxed{18} 21", "correct"),
]


@pytest.mark.parametrize(("completion", "label"), LAST)
def test_the_last_number_where_it_is_asked_for(completion, label):
    assert judge(completion, last_number=True)["label"] == label


SEVERAL = [  # golds, mode, completion, label
    (["18", "20"], "any", r"\boxed{20}", "correct"),
    (["18", "20"], "any", r"\boxed{18, 20}", "wrong"),
    (["18", "20"], "all", r"\boxed{20, 18}", "correct"),
    (["18", "20"], "all", r"\boxed{18} and \boxed{20}", "correct"),
    (["18", "20"], "all", r"\boxed{18 \text{ and } 20}", "correct"),
    (["18", "20"], "all", r"\boxed{18}", "wrong"),
    (["18", "20"], "all", r"\boxed{18, 20, 22}", "wrong"),
    (["18", "20"], "all", r"\boxed{18, 18}", "wrong"),
    (["18", "20"], "all", r"\boxed{18, 20, 20.0}", "correct"),
    (["(1,2)", "(3,4)"], "all", r"\boxed{(3,4),(1,2)}", "correct"),
    (["(1,2)", "(3,4)"], "all", r"\boxed{(3,4),(2,1)}", "wrong"),
    (["x", "-x"], "all", r"\boxed{x} or \boxed{-x}", "correct"),
    (["x", "-x"], "all", r"\boxed{" + ",".join("x" * 30) + "}", "wrong"),
]


@pytest.mark.parametrize(("golds", "mode", "completion", "label"), SEVERAL)
def test_several_golds(golds, mode, completion, label):
    assert judge(completion, golds, {"answers": mode})["label"] == label
    assert judge(completion, golds, answers=mode)["label"] == label


NULLS = [
    ({"answer": None}, "no answer"),
    ({"answer": []}, "no answer"),
    ({"answer": "  "}, "no answer"),
    ({"task": "knights"}, "task is 'knights'"),
    ({"answer": "$$"}, "cannot be read"),
]


@pytest.mark.parametrize(("fields", "reason"), NULLS)
def test_what_cannot_be_judged_is_null(fields, reason):
    record = {"id": "x", "task": "math", "answer": "18", "completion": r"\boxed{18}"}
    verdict = verify(record | fields)
    assert (verdict["score"], verdict["label"]) == (None, None)
    assert reason in verdict["error"]


def test_bad_records_and_settings():
    with pytest.raises(DataError, match="completion"):
        verify({"id": "x", "answer": "18"})
    with pytest.raises(UsageError, match="answers"):
        judge(r"\boxed{18}", answers="some")


ROUNDED = [  # gold, precision, answer, label; MathVista's metric
    ("1.2", 1.0, "1.24", "correct"),
    ("1.2", 1.0, "1.26", "wrong"),
    ("1.2", 1.0, r"\frac{6}{5}", "correct"),
    ("0.3", 2, "0.299", "correct"),
    ("1,000", 2, "1000.004", "correct"),
    ("3", 0, "3.4", "correct"),
    ("3", None, "3.4", "wrong"),
    ("0", 0, "40%", "wrong"),  # 0.4 is what was meant, not what was written
    ("1.41", 2, r"\sqrt{2}", "wrong"),  # not worked out
    ("[1, 4]", None, "[1, 4]", "correct"),  # its lists
    ("[1, 4]", None, "[4, 1]", "wrong"),
]


@pytest.mark.parametrize(("gold", "places", "said", "label"), ROUNDED)
def test_numbers_to_the_precision_that_the_data_set_names(gold, places, said, label):
    assert judge(f"\\boxed{{{said}}}", gold, {"precision": places})["label"] == label


def test_a_precision_is_an_option_too_and_no_nonsense():
    assert judge(r"\boxed{18.3}", precision=0)["label"] == "correct"
    assert judge(r"\boxed{18.3}", info={"precision": 1}, precision=0)["label"] == "wrong"
    assert judge(r"\boxed{18.3}")["label"] == "wrong"
    # Two answers that differ are a hedge, whatever they round to.
    assert judge(r"\boxed{18.3} \boxed{18.1}", precision=0)["detail"]["reason"] == "hedge"
    for bad in (1.5, -2, "two", True):
        with pytest.raises(DataError, match="number of decimals"):
            judge(r"\boxed{18}", info={"precision": bad})


def test_a_number_as_gold():
    assert judge(r"\boxed{27}", 27.0)["label"] == "correct"
    assert judge(r"\boxed{27}", 27)["label"] == "correct"


def test_arithmetic_can_be_accepted():
    assert judge(r"\boxed{9\cdot2}", arithmetic=True)["label"] == "correct"


@given(st.fractions(max_denominator=999))
def test_a_fraction_is_read_back(value):
    a, b = value.numerator, value.denominator
    sign, a = ("-" if a < 0 else ""), abs(a)
    for text in (f"{sign}{a}/{b}", f"{sign}\\frac{{{a}}}{{{b}}}", f"${sign}\\dfrac{{{a}}}{{{b}}}$"):
        assert number(clean(text)).value == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-1e9, max_value=1e9))
def test_a_decimal_is_read_back_with_and_without_thousands(value):
    for text in (f"{value:f}", f"{value:,f}", f"\\${value:,f}", f"{value:f} apples"):
        assert number(clean(text)).value == Fraction(value)


@given(st.text(alphabet="\\boxed{}fbx 18<>/answerthink", max_size=60))
@settings(max_examples=300)
def test_any_text_has_its_boxes_and_tags_read(text):
    for part in boxed(text):
        assert part.count("{") - part.count("\\{") == part.count("}") - part.count("\\}")
    for part in tagged(text):
        assert "<answer>" not in part and "</answer>" not in part
    final_text(text)


@given(st.text(alphabet="0123456789.,/^{}\\%- fracx", max_size=40))
@settings(max_examples=300)
def test_any_answer_is_read_or_is_no_number(text):
    number(clean(text))


@pytest.mark.parametrize("piece", ["\\boxed{", "<answer>", "1,", "\\frac", "1 ", "a=", "(", "\\ "])
def test_a_long_text_takes_no_long_time(piece):
    assert ends_soon(lambda: judge(piece * 50_000), 3)
    assert ends_soon(lambda: judge(f"\\boxed{{{piece * 60}}}", "x"), 3)


def test_golds_of_the_data_sets_verify_themselves(shared_data):
    golds = [
        orjson.loads(line)["answer"].rpartition("####")[2].strip()
        for line in (shared_data / "gsm8k" / "test.jsonl").read_bytes().splitlines()
    ]
    for name in ("aime24", "amc23", "aime_2021_2024_logic_rl", "olympiadbench"):
        lines = (shared_data / "math" / f"{name}.jsonl").read_bytes().splitlines()
        rows = map(orjson.loads, lines)
        golds += [r["final_answer"][0] if "final_answer" in r else r["answer"] for r in rows]
    assert len(golds) == 1319 + 30 + 40 + 103 + 675
    for gold in golds:
        verdict = judge(f"\\boxed{{{gold}}}", gold)
        assert verdict["label"] == "correct", gold


def test_a_parser_that_hangs_costs_one_null_and_the_stage_nothing(tmp_path):
    said = [r"\boxed{18}", HANGS, r"\boxed{17}", r"\boxed{\frac{36}{2}}"]
    records = [
        {"v": 1, "id": f"r{k}", "task": "math", "sample": 0, "answer": "18", "completion": text}
        for k, text in enumerate(said)
    ]
    records[1]["answer"] = "x>1"
    (tmp_path / "in.jsonl").write_bytes(jsonl(records))
    args = ["verify", "math", tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl", "--timeout", "2"]
    run_swr1(*args, check=True)
    verdicts = [r["verdicts"]["math"] for r in load(tmp_path / "out.jsonl")]
    assert [v["score"] for v in verdicts] == [1.0, None, 0.0, 1.0]
    assert "longer than 2 s" in verdicts[1]["error"]
