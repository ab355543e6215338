"""Pictures on their way through stages: files beside records, pipes, Parquet, shards, kills."""

import base64
import os
import shutil
import signal
import time
from subprocess import PIPE

import orjson
import pytest

from swr1.errors import DataError
from swr1.pictures import Opener, keeping, part_of, picture_of, write_png
from swr1.records import make_id
from tests.conftest import jsonl, load, run_swr1
from tests.forked import start
from tests.pictures.drawing import drawn, encoded


def item(*parts, words="How many circles?", **more):
    prompt = [{"role": "user", "content": [*parts, {"type": "text", "text": words}]}]
    return {"v": 1, "id": make_id("vqa", prompt, "3"), "task": "vqa", "prompt": prompt, **more}


def shown(record):
    """The pictures of a record's prompt as they stand in it."""
    content = (m["content"] for m in record["prompt"])
    parts = (p for c in content if isinstance(c, list) for p in c)
    return [part for part in parts if part["type"] == "image"]


def digests(file):
    """(id, digests of what is seen) of every record, opened from the file's own folder."""
    opener = Opener(base=file.parent)
    return [(r["id"], [opener.resolve(p).digest for p in shown(r)]) for r in load(file)]


PICTURES = [picture_of(drawn(20 + n, 16, seed=n)) for n in range(6)]


@pytest.fixture
def records(tmp_path):
    """A file whose records hold no picture, one, two, and one by base64; the folder in/."""
    folder = tmp_path / "in"
    folder.mkdir()
    by_path = [part_of(p, write_png(p, folder).relative_to(folder)) for p in PICTURES]
    made = [
        item(by_path[0]),
        item(words="Only words."),
        item(by_path[1], by_path[2]),
        item(part_of(PICTURES[3])),
        item(by_path[0], words="Which is larger?"),
    ]
    made[1]["prompt"][0]["content"] = "Only words."
    (folder / "r.jsonl").write_bytes(jsonl(made))
    return folder / "r.jsonl"


