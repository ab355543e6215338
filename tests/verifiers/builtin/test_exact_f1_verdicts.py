"""The verdicts on short answers: equal after normalisation, and the share of common words."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swr1.errors import DataError
from swr1.verifiers.builtin import exact, f1
from swr1.verifiers.completions.strings import normalize, word_f1


def record(completion, answer):
    return {"id": "x", "task": "qa", "answer": answer, "completion": completion}


def both(said, answer, **options):
    item = record(f"<answer>{said}</answer>", answer)
    return exact.verify(item, **options)["score"], f1.verify(item, **options)["score"]


CASES = [  # said, accepted, exact, F1
    ("Paris", "Paris", 1, 1),
    ("the paris!", "Paris", 1, 1),
    ("  PARIS  ", ["Rome", "Paris"], 1, 1),
    ("in Paris", "Paris", 0, 2 / 3),
    ("Paris or Rome", "Paris", 0, 1 / 2),
    ("Barack Obama", "Obama", 0, 2 / 3),
    ("Obama, Barack", "Barack Obama", 0, 1),
    ("J. K. Rowling", "J.K. Rowling", 0, 0.4),
    ("well-known", "wellknown", 1, 1),
    ("Rome", "Paris", 0, 0),
    ("", "Paris", 0, 0),
    ("...", "Paris", 0, 0),
    ("5", "-5", 0, 0),
    ("−5", "-5", 1, 1),
    ("3.5", "35", 0, 0),
    ("1,000", "1000", 1, 1),
    ("1969", 1969, 1, 1),
    ("A", "A", 1, 1),
    ("the", "a", 0, 0),
    ("巴黎", "巴黎。", 1, 1),
    ("巴 黎", "巴黎", 1, 1),
    ("法国巴黎", "巴黎", 0, 2 / 3),
    ("上海", "海上", 0, 1),
    ("Ｐａｒｉｓ", "paris", 1, 1),
    ("Pa\u200bris", "Paris", 1, 1),
    ("Paris Paris Paris", "Paris", 0, 1 / 2),
]


@pytest.mark.parametrize(("said", "answer", "same", "shared"), CASES)
def test_scores(said, answer, same, shared):
    assert both(said, answer) == (same, pytest.approx(shared))


READ = [
    (r"\boxed{Paris}", "correct", None),
    (r"\boxed{Rome} \boxed{Paris}", "wrong", "hedge"),
    (r"\boxed{Paris} \boxed{paris}", "correct", None),
    ("<think>Paris</think>", "unreadable", "no-answer"),
    ("<think>Paris", "unreadable", "thinking-unclosed"),
    ("Paris", "unreadable", "no-answer"),
    ("<answer></answer>", "unreadable", "no-answer"),
]


@pytest.mark.parametrize(("completion", "label", "reason"), READ)
def test_where_the_answer_is_read(completion, label, reason):
    for module in (exact, f1):
        verdict = module.verify(record(completion, "Paris"))
        assert (verdict["label"], verdict["detail"]["reason"]) == (label, reason)
        assert verdict["score"] == (label == "correct")


def test_the_whole_text_where_it_is_asked_for():
    for module in (exact, f1):
        item = record("<think>Rome?</think> Paris.", "Paris")
        assert module.verify(item, whole=True)["label"] == "correct"


def test_the_label_of_f1_goes_by_its_bound():
    item = record("<answer>in Paris</answer>", "Paris")
    assert f1.verify(item)["label"] == "wrong"
    assert f1.verify(item, right=0.5)["label"] == "correct"


@pytest.mark.parametrize("module", [exact, f1])
def test_what_cannot_be_judged_is_null_and_what_is_no_text_bad_data(module):
    for answer in (None, [], ["", " "]):
        verdict = module.verify(record("x", answer))
        assert (verdict["score"], verdict["label"]) == (None, None)
        assert "no answer" in verdict["error"]
    assert "task is 'safety'" in module.verify(record("x", "y") | {"task": "safety"})["error"]
    with pytest.raises(DataError, match="accepted"):
        module.verify(record("x", {"a": 1}))


texts = st.text(max_size=30)


@given(texts, texts)
def test_f1_is_symmetric_between_0_and_1_and_1_for_the_same_words(a, b):
    assert word_f1(a, b) == word_f1(b, a)
    assert 0 <= word_f1(a, b) <= 1
    if normalize(a):
        assert word_f1(a, a) == 1


@example("A𠀀")
@given(texts)
def test_normalising_twice_changes_nothing(text):
    assert normalize(normalize(text)) == normalize(text)
