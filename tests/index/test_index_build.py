"""An index holds what its files hold, however it came to."""

import os
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.errors import DataError, SwrError, UsageError
from swr1.index import building, journal, open_index
from swr1.index.state import generations, lock, read_sources
from tests.index.corpus import BACKENDS, build, found, rows, write

pytest.importorskip("tantivy")
QUERIES = ("w1", "w2 w3 rare5", "w7 w7 w8 title", "title 3", "nothing-of-this")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_passage_is_found_by_its_rare_word(tmp_path, backend):
    index = build("idx", write(tmp_path / "a.jsonl", rows(random.Random(0), 60)), backend=backend)
    for i in range(60):
        [[first, *_]] = index.search([f"w1 rare{i} w2"])
        assert (first.id, first.source, first.place) == (f"r{i}", "a.jsonl", str(i + 1))
        assert first.location == f"a.jsonl:{i + 1}" and first.score > 0
    assert index.passages == 60 and index.sources == 1 and index.backend == backend


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=8)
@given(data=st.data())
def test_neither_order_nor_increments_change_digest_or_answers(tmp_path_factory, backend, data):
    """Files in any number of builds, changed and dropped on the way: as if built at once."""
    folder = tmp_path_factory.mktemp("x")
    os.chdir(folder)
    rng = random.Random(data.draw(st.integers(0, 99)))
    names = [f"f{i}.jsonl" for i in range(4)]
    for _ in range(data.draw(st.integers(1, 4))):
        for name in data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True)):
            write(folder / name, rows(rng, rng.randrange(1, 12)))
        there = [name for name in names if (folder / name).exists()]
        some = data.draw(st.permutations(there))[: data.draw(st.integers(1, len(there)))]
        build("idx", *some, backend=backend, prune=data.draw(st.booleans()))
    there = data.draw(st.permutations([n for n in names if (folder / n).exists()]))
    grown = build("idx", *there, prune=True)
    fresh = build("fresh", *sorted(there), backend=backend)
    assert grown.digest == fresh.digest and grown.passages == fresh.passages
    assert found(grown, *QUERIES) == found(fresh, *QUERIES)
    assert sum(1 for _ in generations(grown.path)) == 1  # nothing is left of earlier ones


def test_passages_of_one_score_come_in_one_order_in_every_layout(tmp_path, monkeypatch):
    same = [{"id": f"s{i}", "text": "home p37 place5"} for i in range(300)]
    write(tmp_path / "a.jsonl", same[:150]), write(tmp_path / "b.jsonl", same[150:])
    fresh = build("fresh", "a.jsonl", "b.jsonl")
    monkeypatch.setattr(journal, "COMMIT_PASSAGES", 64)  # other segments
    build("idx", "b.jsonl")
    grown = build("idx", "a.jsonl")
    assert found(fresh, "home", "p37 place5", top=7) == found(grown, "home", "p37 place5", top=7)
    assert len({p for p, *_ in found(fresh, "home", top=300)[0]}) == 300


def test_the_digest_is_of_passages_places_and_backend(tmp_path):
    made = rows(random.Random(1), 5)
    write(tmp_path / "a.jsonl", made)
    digest = build("a", "a.jsonl").digest
    assert digest == build("again", "a.jsonl").digest and len(digest) == 32
    assert digest != build("other", "a.jsonl", backend="sqlite").digest
    write(tmp_path / "a.jsonl", [*made[1:], made[0]])
    assert digest != build("moved", "a.jsonl").digest
    (tmp_path / "b.jsonl").write_bytes(b"")
    build("again", "b.jsonl", on_bad=lambda *bad: None)
    assert open_index("again").digest == digest  # a file without passages adds nothing


def test_only_what_changed_is_read(tmp_path, monkeypatch):
    for name in ("a.jsonl", "b.jsonl"):
        write(tmp_path / name, rows(random.Random(name), 5))
    build("idx", "a.jsonl", "b.jsonl")
    read = []
    real = building.split
    monkeypatch.setattr(building, "split", lambda s, *more: read.append(s.name) or real(s, *more))
    build("idx", "a.jsonl", "b.jsonl")
    write(tmp_path / "b.jsonl", rows(random.Random(7), 5))
    write(tmp_path / "c.jsonl", rows(random.Random(8), 5))
    index = build("idx", "a.jsonl", "b.jsonl", "c.jsonl")
    assert read == ["b.jsonl", "c.jsonl"] and index.passages == 15