WAYS = {
    "beside": ["sample r.jsonl -o b.jsonl", "sample b.jsonl -o out.jsonl"],
    "compressed": ["sample r.jsonl -o b.jsonl.gz", "sample b.jsonl.gz -o out.jsonl"],
    "another folder": ["sample r.jsonl -o ../x.jsonl", "merge ../x.jsonl -o out.jsonl"],
    "Parquet": ["merge r.jsonl -o ../b.parquet", "merge ../b.parquet -o out.jsonl"],
    "Parquet twice": [
        "merge r.jsonl -o b.parquet",
        "merge b.parquet -o c.parquet",
        "merge c.parquet -o out.jsonl",
    ],
    "inside": ["merge r.jsonl -o ../b.jsonl --inline-pictures", "merge ../b.jsonl -o out.jsonl"],
    "a pipe": ["sample r.jsonl", "merge - -o out.jsonl"],
    "a pipe of pictures": ["sample r.jsonl --inline-pictures", "merge - -o out.jsonl"],
    "shards": [
        "sample r.jsonl -o ../s/ --shard 0/2",
        "sample r.jsonl -o ../s/ --shard 1/2",
        "merge ../s/ -o out.jsonl",
    ],
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_same_pictures_and_records(records, way):
    folder, stdin = records.parent, b""
    for line in WAYS[way]:
        stdin = run_swr1(*line.split(), cwd=folder, stdin=stdin, check=True).stdout
    out, before = load(folder / "out.jsonl"), load(records)
    assert digests(folder / "out.jsonl") == digests(records)
    for record in out:
        record.pop("trail")
        for part in shown(record):
            assert part["path"] == f"pictures/{part['digest']}.png"
    # base64 of a record becomes a file like the others; else nothing changes
    before[3]["prompt"][0]["content"][0] = out[3]["prompt"][0]["content"][0]
    assert out == before
    for picture in (folder / "pictures").iterdir():
        assert not picture.name.endswith(".tmp")


def test_a_moved_folder_has_its_pictures_with_it(records, tmp_path):
    run_swr1("merge", "in/r.jsonl", "-o", "x.jsonl", cwd=tmp_path, check=True)
    other = tmp_path / "elsewhere"
    other.mkdir()
    shutil.move(tmp_path / "x.jsonl", other)
    shutil.move(tmp_path / "pictures", other)
    shutil.rmtree(records.parent)
    run_swr1("merge", other / "x.jsonl", "-o", "back.jsonl", "--quiet", cwd=tmp_path, check=True)
    assert digests(tmp_path / "back.jsonl") == digests(other / "x.jsonl")
    assert len(list((tmp_path / "pictures").iterdir())) == 4  # those that records name


def test_pictures_in_other_formats_become_png_without_metadata(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    image = drawn(30, 20)
    exif = image.getexif()
    exif[0x010E] = "where I live"
    (folder / "a.jpg").write_bytes(encoded(image, "JPEG", exif=exif))
    (folder / "a.webp").write_bytes(encoded(image, "WEBP", lossless=True, exif=exif))
    made = [item({"type": "image", "path": n}, words=n) for n in ("a.jpg", "a.webp")]
    (folder / "r.jsonl").write_bytes(jsonl(made))
    run_swr1("merge", "in/r.jsonl", "-o", "x.jsonl", cwd=tmp_path, check=True)
    assert digests(tmp_path / "x.jsonl") == digests(folder / "r.jsonl")
    for picture in (tmp_path / "pictures").iterdir():
        assert b"where I live" not in picture.read_bytes()
    # in its own folder a record stays as it is
    run_swr1("merge", "in/r.jsonl", "-o", "in/y.jsonl", cwd=tmp_path, check=True)
    assert [shown(r) for r in load(folder / "y.jsonl")] == [shown(r) for r in made]


def test_a_pipe_has_absolute_paths_or_the_pictures_themselves(records):
    folder = records.parent
    done = run_swr1("merge", "r.jsonl", cwd=folder, check=True)
    first = orjson.loads(done.stdout.splitlines()[0])
    assert shown(first)[0]["path"] == str(folder / shown(load(records)[0])[0]["path"])
    done = run_swr1("merge", "r.jsonl", "--inline-pictures", cwd=folder, check=True)
    first = orjson.loads(done.stdout.splitlines()[0])
    data = base64.b64decode(shown(first)[0]["base64"])
    assert data == (folder / shown(load(records)[0])[0]["path"]).read_bytes()


def test_a_pipe_may_name_what_lies_in_the_working_folder_and_what_is_allowed(records, tmp_path):
    pipe = run_swr1("merge", records, cwd=tmp_path, check=True).stdout
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = run_swr1("merge", "-", "-o", "x.jsonl", cwd=elsewhere, stdin=pipe)
    assert done.returncode == 65
    assert "outside of" in done.stderr and "--picture-folders" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    # a stage that opens none passes them on
    assert run_swr1("merge", cwd=elsewhere, stdin=pipe, check=True).stdout == pipe
    more = ["--picture-folders", str(records.parent)]
    run_swr1("merge", "-", "-o", "x.jsonl", *more, cwd=elsewhere, stdin=pipe, check=True)
    assert digests(elsewhere / "x.jsonl") == digests(records)


@pytest.mark.parametrize("path", ["../secret.png", "/etc/hostname", "link.png"])
def test_no_stage_copies_a_picture_from_another_folder(tmp_path, path):
    folder = tmp_path / "in"
    folder.mkdir()
    write_png(PICTURES[0], tmp_path)
    (tmp_path / "secret.png").write_bytes(encoded(drawn()))
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "r.jsonl").write_bytes(jsonl([item({"type": "image", "path": path})]))
    for out in (["-o", "x.jsonl"], ["-o", "x.parquet"], []):
        done = run_swr1("merge", folder / "r.jsonl", *out, cwd=tmp_path)
        assert done.returncode == 65 and not done.stdout
        assert f"{folder}/r.jsonl:1: a picture cannot be used: number 1" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "x.jsonl").exists()


def test_what_cannot_be_opened_is_dropped_by_the_policy(records, tmp_path):
    gone = shown(load(records)[2])[1]["path"]
    (records.parent / gone).unlink()
    done = run_swr1(
        "merge", records, "-o", "x.jsonl", "--on-error", "quarantine", "bad.jsonl", cwd=tmp_path
    )
    assert done.returncode == 0
    assert len(load(tmp_path / "x.jsonl")) == 4
    (bad,) = load(tmp_path / "bad.jsonl")
    assert "number 2" in bad["reason"] and "no such file" in bad["reason"]
    assert bad["where"].endswith("r.jsonl:3")


def test_a_changed_picture_is_noticed(records, tmp_path):
    name = shown(load(records)[0])[0]["path"]
    (records.parent / name).write_bytes(encoded(drawn(20, 16, seed=99)))
    done = run_swr1("merge", records, "-o", "x.jsonl", cwd=tmp_path)
    assert done.returncode == 65
    assert "its pixels are others than when the record was made" in done.stderr


