"""What could not be read: the strict verdict, and beside it what the verifier's lenient option finds."""

import pytest

from swr1.errors import UsageError
from swr1.verifiers.declared import REGISTRY, declaration
from swr1.verifiers.running import open_verifiers
from tests.conftest import jsonl, run_swr1

ANSWERS = {  # verifier -> (task, gold, an answer in no box and no tags that is right, one that is wrong)
    "math": ("math", "18", "She has 18 apples.", "She has 17 apples."),
    "choice": ("choice", "B", "The answer is B.", "The answer is C."),
    "exact": ("qa", "Paris", "Paris", "Rome"),
    "f1": ("qa", "Paris", "Paris", "Rome"),
    "knights": ("knights", [["Zoey", "knight"]], "Zoey is a knight.", "Zoey is a knave."),
}


def record(name, text):
    task, gold, _, _ = ANSWERS[name]
    return {"id": text, "task": task, "answer": gold, "completion": text}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_strict_verdict_says_what_the_lenient_option_reads(name):
    _, _, right, wrong = ANSWERS[name]
    off = ["choice.announced=false"] if name == "choice" else []
    with open_verifiers([name], settings=off) as verify:
        for text, label in ((right, "correct"), (wrong, "wrong")):
            verdict = verify(record(name, text))[name]
            assert (verdict["label"], verdict["score"]) == ("unreadable", 0.0)
            lenient = verdict["detail"].pop("lenient")
            assert lenient.pop("read")
            setting = f"{name}.{declaration(name).lenient}"
            assert lenient == {"set": setting, "label": label, "score": float(label == "correct")}
        neither = verify(record(name, "<think>It never ends."))[name]
        assert neither["label"] == "unreadable" and "lenient" not in neither["detail"]
    with open_verifiers([name], settings=[setting]) as verify:  # then there is but one reading
        assert verify(record(name, right))[name]["label"] == "correct"
        neither = verify(record(name, "<think>It never ends."))[name]
        assert "lenient" not in neither["detail"]


def test_every_verifier_that_may_not_read_says_which_option_reads_more():
    unreadable = {n for n in REGISTRY.names() if "unreadable" in declaration(n).vocabulary.labels}
    assert unreadable == set(ANSWERS) == {n for n in REGISTRY.names() if declaration(n).lenient}


def test_a_verifier_of_ones_own_has_a_lenient_reading_too(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        'LABELS = {"correct": 1, "wrong": 0, "unreadable": 0}\nLENIENT = "anywhere=true"\n'
        "def check(record, anywhere=False):\n"
        "    said = anywhere or record['completion'].startswith('=')\n"
        "    score = float('7' in record['completion'])\n"
        "    label = ('correct' if score else 'wrong') if said else 'unreadable'\n"
        "    return {'score': score if said else 0.0, 'label': label}\n"
    )
    with open_verifiers([f"{file}:check"]) as verify:
        verdicts = [verify({"id": t, "completion": t})["check"] for t in ("=7", "7", "8", "=8")]
    assert [v["label"] for v in verdicts] == ["correct", "unreadable", "unreadable", "wrong"]
    found = [v["detail"].get("lenient", {}).get("label") for v in verdicts]
    assert found == [None, "correct", "wrong", None]
    file.write_text('LENIENT = "nowhere=true"\ndef check(record): ...\n')
    declaration.cache_clear()
    with pytest.raises(
        UsageError, match=r"mine\.py:1: LENIENT is NAME=VALUE of one of its options"
    ):
        declaration(f"{file}:check")


def test_verify_says_how_many_could_not_be_read_and_what_reads_them():
    texts = ["So 18.", "So 17.", "Well.", r"\boxed{18}", r"\boxed{17}"]
    data = jsonl([record("math", t) | {"id": str(i)} for i, t in enumerate(texts)])
    done = run_swr1("verify", "math", stdin=data, check=True)
    told = "math: 3 of 5 could not be read (no-answer 3) and have the score 0;"
    more = "--set math.last_number=true reads 2 of them: 1 correct, 1 wrong"
    assert f"{told} {more}" in done.stderr
    done = run_swr1("verify", "math", "--set", "math.last_number=true", stdin=data, check=True)
    assert "math: 1 of 5 could not be read (no-answer 1) and have the score 0\n" in done.stderr
