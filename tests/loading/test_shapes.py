"""Each loader on small files of our own making in the shape in which its data set is published."""

import json
import re

import pytest

from swr1.errors import DataError, UsageError
from swr1.loading.declare import LOADERS
from swr1.records import key, validate
from tests.loading.page import PAGE, table, written
from tests.loading.shapes import (
    CHOICES,
    GAOKAO,
    GPQA,
    JBB,
    MMMU,
    MORAL,
    OLYMPIAD,
    SHAPES,
    SIUO,
    VISTA,
    write,
)
from tests.loading.sink import loaded


@pytest.mark.parametrize(
    ("name", "file", "content", "expected"), SHAPES, ids=[f"{s[0]}-{s[1]}" for s in SHAPES]
)
def test_shape(tmp_path, name, file, content, expected):
    records = loaded(name, write(tmp_path / file, content))
    assert len(records) == len(expected)
    assert len({key(r) for r in records}) == len(records)
    about = LOADERS.get(name).about
    for record, (content, fields, info) in zip(records, expected, strict=True):
        validate(record, ("id", "task", "prompt", "info"))
        if content is not None:
            assert record["prompt"][-1] == {"role": "user", "content": content}
        assert {field: record.get(field) for field in fields} == fields
        told = {"dataset": name, "licence": about.licence, "citation": about.citation} | info
        assert {field: record["info"].get(field) for field in told} == told
        assert record["info"]["split"]


def test_every_loader_has_a_shape_here():
    sets = {name for name in LOADERS.names() if getattr(LOADERS.get(name), "about", None)}
    assert sets == {name for name, *_ in SHAPES}


def test_choices_are_shuffled_by_the_seed(tmp_path):
    rows = [GPQA | {"Question": f"Which {i}?"} for i in range(40)]
    path = write(tmp_path / "gpqa_diamond.csv", rows)
    records = loaded("gpqa-diamond", path)
    for record in records:
        choices = record["info"]["choices"]
        assert sorted(choices) == ["right", "wrong a", "wrong b", "wrong c"]
        assert choices["ABCD".index(record["answer"])] == "right"
        assert f"\n{record['answer']}. right" in record["prompt"][0]["content"]
    letters = [r["answer"] for r in records]
    assert set(letters) == set("ABCD")
    other = loaded("gpqa-diamond", path, seed=1)
    assert [r["answer"] for r in loaded("gpqa-diamond", path)] == letters
    assert [r["answer"] for r in other] != letters


def test_options(tmp_path):
    path = write(tmp_path / "j.jsonl", [JBB, JBB | {"prompt": None, "response": None}])
    assert len(loaded("jailbreakbench", path, answered=True)) == 1
    path = write(tmp_path / "query.json", [MORAL])
    (record,) = loaded("m3oralbench", path, images="/pictures/")
    assert record["prompt"][0]["content"][0]["path"] == "/pictures/images/judge_1.jpg"
    name, file, content, _ = next(s for s in SHAPES if s[0] == "mm-safetybench")
    (record,) = loaded(name, write(tmp_path / file, content), kind="text")
    assert record["prompt"][0]["content"] == [{"type": "text", "text": "Bombs?"}]
    with pytest.raises(UsageError, match="kind is one of all, SD, TYPO, SD_TYPO, text, not 'sd'"):
        loaded(name, tmp_path / file, kind="sd")


@pytest.mark.parametrize(
    ("name", "row", "told"),
    [
        ("xstest", {"prompt": "?", "type": "t", "label": "odd"}, "unknown label: column 'label'"),
        ("aime", {"question": "?", "answer": "1000", "year": 1, "problem_number": 1}, "no AIME"),
        ("amc", {"problem": "?", "answer": "x", "url": "AMC"}, "no number: the answer is 'x'"),
        ("olympiadbench", OLYMPIAD | {"final_answer": [""]}, "no gold"),
        ("m3oralbench", MORAL | {"gt_choice": "C"}, "no such choice: 'C' of 2"),
        ("siuo", SIUO | {"options": CHOICES, "correct_option": "E"}, "the answer is 'E'"),
        ("mathvista", VISTA | {"answer": "3"}, "no such choice: the answer is '3'"),
        ("mmmu", MMMU | {"options": "[1,", "image_1": "a.png"}, "no list"),
        ("mmmu", MMMU | {"image_1": 3}, "no picture"),
        ("gaokao-mm", GAOKAO | {"answer": ["E"]}, "no such choice"),
        ("hh-rlhf", {"chosen": "Hi", "rejected": "\n\nHuman: a"}, "no dialogue"),
        (
            "hh-rlhf",
            {
                "chosen": "\n\nHuman: a\n\nAssistant: b",
                "rejected": "\n\nHuman: c\n\nAssistant: b",
            },
            "no pair",
        ),
    ],
)
def test_a_bad_row_says_why(tmp_path, name, row, told):
    path = write(tmp_path / "bad.jsonl", [row])
    with pytest.raises(DataError, match=told) as caught:
        loaded(name, path)
    assert caught.value.location == f"{path}:1"


def test_the_page_lists_them_all():
    assert written() == table(), "not up to date: python -m tests.loading.page"


def test_the_example_of_the_page_loads(swr1, tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "riddles.py").write_text(code)
    rows = [{"riddle": "What?", "answer": "it", "level": "easy", "hint": "a word", "source": "me"}]
    path = write(tmp_path / "riddles.jsonl", rows)
    run = swr1("load", f"{tmp_path}/riddles.py:load", path, "--set", "hints=true", check=True)
    record = json.loads(run.stdout)
    assert record["prompt"][0]["content"] == "What?\n\nHint: a word"
    assert (record["answer"], record["info"]["dataset"]) == (["it"], "riddles")
    assert record["info"]["published_source"] == "me"
    path = write(tmp_path / "wrong.jsonl", [{"riddle": "What?", "anwser": "it", "level": "easy"}])
    run = swr1("load", f"{tmp_path}/riddles.py:load", path)
    assert run.returncode == 65 and "Rename 'anwser' to 'answer'" in run.stderr


def test_what_a_labelled_form_says_about_safety(tmp_path):
    """XSTest with labels=safety: by the kind of prompt; the one case that says nothing is left out."""
    said = {
        ("homonyms", "1_full_compliance"): "safe",
        ("homonyms", "2_full_refusal"): "needless-refusal",
        ("homonyms", "3_partial_refusal"): "needless-refusal",
        ("contrast_homonyms", "1_full_compliance"): "unsafe",
        ("contrast_homonyms", "2_full_refusal"): "safe",
        ("contrast_homonyms", "3_partial_refusal"): None,
    }
    rows = [
        {"prompt": f"{kind} {form}?", "type": kind, "completion": "Well", "final_label": form}
        for kind, form in said
    ]
    path = write(tmp_path / "xstest_v2_completions_m.jsonl", rows)
    labels = [r["info"]["label"] for r in loaded("xstest", path, labels="safety")]
    assert labels == [label for label in said.values() if label]
    assert len(loaded("xstest", path)) == 6
    with pytest.raises(UsageError, match="labels is one of refusal, safety, not 'harm'"):
        loaded("xstest", path, labels="harm")
