"""Where rows come from: files of every kind, folders, splits, the hub."""

import bz2
import csv
import datetime
import gzip
import io
import json
import lzma
import zipfile
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from swr1.errors import DataError, SwrError, UsageError
from swr1.loading.rows import file_rows, find_sources, hub_rows

ROWS = [{"a": "1", "b": "x, y"}, {"a": "2", "b": "Zoë"}]


def rows_of(path):
    bad = []
    return list(file_rows(str(path), lambda *why: bad.append(why))), bad


def test_the_same_rows_from_every_format(tmp_path):
    text = "".join(json.dumps(r) + "\n" for r in ROWS)
    (tmp_path / "r.jsonl").write_text(text)
    (tmp_path / "r.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
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


LINES = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in ROWS).encode()
ARRAY = json.dumps(ROWS).encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("packed.jsonl", gzip.compress(LINES, mtime=0)),
        ("packed.json.gz", gzip.compress(ARRAY, mtime=0)),
        ("packed.json", pa.compress(ARRAY, "zstd", asbytes=True)),
        ("plain.jsonl.gz", LINES),
        ("plain.csv.zst", 'a,b\n1,"x, y"\n2,Zoë\n'.encode()),
        ("array.jsonl", ARRAY),
        ("array.jsonl", json.dumps(ROWS, indent=1).encode()),
        ("lines.json", LINES),
        ("bom.json", b"\xef\xbb\xbf" + ARRAY),
        ("bom.jsonl", b"\xef\xbb\xbf" + LINES),
        ("crlf.jsonl", LINES.replace(b"\n", b"\r\n")),
        ("no-suffix", ARRAY),
        ("object.jsonl", json.dumps({"data": ROWS}, indent=1).encode()),
        (
            "viewer.json",
            json.dumps(
                {
                    "features": [{"name": "a"}],
                    "rows": [{"row_idx": 0, "row": r, "truncated_cells": []} for r in ROWS],
                    "num_rows_total": 2,
                }
            ).encode(),
        ),
    ],
)
def test_a_file_is_told_by_its_first_bytes(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    pairs, bad = rows_of(tmp_path / name)
    assert [row for row, _ in pairs] == ROWS and not bad


def test_parquet_by_another_name(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "r.parquet")
    (tmp_path / "r.parquet").rename(tmp_path / "r.jsonl")
    assert [row for row, _ in rows_of(tmp_path / "r.jsonl")[0]] == ROWS


def zipped(content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("r.jsonl", content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("r.jsonl.bz2", bz2.compress(LINES), "packed by bzip2"),
        ("r.jsonl", lzma.compress(LINES), "packed by xz"),
        ("r.csv", zipped(LINES), "a zip archive"),
        ("r.txt", b"a\tb\n1\t2\n", "parted by tabs: name it .tsv"),
        ("r.jsonl", LINES.decode().encode("utf-16"), "UTF-16"),
        ("r.csv", "a,b\n1,2\n".encode("utf-16-be"), "UTF-16"),
        ("r.json", ARRAY.decode().encode("utf-16-le"), "UTF-16"),
        ("r.arrow", b"ARROW1\0\0rest", "an Arrow file"),
        ("r.jsonl", LINES.replace(b"\n", b"\r"), "line ends"),
        ("r.jsonl", json.dumps(ROWS[0], indent=1).encode() * 2, "one row a line"),
        ("r.jsonl", LINES.replace(b"}\n", b"},\n"), "a comma ends the line"),
        ("r.json.gz", gzip.compress(ARRAY, mtime=0)[:-9], "truncated or damaged"),
        ("r.csv.gz", gzip.compress(b"question,answer\n", mtime=0)[:-9], "truncated or damaged"),
        ("r.csv", b"a,b,a\n1,2,3\n", "several columns are named 'a'"),
    ],
)
def test_what_is_not_read_is_named(swr1, tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    run = swr1("load", "gsm8k", tmp_path / name)
    assert (run.returncode, run.stdout) == (65, "") and f"{tmp_path / name}:" in run.stderr
    assert told in run.stderr and "Traceback" not in run.stderr


def test_an_array_comes_through_a_pipe(swr1):
    row = {"question": "One and one?", "answer": "#### 2"}
    run = swr1("load", "gsm8k", stdin=json.dumps([row]), check=True)
    assert json.loads(run.stdout)["info"]["source"] == {"where": "stdin:row 1"}


def test_values_that_json_has_not(tmp_path):
    values = {
        "text": b"Zo\xc3\xab",
        "bytes": b"\xff\xfe",
        "decimal": Decimal("1.50"),
        "day": datetime.date(2020, 2, 29),
        "at": datetime.time(1, 2),
        "took": datetime.timedelta(seconds=90),
        "nan": float("nan"),
        "inf": float("inf"),
        "deep": {"list": [b"a"]},
    }
    table = pa.Table.from_pylist([values])
    table = table.append_column(
        "map", pa.array([[("a", 1)]], type=pa.map_(pa.string(), pa.int64()))
    )
    pq.write_table(table, tmp_path / "v.parquet")
    ((row, _),) = rows_of(tmp_path / "v.parquet")[0]
    assert row == {
        "text": "Zoë",
        "bytes": "//4=",
        "decimal": "1.50",
        "day": "2020-02-29",
        "at": "01:02:00",
        "took": "0:01:30",
        "nan": None,
        "inf": "inf",
        "deep": {"list": ["a"]},
        "map": {"a": 1},
    }


def test_a_parquet_row_whose_text_is_none_is_told_and_the_rest_read(tmp_path):
    array = pa.array([b"good", b"\xff", b"fine"]).view(pa.string())
    pq.write_table(pa.table({"a": array}), tmp_path / "t.parquet")
    pairs, bad = rows_of(tmp_path / "t.parquet")
    assert [row for row, _ in pairs] == [{"a": "good"}, None, {"a": "fine"}]
    assert [where for where, *_ in bad] == [f"{tmp_path}/t.parquet:row 2"]


def test_cells_that_the_viewer_cut_are_told(tmp_path):
    shown = [{"row": {"a": "1"}}, {"row": {"a": "lon"}, "truncated_cells": ["a"]}]
    (tmp_path / "v.json").write_text(json.dumps({"rows": shown}))
    pairs, bad = rows_of(tmp_path / "v.json")
    assert [row for row, _ in pairs] == [{"a": "1"}, None] and "cut cells" in bad[0][1]


def test_a_csv_row_is_where_it_begins_and_a_torn_one_is_told(tmp_path):
    (tmp_path / "r.csv").write_text('a,b\n1,"x\ny"\n\n2\n3,4,5\n6,"open\n7,8\n')
    pairs, bad = rows_of(tmp_path / "r.csv")
    assert [(row, where.rpartition(":")[2]) for row, where in pairs] == [
        ({"a": "1", "b": "x\ny"}, "2"),
        ({"a": "2", "b": None}, "5"),
        (None, "6"),
        (None, "7"),
    ]
    assert ["more fields" in bad[0][1], "never closed" in bad[1][1]] == [True, True]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("e.jsonl", b"", "empty"),
        ("e.json", b"[]", "empty"),
        ("e.json", b"[1", "broken JSON"),
        ("e.json", b'{"a": [1], "b": [1, 2]}', "neither a list of rows"),
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
