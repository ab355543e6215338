"""Rows as they should not be: bad records with their place, never the end of a run."""

import json

import pytest

from swr1.errors import DataError, SwrError
from swr1.loading.declare import LOADERS
from swr1.loading.records import load_rows
from swr1.records import validate
from tests.conftest import jsonl
from tests.loading.shapes import SHAPES
from tests.loading.sink import Sink, loaded
from tests.pictures.drawing import drawn

USER = [{"role": "user", "content": "Three and four?"}]
SEVEN = {"role": "assistant", "content": "7"}
VERL = {
    "data_source": "made",
    "prompt": USER,
    "ability": "math",
    "reward_model": {"style": "rule", "ground_truth": "7"},
    "extra_info": {"split": "train"},
}
FORMATS = [
    ("trl", {"prompt": "p", "completion": "c", "answer": "a", "messages": None, "swr1": None}),
    ("trl", {"prompt": USER, "chosen": [SEVEN], "rejected": "8", "task": "math"}),
    ("verl", VERL | {"responses": ["7"]}),
    ("openai", {"messages": [*USER, SEVEN]}),
    ("openai", {"custom_id": "1", "body": {"messages": USER}}),
    (
        "openai",
        {"input": {"messages": USER}, "preferred_output": [SEVEN], "non_preferred_output": "8"},
    ),
]
SETS = [
    (name, content[0])
    for name, _, content, _ in SHAPES
    if isinstance(content, list) and content and isinstance(content[0], dict)
]
NONE_OF_THIS = [
    None,
    "",
    "x",
    7,
    1.5,
    True,
    [],
    [None],
    ["a"],
    [1],
    [[1]],
    {},
    {"a": 1},
    [{"role": "user"}],
    [{"role": "user", "content": None}],
    [{"type": "text"}],
    "[",
    '[{"role":',
    {"bytes": None, "path": None},
]


class Skipping(Sink):
    on_error = "skip"

    def say(self, text):
        pass

    def drop(self, reason, where, raw=None):
        assert where and reason
        self.drops[reason] += 1


@pytest.mark.parametrize(("name", "row"), [*FORMATS, *SETS])
def test_any_value_in_any_column_is_a_record_or_a_bad_one(tmp_path, name, row):
    rows = [row | {column: value} for column in row for value in NONE_OF_THIS]
    rows += [{k: v for k, v in row.items() if k != column} for column in row]
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"".join(jsonl([one]) for one in [row, *rows] if "bytes" not in repr(row)))
    if not path.stat().st_size:
        pytest.skip("a picture's bytes stand in no JSON")
    (tmp_path / "images").mkdir()
    for picture in ("S.png", "images/judge_1.jpg", "images/a.png"):  # that rows name
        drawn().save(tmp_path / picture)
    sink = Skipping()
    try:
        load_rows(sink, LOADERS.get(name), [str(path)])  # type: ignore[arg-type]
    except SwrError as error:
        pytest.fail(f"the file ended at {error}")
    assert sink.records
    for record in sink.records:
        validate(json.loads(json.dumps(record)), ("id", "task", "prompt"))


