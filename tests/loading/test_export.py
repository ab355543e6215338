"""`swr1 export` and back: TRL, verl and OpenAI files, ours and other people's."""

import json

import pyarrow.parquet as pq
import pytest

from swr1.errors import DataError, UsageError
from swr1.loading.export import export, write_rows
from tests.conftest import jsonl, load
from tests.loading.sink import Source, loaded

USER = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "One and one?"}]


def record(**more):
    info = {"dataset": "made", "split": "train", "level": 3, "mixed": [1, ["a"]]}
    return {"id": "a" * 16, "task": "math", "prompt": USER, "answer": "2", "info": info} | more


PROMPTS = [
    record(),
    record(id="b" * 16, task="knights", answer=[["Zoë", "knight"]]),
    record(id="c" * 16, task="safety", answer=None) | {"info": {"harmful": True}},
    record(id="d" * 16, answer="[0, 1)"),
]
COMPLETIONS = [record(completion="Two\u2028!"), record(completion="", sample=1)]
PAIRS = [record(info={"pair": {"chosen": "2", "rejected": "3"}})]


def there(tmp_path, shape, records, suffix, model=None):
    """The file that `swr1 export` writes."""
    out = tmp_path / f"out.{suffix}"
    kept = [{k: v for k, v in r.items() if v is not None} for r in records]
    write_rows(str(out), export(shape, Source(kept), model), shape)  # type: ignore[arg-type]
    return out


def bare(records):
    """What must come back: all but the place, and ids, which are made anew."""
    kept = []
    for one in records:
        info = {k: v for k, v in one["info"].items() if k != "source"}
        fields = ("task", "prompt", "answer", "completion", "sample")
        kept.append({k: one.get(k) for k in fields} | {"info": info})
    return kept


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    ("shape", "records"),
    [
        ("trl", PROMPTS),
        ("trl", COMPLETIONS),
        ("trl", PAIRS),
        ("verl", PROMPTS),
        ("verl", COMPLETIONS),
    ],
    ids=["trl-prompts", "trl-completions", "trl-pairs", "verl-prompts", "verl-completions"],
)
def test_there_and_back(tmp_path, shape, records, suffix):
    out = there(tmp_path, shape, records, suffix)
    back = loaded(shape, out)
    whole = [r | {"sample": r.get("sample", 0)} if "completion" in r else r for r in records]
    assert bare(back) == bare(whole)


@pytest.mark.slow
def test_trl_reads_what_is_written(tmp_path):
    datasets = pytest.importorskip("datasets")
    from trl.data_utils import is_conversational

    columns = {
        "prompts": ["prompt"],
        "completions": ["prompt", "completion"],
        "pairs": ["prompt", "chosen", "rejected"],
    }
    kinds = {"prompts": PROMPTS, "completions": COMPLETIONS, "pairs": PAIRS}
    for name, records in kinds.items():
        for suffix in ("jsonl", "parquet"):
            out = there(tmp_path, "trl", records, suffix)
            kind = {"jsonl": "json"}.get(suffix, suffix)
            data = datasets.load_dataset(
                kind, data_files=str(out), cache_dir=str(tmp_path / name), split="train"
            )
            assert len(data) == len(records) and is_conversational(data[0])
            assert data.column_names == [*columns[name], "id", "task", "answer", "swr1"]


def test_verl_columns_are_those_of_its_documents(tmp_path):
    row = pq.read_table(there(tmp_path, "verl", [record()], "parquet")).to_pylist()[0]
    extra = row.pop("extra_info")
    assert (extra["index"], extra["split"], extra["id"]) == (0, "train", "a" * 16)
    assert row == {
        "data_source": "made",
        "prompt": USER,
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": "2"},
    }