def test_parquet_opens_in_datasets_as_pictures(records, tmp_path):
    import datasets

    run_swr1("merge", records, "-o", "x.parquet", cwd=tmp_path, check=True)
    assert not (tmp_path / "pictures").exists()
    rows = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "x.parquet"), cache_dir=str(tmp_path / "c")
    )["train"]
    seen = [[picture_of(image).digest for image in row["pictures"] or ()] for row in rows]
    assert seen == [found for _, found in digests(records)]


def test_words_alone_have_no_column_of_pictures(tmp_path):
    import pyarrow.parquet as pq

    (tmp_path / "r.jsonl").write_bytes(jsonl([{"v": 1, "id": "a", "pictures": [1]}]))
    run_swr1("merge", "r.jsonl", "-o", "x.parquet", cwd=tmp_path, check=True)
    assert "pictures" not in pq.read_schema(tmp_path / "x.parquet").names
    run_swr1("merge", "x.parquet", "-o", "y.jsonl", cwd=tmp_path, check=True)
    assert load(tmp_path / "y.jsonl")[0]["pictures"] == [1]


@pytest.mark.parametrize("output", ["out.jsonl", "out/", "out.parquet"])
def test_a_stage_killed_while_it_writes_pictures_loses_nothing(tmp_path, output):
    """Every record on disk has its picture; the same command ends what was begun."""
    many = [
        item(part_of(picture_of(drawn(24, 24, seed=n))), words=f"How many? {n}") for n in range(60)
    ]
    data = jsonl(many)
    args = ["verify", "format", "-", "-o", output]
    stdin = jsonl([record | {"completion": "x"} for record in many])
    part = tmp_path / {"out/": "out/00000-of-00001.jsonl.part"}.get(output, f"{output}.part")
    for wanted in (3, 15, 30):
        with start(args, cwd=tmp_path, stdin=PIPE, stderr=PIPE) as stage:
            lines = stdin.splitlines(keepends=True)
            stage.stdin.write(b"".join(lines[: wanted + 10]))
            stage.stdin.flush()
            deadline = time.monotonic() + 60
            while not (part.exists() and part.read_bytes().count(b"\n") >= wanted):
                assert time.monotonic() < deadline and stage.poll() is None
                time.sleep(0.01)
            stage.kill()
            assert stage.wait() == -signal.SIGKILL
        for record in map(orjson.loads, part.read_bytes().splitlines()):
            Opener(base=part.parent).of(record)
    run_swr1(*args, cwd=tmp_path, stdin=stdin, check=True)
    run_swr1("merge", output, "-o", "whole.jsonl", cwd=tmp_path, check=True)
    (tmp_path / "in.jsonl").write_bytes(data)
    assert digests(tmp_path / "whole.jsonl") == digests(tmp_path / "in.jsonl")


def test_a_picture_lost_with_the_machine_is_made_again(tmp_path):
    """A file of no bytes, as after a power cut: its record is owed again."""
    many = [
        item(part_of(picture_of(drawn(24, 24, seed=n))), words=f"{n}", completion="x")
        for n in range(6)
    ]
    args = ["verify", "format", "-", "-o", "out.jsonl"]
    with start(args, cwd=tmp_path, stdin=PIPE, stderr=PIPE) as stage:
        stage.stdin.write(jsonl(many))
        stage.stdin.flush()
        part, deadline = tmp_path / "out.jsonl.part", time.monotonic() + 60
        while not (part.exists() and part.read_bytes().count(b"\n") == 6):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        stage.kill()
    lost = tmp_path / shown(load(part)[2])[0]["path"]
    lost.write_bytes(b"")
    done = run_swr1(*args, cwd=tmp_path, stdin=jsonl(many), check=True)
    assert "2 records are done" in done.stderr
    assert [d for _, (d,) in digests(tmp_path / "out.jsonl")] == [
        p["digest"] for r in many for p in shown(r)
    ]


def test_a_folder_of_pictures_that_is_a_link_is_not_written_through(records, tmp_path):
    away = tmp_path / "away"
    away.mkdir()
    (tmp_path / "pictures").symlink_to(away)
    done = run_swr1("merge", records, "-o", "x.jsonl", cwd=tmp_path)
    assert done.returncode == 1 and "is a symbolic link" in done.stderr
    assert not os.listdir(away)


def test_too_large_for_one_record(records, monkeypatch):
    monkeypatch.setattr(keeping, "_MOST_INSIDE", 2000)
    keeper = keeping.Keeper(Opener(base=records.parent), None, inline=True)
    one, _, two, *_ = load(records)
    keeper.keep(one)
    with pytest.raises(DataError, match="larger than a record may be"):
        keeper.keep(two)
