"""A build killed with -9 leaves the last whole state; run again it goes on and ends as if unbroken."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from swr1.errors import DataError
from swr1.index import building, journal, open_index
from swr1.index.building import build_index, refuse
from swr1.index.config import IndexConfig
from tests.index.corpus import BACKENDS, build, found, rows, write

pytest.importorskip("tantivy")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(journal, "COMMIT_PASSAGES", 50)


def killed(delay, *inputs, number=1, **options):
    """Build generation `number` in a child, and kill that so many seconds after its first commit.

    Whether it was still at work.
    """
    progress = Path("idx", f"{number:06d}", "progress.json")
    before = progress.read_bytes() if progress.exists() else b""
    child = os.fork()
    if child == 0:
        try:
            build_index(list(inputs), IndexConfig(output="idx", **options), refuse)
        finally:
            os._exit(0)
    ended = (0, 0)
    while not ended[0] and (not progress.exists() or progress.read_bytes() in (before, b"")):
        time.sleep(0.002)
        ended = os.waitpid(child, os.WNOHANG)
    time.sleep(delay)
    if not ended[0]:
        os.kill(child, signal.SIGKILL)
        ended = os.waitpid(child, 0)
    return ended[1] == signal.SIGKILL


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_killed_build_goes_on(tmp_path, backend, monkeypatch):
    rng = random.Random(backend)
    for i in range(3):
        write(tmp_path / f"f{i}.jsonl", rows(rng, 250))
    monkeypatch.setattr(journal, "COMMIT_PASSAGES", 50)
    base = build("idx", "f0.jsonl", backend=backend)
    shutil.copytree("idx", "base")
    write(tmp_path / "f2.jsonl", rows(rng, 350))
    fresh = build("fresh", "f0.jsonl", "f1.jsonl", "f2.jsonl", backend=backend)
    for attempt in range(20):  # the machine may finish a build before it is killed
        shutil.rmtree("idx")
        shutil.copytree("base", "idx")
        hit = killed(rng.uniform(0, 0.1) / 2**attempt, "f1.jsonl", "f2.jsonl", number=2)
        assert open_index("idx").digest in (base.digest, fresh.digest)
        if hit:
            break
    index = build("idx", "f1.jsonl", "f2.jsonl")
    assert index.digest == fresh.digest and index.passages == 850
    assert found(index, "w1 w2", "rare3", "w9") == found(fresh, "w1 w2", "rare3", "w9")
    assert hit


def test_a_first_build_that_was_killed_is_no_index_yet(tmp_path):
    write(tmp_path / "a.jsonl", rows(random.Random(0), 5000))
    assert killed(0.01, "a.jsonl")
    with pytest.raises(DataError, match="no index is here"):
        open_index("idx")


class Killed(BaseException):
    pass


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("late", [False, True])
def test_a_kill_before_or_after_any_commit_loses_only_what_came_after_it(
    tmp_path, backend, late, monkeypatch
):
    """Every commit in turn is the last thing that a build does, or the first that it does not."""
    write(tmp_path / "a.jsonl", rows(random.Random(0), 125))
    write(tmp_path / "b.jsonl", rows(random.Random(1), 75))
    fresh = build("fresh", "a.jsonl", "b.jsonl", backend=backend)
    real, said = building.open_store, []

    def open_store(*args, **more):
        store = real(*args, **more)
        commit = store.commit

        def dying():
            if late:
                commit()
            raise Killed

        store.commit = dying
        return store

    config = IndexConfig(output="idx", backend=backend)
    monkeypatch.setattr(building, "open_store", open_store)
    for _ in range(7 if late else 1):
        with pytest.raises(Killed):
            build_index(["a.jsonl", "b.jsonl"], config, refuse, say=said.append)
    monkeypatch.setattr(building, "open_store", real)
    build_index(["a.jsonl", "b.jsonl"], config, refuse, say=said.append)
    index = open_index("idx")
    assert index.digest == fresh.digest
    assert found(index, "w1 w2", "rare3") == found(fresh, "w1 w2", "rare3")
    counts = [int(text.split(": ")[1].split()[0]) for text in said]
    assert counts == ([50, 100, 150, 200, 200, 200, 200] if late else [0])


def test_a_killed_build_starts_over_where_a_file_it_had_read_has_changed(tmp_path, monkeypatch):
    for name in ("a.jsonl", "b.jsonl"):
        write(tmp_path / name, rows(random.Random(name), 150))
    real = building.split

    def dies(source, *more):
        yield from real(source, *more)
        if source.name == "b.jsonl":
            raise Killed

    monkeypatch.setattr(building, "split", dies)
    with pytest.raises(Killed):
        build("idx", "a.jsonl", "b.jsonl")
    monkeypatch.setattr(building, "split", real)
    write(tmp_path / "a.jsonl", rows(random.Random(9), 150))
    index = build("idx", "a.jsonl", "b.jsonl")
    assert index.digest == build("fresh", "b.jsonl", "a.jsonl").digest