def test_a_source_of_many_pages_is_copied_in_order(tmp_path, monkeypatch):
    from swr1.index.backends import tantivy

    monkeypatch.setattr(tantivy, "_PAGE", 7)
    monkeypatch.setattr(journal, "COMMIT_PASSAGES", 10)
    write(tmp_path / "a.jsonl", rows(random.Random(0), 50))
    write(tmp_path / "b.jsonl", rows(random.Random(1), 3))
    build("idx", "a.jsonl", "b.jsonl")
    write(tmp_path / "b.jsonl", rows(random.Random(2), 3))
    assert build("idx", "b.jsonl").digest == build("fresh", "a.jsonl", "b.jsonl").digest


@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_may_search_at_once(tmp_path, backend):
    index = build("idx", write(tmp_path / "a.jsonl", rows(random.Random(0), 200)), backend=backend)
    queries = [f"w{i} w{i + 1} rare{i}" for i in range(30)]
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda query: found(index, query)[0], queries * 3))
    assert at_once == found(index, *queries) * 3


def test_what_is_not_named_stays_unless_it_is_pruned(tmp_path):
    write(tmp_path / "a.jsonl", rows(random.Random(0), 3))
    write(tmp_path / "b.jsonl", rows(random.Random(0), 4))
    build("idx", "a.jsonl", "b.jsonl")
    (tmp_path / "b.jsonl").unlink()
    assert build("idx", "a.jsonl").passages == 7
    assert build("idx", "a.jsonl", prune=True).passages == 3


def test_a_file_that_turned_bad_leaves_the_index(tmp_path):
    (tmp_path / "a.txt").write_text("good words")
    (tmp_path / "b.txt").write_text("other words")
    build("idx", "a.txt", "b.txt")
    (tmp_path / "a.txt").write_bytes(b"bad \xff words")
    bad = []
    index = build("idx", "a.txt", "b.txt", on_bad=lambda *one: bad.append(one[:2]))
    assert index.passages == 1 and bad[0][0] == "a.txt:1" and "UTF-8" in bad[0][1]


def test_other_options_or_another_backend_are_refused_unless_made_anew(tmp_path):
    (tmp_path / "a.txt").write_text("a b c d e f g h i j k l m n o p q r s t u v w x y z")
    assert build("idx", "a.txt").passages == 1
    for options in ({"words": 10}, {"backend": "sqlite"}):
        with pytest.raises(UsageError, match="--force"):
            build("idx", "a.txt", **options)
    assert build("idx", "a.txt", words=10, backend="sqlite", force=True).passages == 3
    assert build("idx", "a.txt", words=10).backend == "sqlite"


def test_a_folder_of_other_things_is_not_touched(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(SwrError, match=r"thesis\.txt.*new folder"):
        build("mine", "a.txt", force=True)
    with pytest.raises(SwrError, match="is a file"):
        build("a.txt", "mine")


def test_two_builds_at_once_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    with lock(tmp_path / "idx"), pytest.raises(SwrError, match=rf"pid {os.getpid()} on"):
        build("idx", "a.txt")


def test_an_open_index_stays_what_it_was(tmp_path):
    for backend in BACKENDS:
        write(tmp_path / "a.jsonl", rows(random.Random(0), 20))
        index = build(backend, "a.jsonl", backend=backend)
        before = found(index, *QUERIES)
        write(tmp_path / "a.jsonl", rows(random.Random(1), 20))
        assert build(backend, "a.jsonl").digest != index.digest
        assert found(index, *QUERIES) == before


@pytest.mark.parametrize("backend", BACKENDS)
def test_damage_is_one_line(tmp_path, backend):
    write(tmp_path / "a.jsonl", rows(random.Random(0), 20))
    index = build("idx", "a.jsonl", backend=backend)
    for file in sorted((index.path / "000001/store").iterdir()):
        kept = file.read_bytes()
        file.unlink()  # what is mapped must not shrink: the kernel would end this process
        file.write_bytes(kept[: len(kept) // 2])
        with suppress(DataError):  # or nothing that was cut is needed
            found(open_index("idx"), *QUERIES)
        file.unlink()
        file.write_bytes(kept)
    (index.path / "swr1-index.json").write_text('{"format": 9}')
    with pytest.raises(DataError, match="--force"):
        open_index("idx")
    assert build("idx", "a.jsonl", force=True).digest


def test_an_index_knows_the_rows_that_were_bad(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"txt": "b"}\n{"text": "c"}\n')
    bad = []
    index = build("idx", "a.jsonl", on_bad=lambda *one: bad.append(one[0]))
    assert bad == ["a.jsonl:2"] and index.passages == 2
    assert read_sources(index.path / "000001")["a.jsonl"].dropped == 1
    [[first]] = index.search(["c"])
    assert first.id == "a.jsonl#3"
