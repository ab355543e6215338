"""What a record may hold: whole numbers of any size, so many levels, a type for every field."""

import json
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.records import MAX_DEPTH, float32_list, pack, parse, validate
from swr1.streams.parquet import read_parquet, write_parquet
from tests.conftest import SWR1, jsonl, load, run_swr1
from tests.strategies import json as values

LARGE = [2**63, 2**64 - 1, 2**64, 2**64 + 1, -(2**63), -(2**63) - 1, 10**300, -(10**40)]


@given(st.recursive(st.sampled_from(LARGE) | values, st.lists, max_leaves=5))
def test_what_is_packed_is_parsed(value):
    assert parse(pack(value)) == value
    assert json.loads(pack(value)) == value
    if not any(str(n) in json.dumps(value) for n in LARGE):
        assert pack(value) == orjson.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        f'{{"a":{10**30}}}',
        f"[ -{10**30} ]",
        f'{{"a": [1, {2**64}\t]}}',
        '{"a":"x: 18446744073709551617, y"}',
        '{"a":1.8446744073709551617}',
        '{"a":18446744073709551617.0}',
        '{"a":12345678901234567890e3}',
    ],
)
def test_numbers_are_read_as_python_reads_them(text):
    value = parse(text.encode())
    assert value == json.loads(text)
    assert repr(value) == repr(json.loads(text))


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "parquet"])
def test_large_numbers_pass_through_every_stage(tmp_path, suffix):
    record = {"id": "a", "completion": "\\boxed{18446744073709551617}", "seeds": LARGE}
    record |= {"answer": 18446744073709551617, "task": "math", "info": {"seed": 2**70}}
    record |= {"prompt": [{"role": "user", "content": "?"}]}
    (tmp_path / "a.jsonl").write_bytes(pack(record) + b"\n")
    run_swr1("merge", "a.jsonl", "-o", f"b.{suffix}", cwd=tmp_path, check=True)
    run_swr1("verify", "math", f"b.{suffix}", "-o", "c.jsonl", cwd=tmp_path, check=True)
    text = (tmp_path / "c.jsonl").read_text()
    back = json.loads(text)
    assert back["verdicts"]["math"]["label"] == "correct"
    assert {name: back[name] for name in record} == record
    for stage in ("sample -n 1", "export trl", "view --plain -n 1"):
        done = run_swr1(*stage.split(), "c.jsonl", cwd=tmp_path, check=True)
        assert "18446744073709551617" in done.stdout


def nested(levels: int) -> bytes:
    return b'{"id":"a","completion":"x","deep":' + b"[" * levels + b"]" * levels + b"}"


def test_reading_and_writing_agree_on_how_deep_a_record_may_be(tmp_path):
    pack(parse(nested(MAX_DEPTH - 1)))
    for levels in (MAX_DEPTH, 254, 255, 1000, 1023):
        with pytest.raises(ValueError, match="nested deeper"):
            parse(nested(levels))
    (tmp_path / "a.jsonl").write_bytes(nested(MAX_DEPTH - 1) + b"\n" + nested(400) + b"\n")
    for end in ("", "-o b.parquet", "-o b.jsonl.zst"):
        line = f"merge a.jsonl --on-error quarantine bad {end}"
        done = run_swr1(*line.split(), cwd=tmp_path, check=True)
        assert "1 dropped" in done.stderr
        assert "a.jsonl:2" in load(tmp_path / "bad")[0]["where"]
    done = run_swr1("merge", "a.jsonl", cwd=tmp_path)
    assert done.returncode == 65 and "a.jsonl:2: nested deeper than 200" in done.stderr
    assert run_swr1("view", "a.jsonl", cwd=tmp_path, check=True).stdout.count("nested deeper") == 1


@pytest.mark.parametrize(
    "change",
    [
        *({"generation": None}, {"generation": 5}, {"generation": {"epoch": True}}),
        *({"generation": {"token_ids": None}}, {"generation": {"policy": None}}),
        *({"verdicts": {"x": 1}}, {"verdicts": {"x": {"score": "1"}}}, {"verdicts": None}),
        *({"verdicts": {"x": {"score": 1, "label": []}}}, {"reward_parts": {"x": 1}}),
        *({"prompt": [{"role": 1, "content": "x"}]}, {"prompt": [{"role": "user", "content": 1}]}),
        *({"prompt": [{"role": "user", "content": ["x"]}]}, {"info": None}, {"trail": []}),
        {"generation": {"logprobs": [1e308, None]}},
    ],
)
def test_a_field_of_another_shape_is_a_bad_record(tmp_path, change):
    good = {"id": "a", "completion": "x"}
    for _ in range(2):  # also when records of that shape have passed
        validate(good)
        with pytest.raises(ValueError, match="field '"):
            validate(good | change)
    (tmp_path / "a.jsonl").write_bytes(jsonl([good | change, good]))
    done = run_swr1("verify", "format", "a.jsonl", cwd=tmp_path)
    assert done.returncode == 65 and "a.jsonl:1: field '" in done.stderr
    done = run_swr1("merge", "a.jsonl", "--on-error", "skip", cwd=tmp_path, check=True)
    assert len(done.stdout.splitlines()) == 1 and "1 dropped" in done.stderr


