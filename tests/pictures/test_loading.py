"""Data sets with pictures as records, records with pictures as other people's rows, and back."""

import base64
import json

import orjson
import pytest

from swr1.pictures import Opener, part_of, picture_of, write_png
from swr1.records import make_id
from tests.conftest import jsonl, load, run_swr1
from tests.pictures.drawing import drawn, encoded
from tests.pictures.test_carrying import digests, item, shown

SIUO = {"question_id": 1, "question": "Shall I?", "category": "morality"}
SIUO |= {"safety_warning": "No.", "reference_answer": "Better not."}


def siuo(folder, images="", names=("S-01.png", "S-02.png")):
    rows = [SIUO | {"question_id": n, "image": name} for n, name in enumerate(names)]
    folder.mkdir(exist_ok=True)
    (folder / "siuo_gen.json").write_text(json.dumps(rows))
    (folder / images).mkdir(exist_ok=True)
    for n, name in enumerate(names):
        (folder / images / name).write_bytes(encoded(drawn(20, 20, seed=n)))


def test_a_data_set_is_loaded_with_its_pictures(tmp_path):
    """Beside the file, in a folder that is named, or below it; the ids are the same."""
    siuo(tmp_path / "a")
    siuo(tmp_path / "b", "images")
    ways = {
        "one": ["a/siuo_gen.json"],
        "two": ["b/siuo_gen.json", "--set", "images=b/images"],
        "three": ["b/siuo_gen.json", "--set", f"images={tmp_path}/b/images"],
    }
    for name, way in ways.items():
        run_swr1("load", "siuo", *way, "-o", f"{name}.jsonl", cwd=tmp_path, check=True)
        run_swr1("load", "siuo", *way, "-o", f"{name}/", cwd=tmp_path, check=True)
        run_swr1("merge", f"{name}/", "-o", f"{name}-m.jsonl", cwd=tmp_path, check=True)
        assert digests(tmp_path / f"{name}-m.jsonl") == digests(tmp_path / f"{name}.jsonl")
        piped = run_swr1("load", "siuo", *way, cwd=tmp_path, check=True).stdout
        run_swr1("merge", "-", "-o", f"{name}-p.jsonl", cwd=tmp_path, stdin=piped, check=True)
        assert digests(tmp_path / f"{name}-p.jsonl") == digests(tmp_path / f"{name}.jsonl")
    seen = [digests(tmp_path / f"{name}.jsonl") for name in ways]
    assert seen[0] == seen[1] == seen[2]
    assert [d for _, d in seen[0]] == [[picture_of(drawn(20, 20, seed=n)).digest] for n in (0, 1)]
    for record in load(tmp_path / "two.jsonl"):
        (part,) = shown(record)
        assert part["path"] == f"pictures/{part['digest']}.png"


def test_a_picture_that_is_not_there_is_a_bad_row(tmp_path):
    siuo(tmp_path / "a")
    (tmp_path / "a/S-02.png").unlink()
    done = run_swr1("load", "siuo", "a/siuo_gen.json", "-o", "x.jsonl", cwd=tmp_path)
    assert done.returncode == 65 and len(done.stderr.splitlines()) == 1
    assert "a picture cannot be used: number 1, 'S-02.png': no such file" in done.stderr
    more = ["--on-error", "skip"]
    run_swr1("load", "siuo", "a/siuo_gen.json", "-o", "y.jsonl", *more, cwd=tmp_path, check=True)
    assert len(load(tmp_path / "y.jsonl")) == 1


def test_a_row_cannot_name_a_picture_elsewhere(tmp_path):
    siuo(tmp_path / "a", names=("../secret.png",))
    done = run_swr1("load", "siuo", "a/siuo_gen.json", "-o", "x.jsonl", cwd=tmp_path)
    assert done.returncode == 65 and "outside of" in done.stderr


def test_addresses_stay_where_they_are_not_fetched(tmp_path):
    content = [
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "text", "text": "What?"},
    ]
    rows = [{"messages": [{"role": "user", "content": content}]}]
    (tmp_path / "r.jsonl").write_bytes(jsonl(rows))
    run_swr1("load", "openai", "r.jsonl", "-o", "x.jsonl", cwd=tmp_path, check=True)
    (record,) = load(tmp_path / "x.jsonl")
    assert shown(record) == [{"type": "image", "url": "https://example.org/a.png"}]


# --- rows of others -----------------------------------------------------------------------------

ONE, TWO = (picture_of(drawn(16 + n, 12, seed=n)) for n in range(2))


@pytest.fixture
def records(tmp_path):
    by = [part_of(p, write_png(p, tmp_path).relative_to(tmp_path)) for p in (ONE, TWO)]
    made = [
        item(by[0], answer="3"),
        item(by[0], {"type": "text", "text": "or"}, by[1], answer="4", words="which is it?"),
        item(answer="5", words="No picture."),
        item(part_of(TWO), answer="1", words="Inside?"),
    ]
    made[2]["prompt"][0]["content"] = "No picture."
    for record in made:
        record["info"] = {}
        record["id"] = make_id("vqa", record["prompt"], record["answer"])
    (tmp_path / "r.jsonl").write_bytes(jsonl(made))
    return tmp_path / "r.jsonl"