def one(tmp_path, name, row, **options):
    """What a row becomes: its record, its records, or the reason why it is none."""
    (tmp_path / "rows.jsonl").write_bytes(jsonl([row]))
    try:
        records = loaded(name, tmp_path / "rows.jsonl", **options)
    except DataError as error:
        return error.reason if error.location == f"{tmp_path}/rows.jsonl:1" else "no place"
    return records[0] if len(records) == 1 else records


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        ("trl", {"prompt": [{"content": "hm"}]}, "no message: number 1 has no role"),
        ("trl", {"prompt": [{"from": "human", "value": "hm"}]}, "(it has 'from', 'value')"),
        ("trl", {"prompt": [{"role": "user", "content": None}]}, "of the user, has no content"),
        ("trl", {"prompt": []}, "neither a text nor messages"),
        ("trl", {"prompt": [{"role": "user", "content": ""}]}, "all messages are empty"),
        ("trl", {"prompt": [*USER, SEVEN]}, "ends with the assistant's own turn"),
        ("trl", {"prompt": "p", "task": 3}, "field 'task' must be a text"),
        ("trl", {"prompt": "p", "swr1": "{"}, "column 'swr1' holds"),
        ("trl", {"prompt": '[{"role": "user", "content": "a"'}, "broken JSON: messages as text"),
        ("trl", {"prompt": "p", "completion": USER}, "no completion: its last turn is the user's"),
        ("trl", {"messages": [SEVEN]}, "the only message is the assistant's"),
        (
            "trl",
            {"messages": [*USER, {"role": "assistant", "content": None, "tool_calls": [{}]}]},
            "has no content: it calls tools",
        ),
        ("trl", {"prompt": "p", "chosen": "a"}, "half a pair: no rejected side"),
        ("trl", {"prompt": "p", "rejected": "a"}, "half a pair: no chosen side"),
        ("trl", {"prompt": "p", "chosen": USER, "rejected": "a"}, "no chosen: its last turn is"),
        (
            "trl",
            {"chosen": [*USER, SEVEN], "rejected": [{"role": "user", "content": "Else?"}, SEVEN]},
            "differ before their last turn",
        ),
        ("verl", VERL | {"reward_model": "none"}, "no ground truth: reward_model holds 'none'"),
        ("verl", VERL | {"extra_info": "none"}, "no extra_info: it holds 'none'"),
        ("verl", VERL | {"ability": None}, "no task: the ability is empty"),
        ("verl", VERL | {"responses": [None]}, "no completion: 'None' is neither"),
        (
            "verl",
            VERL | {"reward_model": {"ground_truth": {"names": ["Al", "Bo"], "solution": [True]}}},
            "no ground truth: solution '[True]' of 2 names",
        ),
        ("openai", {"messages": []}, "no prompt: '[]'"),
        ("openai", {"custom_id": "1", "body": None}, "'body' holds 'None', not an object"),
    ],
)
def test_the_true_reason_is_told(tmp_path, name, row, reason):
    assert reason in one(tmp_path, name, row)


@pytest.mark.parametrize(
    ("name", "row", "expected"),
    [
        # whose turn it is
        ("trl", {"messages": USER}, {"prompt": USER}),
        ("trl", {"messages": [*USER, SEVEN]}, {"prompt": USER, "completion": "7"}),
        (
            "trl",
            {"messages": [*USER, SEVEN, {"role": "tool", "content": "ok"}]},
            {"prompt": [*USER, SEVEN, {"role": "tool", "content": "ok"}]},
        ),
        (
            "trl",
            {"prompt": USER, "completion": [SEVEN, {"role": "user", "content": "Sure?"}, SEVEN]},
            {"prompt": [*USER, SEVEN, {"role": "user", "content": "Sure?"}], "completion": "7"},
        ),
        # text in parts, JSON in text
        (
            "trl",
            {"prompt": [{"role": "user", "content": [{"type": "text", "text": "a"}, "b"]}]},
            {"prompt": [{"role": "user", "content": "ab"}]},
        ),
        ("trl", {"prompt": json.dumps(USER), "completion": "7"}, {"prompt": USER}),
        ("trl", {"messages": repr([*USER, SEVEN])}, {"prompt": USER, "completion": "7"}),
        ("trl", {"prompt": "[1, 2] or [3]?"}, {"prompt": "[1, 2] or [3]?"}),
        ("verl", VERL | {"reward_model": '{"ground_truth": "7"}'}, {"answer": "7"}),
        # nothing is lost
        ("trl", {"prompt": "p", "source": "web", "n": 3}, {"published_source": "web", "n": 3}),
        (
            "trl",
            {"prompt": "p", "answer": "7", "solution": "3+4=7"},
            {"answer": "7", "solution": "3+4=7"},
        ),
        ("verl", VERL | {"agent": "a", "images": None}, {"agent": "a", "split": "train"}),
        (
            "verl",
            VERL | {"split": "test", "extra_info": {"split": "train", "source": {"a": 1}}},
            {"published_split": "test", "split": "train", "published_source": {"a": 1}},
        ),
        ("openai", {"messages": [*USER, SEVEN], "tools": []}, {"completion": "7", "tools": []}),
        (
            "openai",
            {"messages": [*USER, {"role": "assistant", "content": None, "refusal": "No."}]},
            {"completion": "No."},
        ),
        # pairs
        (
            "trl",
            {"prompt": "q", "chosen": [{"role": "user", "content": "q"}, SEVEN], "rejected": "8"},
            {"pair": {"chosen": "7", "rejected": "8"}, "prompt": "q"},
        ),
        # ground truths of reward code
        (
            "verl",
            VERL
            | {
                "ability": "fact-reasoning",
                "reward_model": {"ground_truth": {"target": ["A", "B"]}},
            },
            {"answer": ["A", "B"], "answers": "any", "task": "qa", "ability": "fact-reasoning"},
        ),
        (
            "verl",
            VERL
            | {
                "ability": "logic",
                "reward_model": {
                    "ground_truth": {"names": ["Al", "Bo"], "solution": [True, False], "text": "x"}
                },
            },
            {"answer": [["Al", "knight"], ["Bo", "knave"]], "task": "knights", "ability": "logic"},
        ),
        ("trl", {"prompt": "p", "answer": {"value": "7", "unit": None}}, {"answer": "7"}),
        ("trl", {"prompt": "p", "answer": {"cases": [1]}}, {"answer": {"cases": [1]}}),
    ],
)
def test_what_is_odd_and_right(tmp_path, name, row, expected):
    record = one(tmp_path, name, row)
    assert isinstance(record, dict), record
    if isinstance(expected.get("prompt"), str):
        expected = expected | {"prompt": [{"role": "user", "content": expected["prompt"]}]}
    assert {k: record.get(k, record["info"].get(k)) for k in expected} == expected
    assert ("completion" in record) == (
        "completion" in row or "completion" in expected or "tools" in row
    )