@pytest.mark.parametrize("line", ["merge", "eval", "estimate", "analyze", "export trl", "solve"])
@pytest.mark.parametrize("change", [{"generation": {"epoch": True}}, {"prompt": [{"role": 1}]}])
def test_every_reader_names_a_field_of_another_shape(tmp_path, line, change):
    good = {"id": "a", "completion": "x"}
    (tmp_path / "a.jsonl").write_bytes(jsonl([good | change, good]))
    done = run_swr1(*line.split(), "a.jsonl", cwd=tmp_path)
    assert done.returncode == 65 and "a.jsonl:1: field '" in done.stderr


def test_large_floats_make_no_warning(recwarn, tmp_path):
    record = {"id": "a", "generation": {"token_ids": [1, 2], "logprobs": [-1e308, -1e308]}}
    validate(record)
    assert float32_list([1.5, -2.0]) == [1.5, -2.0]
    write_parquet(tmp_path / "x.parquet", [record])
    assert list(read_parquet(tmp_path / "x.parquet")) == [record]
    # what an earlier test left open may be collected, and told, in this one
    assert not [w for w in recwarn.list if w.category is not ResourceWarning]


def test_the_order_of_fields_outlives_parquet(tmp_path):
    record = {"z": 1, "reward": 0.5, "id": "a", "trail": {}, "v": 1, "answer": None}
    record["generation"] = {"x": 2, "token_ids": [1], "epoch": 0}
    write_parquet(tmp_path / "x.parquet", [record])
    (back,) = read_parquet(tmp_path / "x.parquet")
    assert pack(back) == pack(record)


def test_merge_heeds_on_error(tmp_path):
    lines = [b'{"id":"a"}', b"{", b'{"id":7}', b'{"id":"b"}', b'{"id":"a"}']
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    done = run_swr1("merge", "a.jsonl", "--on-error", "skip", cwd=tmp_path, check=True)
    assert [json.loads(x)["id"] for x in done.stdout.splitlines()] == ["a", "b"]
    line = "merge a.jsonl --on-error quarantine bad -o o.jsonl"
    run_swr1(*line.split(), cwd=tmp_path, check=True)
    assert [r["where"] for r in load(tmp_path / "bad")] == [f"a.jsonl:{n}" for n in (2, 3, 5)]
    assert run_swr1("merge", "a.jsonl", cwd=tmp_path).returncode == 65


def test_a_group_of_a_billion_costs_nothing(tmp_path):
    record = {"id": "a", "sample": 0, "generation": {"group": 10**12}}
    (tmp_path / "a.jsonl").write_bytes(jsonl([record]))
    done = run_swr1("merge", "a.jsonl", cwd=tmp_path)
    assert done.returncode == 65 and "lacks the samples 1, 2, 3," in done.stderr


WRITER = """
import json, os, time
try:
    for i in range(10**6):
        lines = [json.dumps({"id": f"{i}-{k}", "completion": "x" * 9000}) + "\\n" for k in range(4)]
        data = "".join(lines).encode()
        while data:
            data = data[os.write(1, data):]
        time.sleep(0.01 if i % 3 else 0.3)
except BrokenPipeError:
    pass
"""
READER = """
from itertools import islice
from swr1.streams.reading import read
print(len(list(islice(read(["-"], on_bad=print), 10))))
"""


def test_a_reader_that_leaves_lets_tee_end_its_file_in_a_whole_line(tmp_path):
    Path(tmp_path / "w.py").write_text(WRITER)
    Path(tmp_path / "r.py").write_text(READER)
    line = f"{sys.executable} w.py | tee kept.jsonl | {sys.executable} r.py"
    done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "10\n"
    kept = (tmp_path / "kept.jsonl").read_bytes()
    assert kept.endswith(b"}\n") and len(load(tmp_path / "kept.jsonl")) >= 10
    assert subprocess.run([SWR1, "merge", "-q", "kept.jsonl"], cwd=tmp_path).returncode == 0