def test_openai_files(tmp_path):
    said = {"role": "assistant", "content": "Two\u2028!"}
    out = there(tmp_path, "openai", COMPLETIONS[:1], "jsonl")
    assert load(out) == [{"messages": [*USER, said]}]
    (back,) = loaded("openai", out)
    assert (back["prompt"], back["completion"], back["task"]) == (USER, "Two\u2028!", "chat")
    out = there(tmp_path, "openai", PAIRS, "jsonl")
    assert load(out)[0]["non_preferred_output"] == [{"role": "assistant", "content": "3"}]
    (back,) = loaded("openai", out, task="math")
    assert back["info"]["pair"] == PAIRS[0]["info"]["pair"] and back["task"] == "math"
    out = there(tmp_path, "openai", [record()], "jsonl", model="m")
    assert load(out)[0]["body"] == {"model": "m", "messages": USER}
    (back,) = loaded("openai", out)
    assert back["prompt"] == USER and back["info"]["custom_id"] == "a" * 16


OTHERS = [
    ("trl", {"prompt": "1+1?", "solution": "2", "level": 1}, {"answer": "2", "task": "qa"}),
    ("trl", {"messages": [*USER, {"role": "assistant", "content": "2"}]}, {"completion": "2"}),
    (
        "trl",
        {
            "chosen": [*USER, {"role": "assistant", "content": "2"}],
            "rejected": [*USER, {"role": "assistant", "content": "3"}],
        },
        {"prompt": USER, "pair": {"chosen": "2", "rejected": "3"}},
    ),
    (
        "trl",
        {"prompt": "1+1?", "chosen": "2", "rejected": "3"},
        {"pair": {"chosen": "2", "rejected": "3"}},
    ),
    (
        "verl",
        {
            "data_source": "openai/gsm8k",
            "prompt": USER,
            "ability": "math",
            "reward_model": {"style": "rule", "ground_truth": "2"},
            "extra_info": {"split": "test", "index": 7, "answer": "so #### 2"},
        },
        {"task": "math", "answer": "2", "dataset": "openai/gsm8k", "index": 7},
    ),
    ("openai", {"messages": USER, "expected": "2"}, {"prompt": USER, "expected": "2"}),
]


@pytest.mark.parametrize(("shape", "row", "expected"), OTHERS)
def test_files_of_other_people(tmp_path, shape, row, expected):
    (tmp_path / "rows.jsonl").write_bytes(jsonl([row]))
    (back,) = loaded(shape, tmp_path / "rows.jsonl")
    assert {k: back.get(k, back["info"].get(k)) for k in expected} == expected


def test_what_cannot_be_exported_is_told(swr1, tmp_path):
    picture = [{"role": "user", "content": [{"type": "image", "path": "a.png"}]}]
    records = [record(), record(id="b" * 16, prompt=picture), record(id="e" * 16, completion="2")]
    run = swr1("export", "trl", "-", "--on-error", "skip", stdin=jsonl(records), check=True)
    assert len(run.stdout.split("\n")) == 2
    assert "stdin:2: a prompt with a picture, and JSON holds no bytes" in run.stderr
    assert "stdin:3: another kind of record: a completion, the first was a prompt" in run.stderr
    run = swr1("export", "tlr", "-", stdin=jsonl([record()]))
    assert run.returncode == 2 and "Did you mean 'trl'?" in run.stderr
    with pytest.raises(DataError, match="records:1: no verl row"):
        there(tmp_path, "verl", PAIRS, "jsonl")
    with pytest.raises(UsageError, match="name --model"):
        there(tmp_path, "openai", [record()], "jsonl")
    with pytest.raises(UsageError, match="openai rows are written to"):
        there(tmp_path, "openai", COMPLETIONS, "parquet")
    assert not list(tmp_path.iterdir())
    (tmp_path / "x.jsonl").write_text(json.dumps({"prompt": "?", "ability": "math"}))
    with pytest.raises(DataError, match="not a file of verl: no column 'data_source'"):
        loaded("verl", tmp_path / "x.jsonl")


def test_from_the_command_line_to_parquet_and_back(swr1, tmp_path):
    out = tmp_path / "out.parquet"
    run = swr1("export", "trl", "-", "-o", out, stdin=jsonl(PAIRS), check=True)
    assert "1 in, 1 out" in run.stderr and not run.stdout
    (back,) = [
        json.loads(line) for line in swr1("load", "trl", out, check=True).stdout.split("\n")[:1]
    ]
    assert bare([back]) == bare(PAIRS)


