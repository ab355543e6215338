"""Duplicates over all inputs of a merge, however far apart, in 8 bytes a record."""

import random

import pytest

from swr1.errors import DataError
from swr1.merging import shards
from tests.conftest import jsonl


def write(path, ids, **fields):
    path.write_bytes(jsonl({"id": i, **fields} for i in ids))
    return str(path)


def merged(*inputs, **options):
    return [record["id"] for record, _ in shards.merge_records(list(inputs), **options)]


@pytest.mark.parametrize("count", [3, shards.LOOK_FIRST + 5])
def test_a_file_given_twice_is_refused(tmp_path, count):
    name = write(tmp_path / "a.jsonl", map(str, range(count)))
    with pytest.raises(DataError, match=r"id 0 .*a.jsonl:1 already: these shards overlap"):
        merged(name, name)


def test_one_id_far_apart_is_found_and_both_places_named(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "LOOK_FIRST", 16)
    a = write(tmp_path / "a.jsonl", [f"a{i}" for i in range(100)])
    b = write(tmp_path / "b.jsonl", [f"b{i}" for i in range(50)] + ["a7"])
    with pytest.raises(DataError, match=r"id a7 .*a\.jsonl:8 already") as error:
        merged(a, b)
    assert error.value.location == f"{b}:51"
    assert len(merged(a)) == 100


def test_the_first_sample_equals_the_record_that_does_not_say_its_sample(tmp_path):
    a = write(tmp_path / "a.jsonl", ["x", "y"])
    b = write(tmp_path / "b.jsonl", ["y"], sample=0)
    with pytest.raises(DataError, match=r"id y .*a.jsonl:2 already"):
        merged(a, b)
    c = write(tmp_path / "c.jsonl", ["y"], sample=1)
    assert merged(a, c) == ["x", "y", "y"]


def test_equal_hashes_of_different_records_are_no_duplicate(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "mark", lambda record: Blunt(record["id"]))
    assert merged(write(tmp_path / "a.jsonl", ["x", "y", "z"])) == ["x", "y", "z"]


class Blunt(str):
    def __hash__(self):
        return 5


def test_a_stream_cannot_be_read_again_to_name_the_places(swr1, tmp_path):
    a = write(tmp_path / "a.jsonl", ["x", "y"])
    done = swr1("merge", a, "-", stdin=jsonl([{"id": "z"}, {"id": "x"}]))
    assert done.returncode == 65
    assert "a record comes twice" in done.stderr


@pytest.mark.parametrize("order", ["in turn", "mixed"])
def test_groups_whose_samples_lie_apart(tmp_path, order):
    rows = [
        {"id": f"p{i}", "sample": s, "generation": {"epoch": e, "group": 3}}
        for i in range(4)
        for e in range(2)
        for s in range(3)
    ]
    if order == "mixed":
        random.Random(1).shuffle(rows)
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(rows))
    assert len(merged(str(path))) == 24
    lost = rows.pop(10)
    path.write_bytes(jsonl(rows))
    lacks = (
        f"1 groups are incomplete, such as id {lost['id']} .*lacks the samples {lost['sample']};"
    )
    with pytest.raises(DataError, match=lacks):
        merged(str(path))
    assert len(merged(str(path), partial=True)) == 23
