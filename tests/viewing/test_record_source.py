"""Records by number from files that are large, packed, torn, or still growing."""

import gzip

import orjson
import pytest

from swr1.errors import DataError, UsageError
from swr1.streams.parquet import write_parquet
from swr1.viewing.source import BROKEN, Source, record_files
from tests.conftest import jsonl

RECORDS = [{"id": f"{i:04d}", "info": {"i": i}, "completion": "é" * (i % 7)} for i in range(1000)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.parquet", "a.jsonl.part"])
def test_any_record_by_number_in_any_format(tmp_path, name):
    file = tmp_path / name
    if name.endswith(".gz"):
        file.write_bytes(gzip.compress(jsonl(RECORDS)))
    elif name.endswith(".parquet"):
        write_parquet(file, RECORDS)
    else:
        file.write_bytes(jsonl(RECORDS))
    source = Source([str(file)])
    assert source.count == 0
    assert source[70] == RECORDS[70]
    assert source.count < 200, "no further than asked"
    for n in (999, 0, 63, 64, 500, 999):
        assert source[n] == RECORDS[n]
    assert source.count == 1000
    with pytest.raises(IndexError):
        source[1000]
    assert [r for _, r in source.walk(990)] == RECORDS[990:]


def test_numbers_stay_while_two_files_grow(tmp_path):
    a, b = tmp_path / "0.jsonl.part", tmp_path / "1.jsonl.part"
    a.write_bytes(jsonl(RECORDS[:70]) + b'{"id": "00')
    b.write_bytes(jsonl(RECORDS[100:110]))
    source = Source([str(a), str(b)])
    before = [r["id"] for _, r in source.walk()]
    assert before == [r["id"] for r in RECORDS[:70] + RECORDS[100:110]]
    with open(a, "ab") as handle:
        handle.write(b'70"}\n')
    with open(b, "ab") as handle:
        handle.write(jsonl(RECORDS[110:111]))
    after = [r["id"] for _, r in source.walk()]
    assert after[:80] == before
    assert sorted(after[80:]) == ["0070", "0110"]
    assert [source[n]["id"] for n in range(82)] == after


def test_a_last_line_without_newline_counts_once_it_is_whole(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(orjson.dumps(RECORDS[0]))
    source = Source([str(file)])
    assert [r for _, r in source.walk()] == RECORDS[:1]
    with open(file, "ab") as handle:
        handle.write(b"\n\n" + jsonl(RECORDS[1:2]))
    assert [r for _, r in source.walk()] == RECORDS[:2]


def test_a_bad_line_stands_in_the_list_with_its_reason(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"id": broken}\n{"no": "id"}\n' + jsonl(RECORDS[:1]))
    first, second, third = (r for _, r in Source([str(file)]).walk())
    assert "broken JSON" in first[BROKEN]
    assert "'id' is missing" in second[BROKEN] and second["no"] == "id"
    assert third == RECORDS[0]


def test_a_truncated_file_is_named(tmp_path):
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(jsonl(RECORDS))[:-40])
    with pytest.raises(DataError, match=r"a\.jsonl\.gz: the file is truncated"):
        list(Source([str(file)]).walk())


def test_journals_are_found_and_other_files_are_not(tmp_path):
    for name in ("b.jsonl.part", "a.jsonl", "metrics.jsonl", "a.jsonl.meta.json", "x.png"):
        (tmp_path / name).write_text("")
    found = [str(tmp_path / n) for n in ("a.jsonl", "b.jsonl.part")]
    assert record_files(str(tmp_path)) == found
    assert record_files(str(tmp_path / "b.jsonl")) == found[1:]
    assert record_files(str(tmp_path / "a*")) == found[:1]
    with pytest.raises(UsageError, match="no file, folder or glob"):
        record_files(str(tmp_path / "c.jsonl"))
