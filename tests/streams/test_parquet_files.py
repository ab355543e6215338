"""Parquet that others wrote or that was damaged: read, or told with its file; nothing is lost."""

import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from swr1.streams.parquet import SCHEMA, to_row, write_parquet
from tests.conftest import load, run_swr1

RECORDS = [{"id": f"r{i}", "answer": i, "info": {"n": i}, "mine": [i, "x"]} for i in range(5)]


def table() -> pa.Table:
    return pa.Table.from_pylist([to_row(dict(r)) for r in RECORDS], schema=SCHEMA)


def written(folder, changed: pa.Table):
    pq.write_table(changed.replace_schema_metadata(SCHEMA.metadata), folder / "a.parquet")
    return run_swr1("merge", "a.parquet", "-o", "b.jsonl", "--force", cwd=folder)


def test_missing_and_surplus_columns(tmp_path):
    done = written(tmp_path, table().drop_columns(["task", "order", "reward"]))
    assert done.returncode == 0, done.stderr
    for record, back in zip(RECORDS, load(tmp_path / "b.jsonl"), strict=True):
        assert {name: back[name] for name in record} == record
    more = table().append_column("score", pa.array([1, 2, None, 4, 5]))
    more = more.append_column("nest", pa.array([{"a": [1.5]}] * 5))
    assert written(tmp_path, more).returncode == 0
    back = load(tmp_path / "b.jsonl")
    assert [r.get("score") for r in back] == [1, 2, None, 4, 5] and "score" not in back[2]
    assert back[0]["nest"] == {"a": [1.5]}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *(("info", [1] * 5), ("info", [b"x"] * 5), ("info", [{"a": 1}] * 5), ("id", [1] * 5)),
        *(("extra", [1] * 5), ("extra", [["x"]] * 5), ("generation.token_ids", ["x"] * 5)),
        *(("reward", ["1"] * 5), ("order", [1.5] * 5), ("when", [b"\xff"] * 5)),
    ],
)
def test_a_column_of_another_type_is_refused_by_name(tmp_path, name, values):
    at = table().schema.get_field_index(name)
    changed = table().remove_column(at) if at >= 0 else table()
    done = written(tmp_path, changed.append_column(name, pa.array(values)))
    assert done.returncode == 65
    assert f"a.parquet: a Parquet file of another schema (column '{name}'" in done.stderr


@pytest.mark.parametrize("text", ["{", "", "[" * 3000, "NaN", "[" * 400 + "]" * 400])
@pytest.mark.parametrize("column", ["info", "extra", "order"])
def test_broken_json_in_a_column_is_a_bad_record(tmp_path, column, text):
    at = table().schema.get_field_index(column)
    old = table().column(column).to_pylist()
    changed = table().set_column(at, column, pa.array([*old[:3], text, old[4]], pa.string()))
    done = written(tmp_path, changed)
    assert done.returncode == 65 and "a.parquet:row 4: " in done.stderr
    done = run_swr1("merge", "a.parquet", "--on-error", "skip", cwd=tmp_path, check=True)
    assert len(done.stdout.splitlines()) == 4


def test_any_flipped_byte_is_told_with_the_file_or_changes_nothing(tmp_path):
    write_parquet(tmp_path / "whole.parquet", RECORDS)
    whole = (tmp_path / "whole.parquet").read_bytes()
    rng = random.Random(0)
    for _ in range(12):
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        (tmp_path / "a.parquet").write_bytes(data)
        done = run_swr1("verify", "format", "a.parquet", "--on-error", "skip", cwd=tmp_path)
        assert done.returncode in (0, 65) and "Traceback" not in done.stderr
        if done.returncode:
            assert done.stderr.count("\n") == 1 and "a.parquet" in done.stderr


def test_values_that_are_far_larger_than_their_file(tmp_path):
    """Of one text that a dictionary repeats, few rows are in memory at a time."""
    big = pa.DictionaryArray.from_arrays(pa.array([0] * 200, pa.int32()), pa.array(["x" * 2**24]))
    rows = table().slice(0, 1).to_pylist() * 200
    changed = pa.Table.from_pylist(rows, schema=SCHEMA).append_column("mine", big)
    pq.write_table(changed.replace_schema_metadata(SCHEMA.metadata), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 2**20
    line = "ulimit -v 3000000; exec swr1 merge a.parquet"
    import subprocess
    import sys
    from pathlib import Path

    done = subprocess.run(
        line.replace("swr1", str(Path(sys.executable).parent / "swr1")),
        shell=True,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 65 and b"duplicate" in done.stderr


@pytest.mark.parametrize(
    ("count", "what"),
    [
        (2**25 + 2**18, "a row"),
        pytest.param(2**26 + 1, "a column of a row group", marks=pytest.mark.slow),
    ],
)
def test_equal_numbers_without_end_are_no_record(tmp_path, count, what):
    """Some kilobytes of a file would be gigabytes of memory."""
    at = table().schema.get_field_index("generation.token_ids")
    ones = pa.ListArray.from_arrays(
        pa.array([0, 0, 0, 0, 0, count], pa.int32()), pa.array(np.ones(count, np.int32))
    )
    done = written(tmp_path, table().set_column(at, SCHEMA.field(at), ones))
    assert (tmp_path / "a.parquet").stat().st_size < 20_000
    assert done.returncode == 65
    assert f"a.parquet: {what} has" in done.stderr and "no file of records" in done.stderr