OPENED = record(
    task="knights",
    completion="Zoë lies.</think><answer>Zoë is a knave</answer>",
    answer=[["Zoë", "knave"]],
    sample=0,
    generation={"prefill": "<think>\n", "epoch": 0},
)
WHOLE = "<think>\nZoë lies.</think><answer>Zoë is a knave</answer>"


@pytest.mark.parametrize("shape", ["trl", "verl", "openai"])
def test_a_completion_leaves_as_the_whole_turn_and_is_judged_as_before(swr1, tmp_path, shape):
    row = load(there(tmp_path, shape, [OPENED], "jsonl"))[0]
    turn = {
        "trl": lambda: row["completion"],
        "verl": lambda: [{"role": "assistant", "content": row["responses"][0]}],
        "openai": lambda: row["messages"][-1:],
    }[shape]()
    assert turn == [{"role": "assistant", "content": WHOLE}]
    back = swr1("load", shape, tmp_path / "out.jsonl", check=True).stdout
    judged = [swr1("verify", "format", stdin=s, check=True) for s in (jsonl([OPENED]), back)]
    labels = [json.loads(run.stdout)["verdicts"]["format"]["label"] for run in judged]
    assert labels == ["ok", "ok"]


def test_the_rollouts_system_prompt_goes_before_the_messages(swr1, tmp_path):
    (tmp_path / "system.txt").write_text("Think first.")
    asked = ("export", "trl", "-", "--system-prompt", tmp_path / "system.txt")
    row = json.loads(swr1(*asked, stdin=jsonl([OPENED]), check=True).stdout)
    assert row["prompt"] == [
        {"role": "system", "content": "Think first.\n\nBe short."},
        *USER[1:],
    ]
    no_system = OPENED | {"prompt": USER[1:]}
    row = json.loads(swr1(*asked, stdin=jsonl([no_system]), check=True).stdout)
    assert row["prompt"][0] == {"role": "system", "content": "Think first."}


def test_messages_leave_with_their_names_and_their_text(tmp_path):
    prompt = [
        {
            "role": "user",
            "name": "ann",
            "content": [{"type": "text", "text": "One "}, {"type": "text", "text": "and one?"}],
        }
    ]
    said = {"role": "user", "name": "ann", "content": "One and one?"}
    assert load(there(tmp_path, "trl", [record(prompt=prompt)], "jsonl"))[0]["prompt"] == [said]
    mixed = [record(), record(id="b" * 16, prompt=prompt)]
    rows = pq.read_table(there(tmp_path, "trl", mixed, "parquet")).to_pylist()
    assert rows[1]["prompt"] == [said]
    late = [record(id=f"{i:016x}") for i in range(1000)] + [record(prompt=prompt)]
    with pytest.raises(DataError, match="messages with name, which the first 1,000"):
        there(tmp_path, "trl", late, "parquet")


@pytest.mark.parametrize("shape", ["trl", "verl", "openai"])
@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ([], "an empty prompt"),
        ([{"role": "user", "content": [{"type": "video"}]}], "of the user, holds a picture, or"),
    ],
)
def test_a_prompt_that_nobody_can_answer_is_a_bad_record(tmp_path, shape, prompt, reason):
    with pytest.raises(DataError, match=f"records:1: .*{reason}"):
        there(tmp_path, shape, [record(prompt=prompt)], "jsonl", model="m")


def test_a_pair_keeps_what_comes_before_its_last_turn_or_is_refused(tmp_path):
    said = [{"role": "assistant", "content": "2"}]
    pair = {"chosen": [*USER, *said], "rejected": "3"}
    row = load(there(tmp_path, "trl", [record(info={"pair": pair})], "jsonl"))[0]
    assert (row["prompt"], row["chosen"], row["rejected"][0]["content"]) == (USER, said, "3")
    pair = {"chosen": [*said, {"role": "user", "content": "?"}, *said], "rejected": "3"}
    with pytest.raises(DataError, match="differ before their last turn"):
        there(tmp_path, "trl", [record(info={"pair": pair})], "jsonl")