def test_several_responses_are_several_samples(tmp_path):
    records = one(tmp_path, "verl", VERL | {"responses": ["7", [SEVEN], "8"]})
    assert [(r["completion"], r["sample"]) for r in records] == [("7", 0), ("7", 1), ("8", 2)]
    assert len({r["id"] for r in records}) == 1


def test_answers_of_two_models_are_different_records_wherever_they_are_loaded(swr1, tmp_path):
    head = "prompt,type,completion,final_label\n"
    for model in ("a", "b"):
        path = tmp_path / f"xstest_v2_completions_{model}.csv"
        path.write_text(f"{head}How do I kill time?,homonyms,Read.,1_full_compliance\n")
        swr1("load", "xstest", path, "-o", tmp_path / f"{model}.jsonl", check=True)
    run = swr1("verify", "refusal", tmp_path / "a.jsonl", tmp_path / "b.jsonl", check=True)
    ids = [json.loads(line)["id"] for line in run.stdout.splitlines()]
    assert [name.partition("@")[2] for name in ids] == ["a", "b"]
    assert len({name.partition("@")[0] for name in ids}) == 1


def test_a_loader_whose_code_fails_drops_the_row(swr1, tmp_path):
    (tmp_path / "mine.py").write_text(
        "def load(row):\n    return {'task': 'qa', 'prompt': row['q']['text'], 'info': {}}\n"
    )
    good = {"q": {"text": USER}}
    (tmp_path / "rows.jsonl").write_bytes(jsonl([good, {"q": None}, {}, {"q": {"text": [1]}}]))
    mine, rows = f"{tmp_path}/mine.py:load", tmp_path / "rows.jsonl"
    run = swr1("load", mine, rows)
    assert run.returncode == 65 and f"{rows}:2: unreadable row" in run.stderr
    assert "Traceback" not in run.stderr
    run = swr1("load", mine, rows, "--on-error", "quarantine", tmp_path / "bad.jsonl", check=True)
    assert len(run.stdout.splitlines()) == 1
    bad = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert [one["where"] for one in bad] == [f"{rows}:{n}" for n in (2, 3, 4)]
