"""`swr1 load jsonl`, `csv` and `parquet`: rows of one's own by their columns; and what stages say of rows."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from swr1.errors import DataError
from swr1.rows import is_row, way_in
from tests.conftest import jsonl
from tests.loading.sink import loaded

NAMES = {"prompt": "question", "completion": "response", "answer": "gold", "task": "math"}
ROW = {"question": "2+2?", "response": "4", "gold": 4}
USER = [{"role": "user", "content": "2+2?"}]


def rows(path, *several):
    path.write_bytes(jsonl(several))
    return path


def one(path, row, **options):
    (record,) = loaded("jsonl", rows(path, row), **(NAMES | options))
    return record


def test_columns_become_fields_and_the_rest_is_kept(tmp_path):
    row = ROW | {"model": "a", "level": 3, "source": "exam", "nothing": None}
    record = one(tmp_path / "mine.jsonl", row)
    assert record["prompt"] == USER and record["completion"] == "4" and record["sample"] == 0
    assert record["answer"] == "4" and record["task"] == "math" and record["id"].endswith("@a")
    where = {"where": f"{tmp_path}/mine.jsonl:1"}
    kept = {"model": "a", "level": 3, "published_source": "exam", "source": where}
    assert record["info"] == kept
    assert one(tmp_path / "m.jsonl", row, keep="level")["info"].keys() == {
        "model",
        "level",
        "source",
    }
    assert one(tmp_path / "m.jsonl", row, keep="none")["info"].keys() == {"model", "source"}


def test_several_completions_are_samples_of_one_prompt(tmp_path):
    listed = loaded("jsonl", rows(tmp_path / "a.jsonl", ROW | {"response": ["3", "4"]}), **NAMES)
    repeated = rows(tmp_path / "b.jsonl", ROW | {"response": "3"}, ROW)
    assert [(r["sample"], r["completion"]) for r in listed] == [(0, "3"), (1, "4")]
    key = ("id", "sample", "completion")
    again = loaded("jsonl", repeated, **NAMES)
    assert [[r[k] for k in key] for r in listed] == [[r[k] for k in key] for r in again]


def test_prompts_and_completions_may_be_messages(tmp_path):
    said = [{"role": "assistant", "content": "4"}]
    record = one(tmp_path / "m.jsonl", ROW | {"question": USER, "response": said})
    assert record["prompt"] == USER and record["completion"] == "4"
    row = {"chat": [*USER, *said], "gold": 4, "who": "Be brief."}
    (record,) = loaded(
        "jsonl", rows(tmp_path / "c.jsonl", row), prompt="chat", system="who", task="math"
    )
    system = {"role": "system", "content": "Be brief."}
    assert record["prompt"] == [system, *USER] and record["completion"] == "4"
    with pytest.raises(DataError, match="two system prompts"):
        one(tmp_path / "s.jsonl", ROW | {"question": [system, *USER], "who": "x"}, system="who")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (4, "4"),
        (27.0, "27"),
        (True, "true"),
        (["a", 2], ["a", "2"]),
        ('["Rome", "Roma"]', ["Rome", "Roma"]),
        ("[1, 2]", "[1, 2]"),  # an interval, and no list
        ([["Theo", "knight"]], [["Theo", "knight"]]),
        ({"value": 3}, "3"),
        (None, None),
        ("", None),
    ],
)
def test_answers(tmp_path, written, read):
    assert one(tmp_path / "a.jsonl", ROW | {"gold": written}).get("answer") == read


def test_the_task_is_a_column_or_the_task_itself(tmp_path):
    path = rows(tmp_path / "t.jsonl", ROW | {"task": "qa", "kind": "choice"})
    named = {k: v for k, v in NAMES.items() if k != "task"}
    assert loaded("jsonl", path, **named)[0]["task"] == "qa"
    assert loaded("jsonl", path, **NAMES)[0]["task"] == "math"
    assert loaded("jsonl", path, **named, task="kind")[0]["task"] == "choice"
    assert loaded("jsonl", path, **named, task="riddles")[0]["task"] == "riddles"


CSV = 'question,response,gold,model\n"2 + ""2"",\nor so?",4,4,a\n"2 + ""2"",\nor so?",,4,b\n'


@pytest.mark.parametrize("head", ["", "\ufeff"])
@pytest.mark.parametrize("parted_by", [",", ";"])
def test_csv(tmp_path, head, parted_by):
    text = CSV if parted_by == "," else CSV.replace(",", ";").replace('";\nor', '",\nor')
    (tmp_path / "m.csv").write_text(head + text)
    a, b = loaded("csv", tmp_path / "m.csv", **NAMES)
    assert a["prompt"][0]["content"].replace(";", ",") == '2 + "2",\nor so?'
    assert (a["completion"], b["completion"]) == (
        "4",
        "",
    )  # an empty one is wrong, and not left out
    assert b["info"]["source"]["where"].endswith("m.csv:4")


def test_csv_from_a_pipe_and_settings_in_one_go(swr1, tmp_path):
    words = ["--set", *(f"{k}={v}" for k, v in NAMES.items())]
    run = swr1("load", "csv", "-", *words, stdin=CSV, check=True)
    assert [json.loads(line)["info"]["model"] for line in run.stdout.splitlines()] == ["a", "b"]


def test_parquet(tmp_path):
    pq.write_table(pa.Table.from_pylist([ROW | {"response": ["3", "4"]}]), tmp_path / "m.parquet")
    assert [r["completion"] for r in loaded("parquet", tmp_path / "m.parquet", **NAMES)] == [
        "3",
        "4",
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "no column 'prompt' for prompt; .* Name yours: swr1 load jsonl FILE --set prompt=que"),
        (NAMES | {"completion": "respnse"}, "'respnse' for completion .did you mean 'response'"),
        (NAMES | {"task": "mth"}, "'mth' is no task .did you mean 'math'"),
        (NAMES | {"task": "TASK"}, "nothing says what the task is: --set task= one of math"),
        (NAMES | {"keep": "level"}, "no column 'level' for keep"),
    ],
)
def test_a_column_that_is_not_there_is_one_error(tmp_path, options, told):
    with pytest.raises(DataError, match=told):
        loaded("jsonl", rows(tmp_path / "m.jsonl", ROW), **options)


def test_a_row_without_its_completion_is_bad(tmp_path):
    with pytest.raises(DataError, match=r"m.jsonl:2: no completion: column 'response' is empty"):
        loaded("jsonl", rows(tmp_path / "m.jsonl", ROW, ROW | {"response": None}), **NAMES)


def test_a_plain_function_numbers_samples_as_a_declared_one_does(swr1, tmp_path):
    (tmp_path / "plain.py").write_text(
        "def load(row):\n    prompt = [{'role': 'user', 'content': row['question']}]\n"
        "    return {'task': 'math', 'prompt': prompt, 'completion': row['response']}\n"
    )
    path = rows(tmp_path / "m.jsonl", ROW, ROW | {"response": "5"}, ROW)
    loader = f"{tmp_path}/plain.py:load"
    whole = [json.loads(x) for x in swr1("load", loader, path, check=True).stdout.splitlines()]
    assert [r["sample"] for r in whole] == [0, 1, 2] and len({r["id"] for r in whole}) == 1
    parts = [swr1("load", loader, path, "--shard", f"{i}/2", check=True).stdout for i in (0, 1)]
    assert sorted(json.loads(x)["sample"] for p in parts for x in p.splitlines()) == [0, 1, 2]


STAGES = [
    "verify math",
    "eval",
    "reward logic-rl",
    "sample",
    "analyze",
    "merge",
    "view",
    "export trl",
]


@pytest.mark.parametrize("stage", STAGES)
def test_stages_name_the_way_in_for_rows(swr1, tmp_path, stage):
    path = rows(tmp_path / "mine.jsonl", ROW | {"a\x1b[31m": 1})
    run = swr1(*stage.split(), path)
    assert (run.returncode, run.stdout) == (65, "")
    assert f"{path}:1: a row, no record: its columns are 'question', 'response'" in run.stderr
    command = (
        f"swr1 load jsonl {path} --set prompt=question completion=response answer=gold task=math"
    )
    assert command in run.stderr and "\x1b" not in run.stderr


def test_stages_name_the_way_in_for_csv(swr1, tmp_path):
    (tmp_path / "m.csv").write_text(CSV)
    run = swr1("verify", "math", tmp_path / "m.csv")
    assert run.returncode == 65 and f"load csv {tmp_path}/m.csv --set prompt=question" in run.stderr


def test_stages_name_the_way_in_for_parquet_and_one_json_document(swr1, tmp_path):
    pq.write_table(pa.Table.from_pylist([ROW]), tmp_path / "m.parquet")
    (tmp_path / "m.json").write_text(json.dumps([ROW], indent=1))
    (tmp_path / "line.json").write_text(json.dumps([ROW]))
    run = swr1("verify", "math", tmp_path / "m.parquet")
    assert run.returncode == 65
    assert (
        f"swr1 load parquet {tmp_path}/m.parquet --set prompt=question completion=resp"
        in run.stderr
    )
    run = swr1("verify", "math", tmp_path / "m.json")
    assert run.returncode == 65 and f"swr1 load jsonl {tmp_path}/m.json --set prompt=" in run.stderr
    run = swr1("verify", "math", tmp_path / "line.json")
    assert run.returncode == 65 and "line.json --set prompt=question completion=" in run.stderr


def test_records_with_a_fault_are_no_rows():
    good = {"v": 1, "id": "a", "prompt": USER}
    assert not is_row(good | {"prompt": "a text"})  # its version says that it is a record
    assert not is_row({"id": "a", "prompt": USER, "verdicts": 3})
    assert (
        is_row([ROW])
        and not is_row([[ROW]])
        and not is_row([])
        and not is_row({})
        and not is_row({"completion": "x"})
    )
    assert is_row({"prompt": "2+2?"}) and is_row(ROW | {"id": 7})
    assert way_in({"prompt": "2+2?"}, "q r.jsonl") == "swr1 load jsonl 'q r.jsonl' --set task=TASK"
