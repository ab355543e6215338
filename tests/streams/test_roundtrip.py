"""JSONL -> every format -> JSONL is the identity, and files are equal when records are."""

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swr1.streams.parquet import read_parquet, write_parquet
from swr1.streams.reading import read
from tests.conftest import jsonl, load
from tests.strategies import records


def refuse(where, reason, raw):
    raise AssertionError(f"{where}: {reason}")


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(records, max_size=5))
def test_parquet_gives_back_what_it_was_given(tmp_path_factory, items):
    path = tmp_path_factory.mktemp("parquet") / "x.parquet"
    items = [orjson.loads(orjson.dumps(item)) for item in items if item.get("sample", 0) < 2**63]
    write_parquet(path, items)
    back = list(read_parquet(path))
    assert back == items
    for item, again in zip(items, back, strict=True):
        # 3 and 3.0 are equal in Python and different in JSON
        packed = [orjson.dumps(x, option=orjson.OPT_SORT_KEYS) for x in (item, again)]
        assert packed[0] == packed[1]


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "jsonl.zst", "parquet"])
def test_merge_through_every_format(swr1, tmp_path, suffix):
    source = [{"id": f"r{i}", "answer": [i, None], "extra": {"a": [1.5, "é"]}} for i in range(300)]
    (tmp_path / "a.jsonl").write_bytes(jsonl(source))
    swr1("merge", "a.jsonl", "-o", f"b.{suffix}", cwd=tmp_path, check=True)
    first = (tmp_path / f"b.{suffix}").read_bytes()
    swr1("merge", f"b.{suffix}", "-o", "c.jsonl", cwd=tmp_path, check=True)
    back = load(tmp_path / "c.jsonl")
    for record in back:
        assert record.pop("trail")["merge"]
    assert back == source
    swr1("merge", "a.jsonl", "-o", f"b.{suffix}", "--force", cwd=tmp_path, check=True)
    assert (tmp_path / f"b.{suffix}").read_bytes() == first


def test_many_inputs_in_order_and_globs(tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.jsonl").write_bytes(jsonl([{"id": name}]))
    given_order = [str(tmp_path / "b.jsonl"), str(tmp_path / "a.jsonl")]
    assert [r["id"] for r, _ in read(given_order, on_bad=refuse)] == ["b", "a"]
    glob = [str(tmp_path / "*.jsonl")]
    assert [r["id"] for r, _ in read(glob, on_bad=refuse)] == ["a", "b"]
    assert [r["id"] for r, _ in read([str(tmp_path)], on_bad=refuse)] == ["a", "b"]


def test_blocks_of_a_shard_stay_together(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(jsonl({"id": str(i)} for i in range(10)))
    shards = [
        [r["id"] for r, _ in read([str(file)], on_bad=refuse, shard=(i, 2), block=3)]
        for i in range(2)
    ]
    assert shards == [list("012678"), list("3459")]
