"""What is put before the command line: odd records, Parquet, markers, plans, configurations."""

from __future__ import annotations

import copy
import gzip
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from swr1.puzzles.generator import generate
from swr1.records import make_id
from swr1.streams.parquet import SCHEMA, to_row


@dataclass
class Case:
    """A command line, its standard input, and the files beside it."""

    line: list[str]
    stdin: bytes = b""
    files: dict[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        for name, data in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)


def _whole(index: int) -> dict[str, Any]:
    """A record that has every field."""
    (puzzle,) = generate(1, people="3", start=index, trace="search", steps=True)
    tokens = [5, 6, 7]
    return {
        "v": 1,
        "id": make_id(puzzle["task"], puzzle["prompt"], puzzle["answer"]),
        **puzzle,
        "sample": 0,
        "completion": "<think>so</think><answer>"
        + "; ".join(f"{name} is a {role}" for name, role in puzzle["answer"])
        + "</answer>",
        "generation": {
            "epoch": 0,
            "group": 1,
            "prefill": "<think>",
            "policy": {"name": "runs/p", "version": 3},
            "engine": {"name": "hf", "version": "1", "dtype": "float32", "lacks": {}},
            "sampling": {"temperature": 1.0, "max_tokens": 9, "seed": 0},
            "prompt_ids": [1, 2],
            "token_ids": tokens,
            "logprobs": [-0.5] * 3,
            "loss_mask": [1] * 3,
            "finish_reason": "stop",
        },
        "verdicts": {
            "format": {"score": 1.0, "label": "ok", "detail": {"reasons": []}, "by": "format@1"},
            "knights": {"score": 1.0, "label": "correct", "detail": {}, "by": "knights@1"},
        },
        "reward": 1.0,
        "reward_parts": {"format": {"value": 1.0, "weight": 1.0}},
        "trail": {"rollout": "01234567"},
    }


WHOLE = [_whole(i) for i in range(3)]


def deep(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


ODD: list[Any] = [
    *(None, True, False, 0, -1, 3, 2**31, 2**63, 2**64, 10**30, 10**300, 0.5, -0.0, 1e308, 5e-324),
    *(
        "",
        "x",
        "\x00",
        "../../x",
        "1",
        "é\u202e\x1b[2J",
        "\ud7ff",
        "knight",
        "y" * 3000,
        "<answer>",
    ),
    *([], {}, [None], [[]], [{}], {"": None}, {"a": {"b": [1]}}, [1, "a", None], {"0": 1}, [[[]]]),
    *(deep(30), deep(199), deep(253), deep(600)),
]


@st.composite
def records(draw) -> dict[str, Any]:
    """A whole record with a few places changed."""
    record = copy.deepcopy(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(0, 3))):
        at: Any = record
        for _ in range(draw(st.integers(1, 5))):
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(at[key], dict | list) and at[key] and draw(st.booleans()):
                at = at[key]
                continue
            how = draw(st.integers(0, 9))
            if how == 0:
                del at[key]
            elif how == 1 and isinstance(at, dict):
                at[draw(st.sampled_from(["", "x", "names", "id", "score", "extra"]))] = draw(odd())
            else:
                at[key] = draw(odd())
            break
    return record


def odd() -> st.SearchStrategy[Any]:
    return st.sampled_from(ODD).map(copy.deepcopy)


def line_of(record: Any) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "replace")


BROKEN = [
    *(b"{", b"[]", b"1", b'"x"', b"null", b"\xff\xfe", b"\x00" * 9, b'{"id":NaN}', b"{}" * 2),
    *(b'{"id":"a"', b'{"id":"\\ud800"}', b"[" * 900 + b"]" * 900, b"[" * 3000, b'{"id":1e999}'),
    b'{"id":"a","id":2}',
]


@st.composite
def jsonl(draw) -> bytes:
    lines = draw(st.lists(records().map(line_of) | st.sampled_from(BROKEN), min_size=1, max_size=3))
    return b"\n".join(lines) + draw(st.sampled_from([b"\n", b"", b"\r\n", b"\n\n\t\n"]))