@pytest.mark.parametrize("shape", ["trl", "verl"])
def test_parquet_for_a_trainer_opens_with_its_own_reader_and_comes_back(records, tmp_path, shape):
    import datasets

    run_swr1("export", shape, "r.jsonl", "-o", "out.parquet", cwd=tmp_path, check=True)
    rows = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "out.parquet"), cache_dir=str(tmp_path / "c")
    )["train"]
    expected = [[ONE], [ONE, TWO], [], [TWO]]
    seen = [[picture_of(image).digest for image in row["images"]] for row in rows]
    assert seen == [[picture.digest for picture in some] for some in expected]
    second = rows[1]["prompt"][-1]["content"]
    if shape == "verl":
        assert second == "<image>or<image>which is it?"
    else:
        assert [part["type"] for part in second] == ["image", "text", "image", "text"]
        assert rows[2]["prompt"][-1]["content"] == [{"type": "text", "text": "No picture."}]
    run_swr1("load", shape, "out.parquet", "-o", "back/", cwd=tmp_path, check=True)
    run_swr1("merge", "back/", "-o", "back.jsonl", cwd=tmp_path, check=True)
    before, back = load(records), load(tmp_path / "back.jsonl")
    assert digests(tmp_path / "back.jsonl") == digests(records)
    assert [r["prompt"] for r in back[:3]] == [r["prompt"] for r in before[:3]]


def test_openai_rows_hold_data_urls_and_come_back(records, tmp_path):
    args = ["export", "openai", "r.jsonl", "--model", "m"]
    rows = run_swr1(*args, cwd=tmp_path, check=True).stdout
    first = orjson.loads(rows.splitlines()[0])["body"]["messages"][-1]["content"]
    assert [part["type"] for part in first] == ["image_url", "text"]
    url = first[0]["image_url"]["url"]
    data = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    assert data == (tmp_path / f"pictures/{ONE.digest}.png").read_bytes()
    third = orjson.loads(rows.splitlines()[2])["body"]["messages"][-1]["content"]
    assert third == "No picture."
    (tmp_path / "o.jsonl").write_text(rows)
    run_swr1("load", "openai", "o.jsonl", "-o", "back.jsonl", cwd=tmp_path, check=True)
    seen = [d for _, d in digests(tmp_path / "back.jsonl")]
    assert seen == [d for _, d in digests(records)]


def test_what_rows_of_others_cannot_hold_is_said(records, tmp_path):
    done = run_swr1("export", "trl", "r.jsonl", cwd=tmp_path)
    assert done.returncode == 65 and "export to FILE.parquet" in done.stderr
    lines = records.read_bytes().splitlines(keepends=True)
    import datasets

    (tmp_path / "late.jsonl").write_bytes(lines[2] + lines[0])  # a text first
    run_swr1("export", "trl", "late.jsonl", "-o", "x.parquet", cwd=tmp_path, check=True)
    rows = datasets.Dataset.from_parquet(str(tmp_path / "x.parquet"), cache_dir=str(tmp_path / "c"))
    assert [len(row["images"]) for row in rows] == [0, 1]
    texts = [orjson.loads(lines[2]) | {"id": f"t{i}"} for i in range(1000)]
    (tmp_path / "later.jsonl").write_bytes(jsonl(texts) + lines[0])
    done = run_swr1("export", "trl", "later.jsonl", "-o", "y.parquet", cwd=tmp_path)
    assert done.returncode == 65 and "the first 1,000 records had none" in done.stderr
    done = run_swr1("export", "trl", "late.jsonl", "--on-error", "skip", cwd=tmp_path, check=True)
    assert len(done.stdout.splitlines()) == 1 and "JSON holds no bytes" in done.stderr
    marked = item(part_of(ONE), words="What does <image> mean?")
    (tmp_path / "m.jsonl").write_bytes(jsonl([marked]))
    done = run_swr1("export", "verl", "m.jsonl", "-o", "x.parquet", cwd=tmp_path)
    assert done.returncode == 65 and "stands for a picture there" in done.stderr


def test_rows_with_pictures_and_no_places_for_them_show_them_first(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = {"bytes": encoded(drawn()), "path": None}
    rows = [
        {"prompt": [{"role": "user", "content": "How many?"}], "images": [data], "answer": "3"},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    run_swr1("load", "trl", "t.parquet", "-o", "x.jsonl", cwd=tmp_path, check=True)
    (record,) = load(tmp_path / "x.jsonl")
    kinds = [part["type"] for part in record["prompt"][0]["content"]]
    assert kinds == ["image", "text"]
    assert Opener(base=tmp_path).of(record)[0].digest == picture_of(drawn()).digest


def test_view_says_what_a_picture_is(records, tmp_path):
    page = run_swr1("view", "r.jsonl", "-n", "2", cwd=tmp_path, check=True).stdout
    assert f"[picture, 12 x 16 pixels, digest {ONE.digest}, " in page
    assert f"pictures/{ONE.digest}.png]" in page
    table = run_swr1("view", "r.jsonl", cwd=tmp_path, check=True).stdout
    assert "[picture] How many circles?" in table and "base64" not in table
    (tmp_path / f"pictures/{ONE.digest}.png").unlink()
    page = run_swr1("view", "r.jsonl", "-n", "1", cwd=tmp_path, check=True).stdout
    assert "no such file" in page
