"""Where rows come from: files of every kind, folders, splits, the hub."""

import csv
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from swr1.errors import DataError, SwrError, UsageError
from swr1.loading._rows import file_rows, find_sources, hub_rows

ROWS = [{"a": "1", "b": "x, y"}, {"a": "2", "b": "Zoë"}]


def rows_of(path):
    bad = []
    return list(file_rows(str(path), lambda *why: bad.append(why))), bad


def test_the_same_rows_from_every_format(tmp_path):
    text = "".join(json.dumps(r) + "\n" for r in ROWS)
    (tmp_path / "r.jsonl").write_text(text)
    (tmp_path / "r.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "r.json").write_text(json.dumps(ROWS))
    (tmp_path / "s.json").write_text(json.dumps({"version": 1, "data": ROWS}))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "r.parquet")
    with open(tmp_path / "r.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["a", "b"])
        writer.writeheader()
        writer.writerows(ROWS)
    places = {
        "r.jsonl": ":{}",
        "r.jsonl.gz": ":{}",
        "r.json": ":row {}",
        "s.json": ":row {}",
        "r.parquet": ":row {}",
    }
    for name, place in places.items():
        pairs, _ = rows_of(tmp_path / name)
        assert pairs == [(r, f"{tmp_path / name}{place.format(i)}") for i, r in enumerate(ROWS, 1)]
    assert rows_of(tmp_path / "r.csv")[0] == [
        (r, f"{tmp_path / 'r.csv'}:{i}") for i, r in enumerate(ROWS, 2)
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("e.jsonl", b"", "empty"),
        ("e.json", b"[]", "empty"),
        ("e.json", b"[1", "broken JSON"),
        ("e.json", b'{"a": 1}', "neither a list of rows"),
        ("e.parquet", b"PAR", "not a Parquet file"),
        ("e.csv", b"a,b\n", "empty"),
    ],
)
def test_a_file_that_is_broken_as_a_whole(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=reason):
        rows_of(tmp_path / name)


@pytest.mark.parametrize(
    ("document", "rows"),
    [
        (
            {"a": ["1", "2"], "b": ["x", "y"], "none": []},
            [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}],
        ),
        ({"7": {"a": 1}, "9": {"a": 2}}, [{"key": "7", "a": 1}, {"key": "9", "a": 2}]),
        ({"x": [{"a": 1}], "y": [{"a": 2}]}, [{"part": "x", "a": 1}, {"part": "y", "a": 2}]),
    ],
)
def test_rows_of_other_json_documents(tmp_path, document, rows):
    (tmp_path / "r.json").write_text(json.dumps(document))
    assert [row for row, _ in rows_of(tmp_path / "r.json")[0]] == rows


def test_a_field_may_be_longer_than_pythons_limit(tmp_path):
    (tmp_path / "long.csv").write_text(f'a,b\n"{"x" * 200_000}",y\n')
    assert [len(row["a"]) for row, _ in rows_of(tmp_path / "long.csv")[0]] == [200_000]


def test_a_csv_file_in_another_encoding(tmp_path):
    (tmp_path / "latin.csv").write_bytes("a,b\n1,Zo\u00eb\n".encode("latin-1"))
    with pytest.raises(DataError, match="not a CSV file in UTF-8"):
        rows_of(tmp_path / "latin.csv")


def test_a_broken_line_is_told_and_the_rest_read(tmp_path):
    (tmp_path / "r.jsonl").write_text('{"a": 1}\n{"a": \n{"a": 3}\n')
    pairs, bad = rows_of(tmp_path / "r.jsonl")
    assert [row for row, _ in pairs] == [{"a": 1}, None, {"a": 3}]
    assert [where for where, *_ in bad] == [f"{tmp_path}/r.jsonl:2"]


def test_folders_and_splits(tmp_path):
    names = ["3ppl/train.parquet", "3ppl/test.parquet", "train/people2.jsonl", "trainer/x.jsonl"]
    for name in [*names, "dataset_infos.json", "out.jsonl.meta.json", "README.md", "x.jsonl.part"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")

    def found(**kw):
        files, hub = find_sources([str(tmp_path)], **kw)
        assert not hub
        return [f.removeprefix(f"{tmp_path}/") for f in files]

    assert found() == sorted(names)
    assert found(split="train") == ["3ppl/train.parquet", "train/people2.jsonl"]
    with pytest.raises(UsageError, match="no file of the split 'dev' among 4"):
        found(split="dev")


def test_what_is_a_file_and_what_a_hub_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    assert find_sources(["owner/a-set", "-"]) == (["-"], ["owner/a-set"])
    for missing in ("owner/a.jsonl", "data/a-set", "nothing"):
        with pytest.raises(UsageError, match="no file, folder or glob"):
            find_sources([missing])


def test_hub_rows(monkeypatch):
    datasets = pytest.importorskip("datasets")

    def load_dataset(name, subset, split, streaming):
        assert streaming
        if name == "owner/gone":
            raise FileNotFoundError("Couldn't reach it")
        return iter(ROWS) if split else {"train": ROWS, "test": ROWS[:1]}

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert list(hub_rows("owner/a", None, "3ppl")) == [
        (ROWS[0], "owner/a/3ppl:row 1"),
        (ROWS[1], "owner/a/3ppl:row 2"),
    ]
    places = [where for _, where in hub_rows("owner/a", "clean", None)]
    assert places == [
        "owner/a/clean/train:row 1",
        "owner/a/clean/train:row 2",
        "owner/a/clean/test:row 1",
    ]
    with pytest.raises(SwrError, match="cannot load 'owner/gone' from the hub: Couldn't reach it"):
        list(hub_rows("owner/gone", None, None))


def test_pictures_of_the_hub_stay_bytes(monkeypatch):
    datasets = pytest.importorskip("datasets")

    class Streamed:
        features = ("image",)  # only that there are some matters

        def decode(self, enable):
            assert not enable
            return iter([{"image": {"bytes": b"png", "path": None}}])

    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **kw: Streamed())
    ((row, _),) = hub_rows("owner/pictures", None, "test")
    assert row["image"]["bytes"] == b"png"