@st.composite
def parquet(draw) -> bytes:
    rows = [to_row(copy.deepcopy(r)) for r in WHOLE]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(table.column_names))
        at = table.column_names.index(name)
        how = draw(st.sampled_from(["drop", "add", "text", "ints", "bytes", "struct", "lists"]))
        values: Any = {
            "text": [
                draw(st.sampled_from(["{", "", "1", "[]", "null", "{}", "[" * 999])),
                None,
                "x",
            ],
            "ints": [1, None, 2**62],
            "bytes": [b"\xff", None, b""],
            "struct": [{"a": 1}, None, {"a": None}],
            "lists": [[1.5, None], None, []],
        }.get(how, ["a", None, "b"])
        if how == "drop":
            table = table.remove_column(at)
        elif how == "add":
            table = table.append_column(
                draw(st.sampled_from(["mine", "id", "b"])), pa.array(values)
            )
        else:
            table = table.set_column(at, name, pa.array(values))
        if not table.num_columns:
            break
    file = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(SCHEMA.metadata), file)
    data = bytearray(file.getvalue())
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


COMMANDS = [
    *(f"verify {v} IN" for v in ("format", "knights", "math", "choice", "exact", "f1", "trace")),
    *(f"verify {v} IN" for v in ("refusal", "length", "language", "repetition", "village")),
    *("verify format knights IN --only-missing -o o.jsonl", "verify knights IN --grader published"),
    *(
        "reward logic-rl IN",
        "reward safe-efficient IN --on-null skip",
        "reward logic-rl IN --explain a",
    ),
    *("reward safeladder-stage1 IN --on-null 0", "merge IN", "merge IN --partial -o o.parquet"),
    *("merge IN -o o.jsonl.gz", "merge IN -o o.jsonl.zst", "eval IN", "eval IN --json --by depth"),
    *("eval IN --suite all", "eval IN --suite safety,ability --detail --failures f.jsonl"),
    *("eval IN --memorisation", "eval IN --seen IN --list", "eval a=IN b=IN", "estimate IN"),
    *("estimate IN --value correct --json", "analyze IN", "analyze IN --by people --json"),
    *(
        "solve IN",
        "solve IN --reread --difficulty",
        "trace IN",
        "trace IN --style propagate --steps",
    ),
    *(
        f"perturb {k} IN"
        for k in ("statement", "leaf", "names", "roles", "flip", "order", "wording")
    ),
    *("sample IN -n 2", "sample IN --by people --order rising", "sample IN --where people=3"),
    *("attack all IN --shots 2", "export trl IN", "export verl IN", "export openai IN --model m"),
    *(
        "export trl IN -o e.parquet",
        "view IN",
        "view IN -n 2",
        "view IN --id a",
        "view IN -w people=3",
    ),
    *("load trl IN", "load verl IN", "load openai IN", "load kk IN", "load gsm8k IN", "status ."),
    *("plan --model 7B --lengths IN", "plot x=IN -o p.png", "solve --text x", "view ."),
]
NAMES = {"jsonl": "in.jsonl", "parquet": "in.parquet", "gz": "in.jsonl.gz", "stdin": "-"}


