"""Small corpora for the tests of the index, and a build in one call."""

import random
from pathlib import Path

from swr1.index import Index, open_index
from swr1.index.building import build_index, refuse
from swr1.index.config import IndexConfig
from tests.conftest import jsonl

BACKENDS = ("tantivy", "sqlite")


def build(folder, *inputs, on_bad=refuse, **options) -> Index:
    """Build (or bring up to date) the index in a folder, and open it."""
    build_index([str(one) for one in inputs], IndexConfig(output=str(folder), **options), on_bad)
    return open_index(folder)


def rows(rng: random.Random, count: int) -> list[dict]:
    """Rows of common words, each with one word that no other row has."""
    return [
        {
            "id": f"r{i}",
            "title": f"title {rng.randrange(5)}",
            "text": " ".join([*(f"w{rng.randrange(40)}" for _ in range(8)), f"rare{i}"]),
        }
        for i in range(count)
    ]


def write(path: Path, made: list[dict]) -> Path:
    path.write_bytes(jsonl(made))
    return path


def found(index: Index, *queries: str, top: int = 5) -> list:
    """What a search gives, for comparisons."""
    return [
        [(p.id, p.source, p.place, p.digest, p.score) for p in answer]
        for answer in index.search(queries, top)
    ]