def test_verl_gets_the_names_that_it_scores(tmp_path):
    names = {"gsm8k": "openai/gsm8k", "math-500": "HuggingFaceH4/MATH-500", "made": "made"}
    records = [record(id=n * 2, info={"dataset": n}) for n in names]
    out = there(tmp_path, "verl", records, "jsonl")
    assert [row["data_source"] for row in load(out)] == list(names.values())
    assert [r["info"]["dataset"] for r in loaded("verl", out)] == list(names)


PUZZLE = {"id": "a" * 16, "task": "knights", "prompt": USER[1:], "answer": [["Mia", "knave"]]}


def test_what_is_to_be_trained_on_has_the_prompt_of_its_task_and_the_opened_turn(swr1):
    (row,) = map(
        json.loads, swr1("export", "trl", stdin=jsonl([PUZZLE]), check=True).stdout.splitlines()
    )
    system, user, opened = row["prompt"]
    assert system["role"] == "system" and "<answer>" in system["content"]
    assert (user, opened) == (USER[1], {"role": "assistant", "content": "<think>"})
    for shape, more in (("verl", ()), ("openai", ("--model", "m"))):
        done = swr1("export", shape, *more, stdin=jsonl([PUZZLE]), check=True)
        row = json.loads(done.stdout)
        turns = row["prompt"] if shape == "verl" else row["body"]["messages"]
        assert [turn["role"] for turn in turns] == ["system", "user"]


def test_the_prompt_of_the_policy_goes_before_the_task_s(swr1, tmp_path):
    (tmp_path / "kk").mkdir()
    (tmp_path / "kk/config.json").write_text("{}")
    kept = {"name": "mine", "digest": "", "system": "Be brief.", "prefill": "So"}
    (tmp_path / "kk/swr1.json").write_text(json.dumps({"system_prompt": kept}))
    line = ("export", "trl", "--policy", tmp_path / "kk")
    done = swr1(*line, stdin=jsonl([PUZZLE]), check=True)
    assert [t["content"] for t in json.loads(done.stdout)["prompt"]] == [
        "Be brief.",
        USER[1]["content"],
        "So",
    ]
    assert "the system prompt is mine" in done.stderr
    done = swr1(*line, "--system-prompt", "none", stdin=jsonl([PUZZLE]), check=True)
    assert json.loads(done.stdout)["prompt"] == USER[1:]


def test_a_completion_leaves_with_the_prompt_that_it_was_made_with(swr1):
    made = {"name": "mine", "digest": "", "system": "Be brief.", "prefill": "<think>\n"}
    records = [PUZZLE | {"completion": "so", "generation": {"system_prompt": made}}]
    row = json.loads(swr1("export", "trl", stdin=jsonl(records), check=True).stdout)
    assert row["prompt"][0]["content"] == "Be brief." and len(row["prompt"]) == 2
    row = json.loads(
        swr1("export", "trl", stdin=jsonl([PUZZLE | {"completion": "so"}]), check=True).stdout
    )
    assert row["prompt"] == USER[1:]  # nobody knows


def test_rows_with_replies_of_tools_are_pointed_out(swr1):
    """A row has no loss mask: whoever trains on it trains on the replies, too."""
    turns = [
        {"kind": "wrote", "characters": [0, 1]},
        {"kind": "read", "tool": "search", "characters": [1, 2]},
    ]
    record = {"id": "a", "task": "qa", "prompt": [{"role": "user", "content": "Q"}]}
    record |= {"completion": "ab", "generation": {"turns": turns}}
    own = {**record, "id": "b", "generation": {"turns": turns[:1]}}
    for records, told in (([own, record, {**record, "id": "c"}], 1), ([own], 0)):
        run = swr1("export", "trl", "-", stdin=jsonl(records), check=True)
        assert run.stderr.count("learns to write replies") == told