@st.composite
def on_records(draw) -> Case:
    kind = draw(st.sampled_from(["jsonl", "jsonl", "jsonl", "stdin", "gz", "parquet", "parquet"]))
    data = draw(parquet() if kind == "parquet" else jsonl())
    if kind == "gz":
        data = bytearray(gzip.compress(data))
        if draw(st.booleans()):
            data[draw(st.integers(0, len(data) - 1))] ^= 255
        data = bytes(data[: draw(st.sampled_from([len(data), len(data) // 2]))])
    line = draw(st.sampled_from(COMMANDS)).replace("IN", NAMES[kind]).split()
    takes = line[0] not in ("view", "status", "plan", "plot")
    if takes and draw(st.booleans()):
        line += draw(st.sampled_from([["--on-error", "skip"], ["--on-error", "quarantine", "q"]]))
    if kind == "stdin":
        return Case(line, data)
    return Case(line, files={NAMES[kind]: data})


PLAN = {"shards": 2, "stage": "verify", "options": {"names": ["format"]}}
META = {
    "stage": "verify",
    "version": "0",
    "digest": "0",
    "options": {"names": ["format"]},
    "inputs": {},
    "shard": [0, 2],
    "records": 3,
    "block": 1,
    "in": 3,
    "out": 3,
    "drops": {},
    "tallies": {},
    "per_input": [[1, 3]],
}


@st.composite
def small_json(draw, right: dict[str, Any]) -> bytes:
    """A small file of JSON with a place changed, or another thing altogether."""
    if draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from([*BROKEN, b"", b"{}", b"true", b"-1", b"2.5", b"1e9"]))
    changed: dict[str, Any] = copy.deepcopy(right)
    runs = [[[1, 10**15]], [[0, 10**15]], [[10**15, 1]], [[-1, 1]], [[1]], [1], "x", [[1, 3]]]
    for _ in range(draw(st.integers(0, 2))):
        changed[draw(st.sampled_from(list(right)))] = draw(odd() | st.sampled_from(runs))
    return line_of(changed)


@st.composite
def on_markers(draw) -> Case:
    whole = b"".join(orjson.dumps(r) + b"\n" for r in WHOLE)
    files = {"a.jsonl": whole, "s/plan.json": draw(small_json(PLAN))}
    for index in range(2):
        name = f"s/0000{index}-of-00002.jsonl"
        files |= {name: whole, f"{name}.meta.json": draw(small_json(META))}
    end = draw(st.sampled_from(["", ".part"]))
    files |= {f"o.jsonl{end}": whole, f"o.jsonl{end}.meta.json": draw(small_json(META))}
    lines = [
        "merge s/",
        "eval s/ --json",
        "status .",
        "view s/",
        "verify format a.jsonl -o o.jsonl",
    ]
    lines += [
        "verify format a.jsonl -o s/ --shard 0/2",
        "merge a.jsonl -o o.jsonl --force",
        "view .",
    ]
    return Case(draw(st.sampled_from(lines)).split(), files=files)


@st.composite
def on_config(draw) -> Case:
    values = ["true", "1", "-1", "10000000000000000000000000", "1.5", "nan", "inf", '"yes"', '""']
    values += ["[]", "[1]", '["a"]', "{}", "{a=1}", '"\\u0000"', "2020-01-01", "0x10"]
    lines = {
        "gen-puzzles -n 1": [
            "n",
            "people",
            "seed",
            "dry-run",
            "split",
            "depth",
            "names",
            "x",
            "quiet",
        ],
        "verify format in.jsonl": ["timeout", "set", "only_missing", "output", "metrics", "names"],
        "eval in.jsonl": ["by", "trained", "picture", "suite", "seen", "samples", "json", "config"],
        "sample in.jsonl": ["n", "by", "where", "order", "seed"],
    }
    line = draw(st.sampled_from(list(lines)))
    names = draw(st.lists(st.sampled_from(lines[line]), min_size=1, max_size=2, unique=True))
    text = "\n".join(f"{name} = {draw(st.sampled_from(values))}" for name in names)
    encode: Callable[[str], bytes] = draw(
        st.sampled_from([str.encode, str.encode, str.encode, lambda t: t.encode("utf-16")])
    )
    whole = b"".join(orjson.dumps(r) + b"\n" for r in WHOLE)
    files = {"in.jsonl": whole, "c.toml": encode(text)}
    return Case([*line.split(), "--config", "c.toml"], files=files)


@cache
def _policy() -> dict[str, bytes]:
    """The files of a tiny policy."""
    from swr1.training.init import DecoderConfig, init_policy

    with tempfile.TemporaryDirectory() as folder:
        texts = [record["prompt"][0]["content"] for record in WHOLE]
        init_policy(Path(folder, "p"), DecoderConfig(hidden=16, layers=1, heads=2), corpus=texts)
        return {
            f"p/{file.relative_to(f'{folder}/p')}": file.read_bytes()
            for file in Path(folder, "p").rglob("*")
            if file.is_file() and not file.is_symlink()
        }


@st.composite
def on_policies(draw) -> Case:
    """Stages that open a model: few, since each takes a second or more."""
    line = draw(
        st.sampled_from(
            [
                "rollout in.jsonl --policy p --max-tokens 2 --samples 2",
                "rollout in.jsonl --policy p --max-tokens 2 --on-error skip -o o.jsonl",
                "train-step grpo in.jsonl --policy p --batch 1",
                "train-step grpo in.jsonl --policy p --batch 1 --on-error skip",
                "train-step sft in.jsonl --policy p --batch 1 --on-error skip",
            ]
        )
    )
    return Case(line.split(), files={"in.jsonl": draw(jsonl()), **_policy()})


def cases() -> st.SearchStrategy[Case]:
    return st.one_of(on_records(), on_records(), on_records(), on_markers(), on_config())
