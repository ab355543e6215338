"""Options reach an engine: as an instance of its `Options`, or as keywords."""

import pytest

from swr1.engines import known_options, open_engine
from swr1.errors import UsageError
from tests.conftest import jsonl, load, run_swr1

MINE = """
from dataclasses import dataclass
from swr1.engines import Completion, Request

class Base:
    name, version, dtype = "mine", "1", "none"
    def load(self, folder): pass
    def request(self, key, messages, prompt): return Request(key, [])
    def generate(self, requests, sampling):
        return [Completion(None, None, "stop", str(self.said)) for _ in requests]

class Keywords(Base):
    needs_policy = False
    def __init__(self, folder, *, threads=3, context=0):
        self.said = threads, context

@dataclass
class Few:
    context: int = 7

class Declared(Base):
    needs_policy = False
    Options = Few
    def __init__(self, folder, options):
        self.said = options.context
"""


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    return f"{tmp_path}/mine.py"


def test_both_kinds_are_opened_and_checked(mine):
    assert known_options(f"{mine}:Keywords") == ["threads", "context"]
    assert known_options(f"{mine}:Declared") == ["context"]
    assert open_engine(f"{mine}:Keywords", "x", context=4).said == (3, 4)
    assert open_engine(f"{mine}:Declared", "x").said == 7
    assert open_engine(f"{mine}:Declared", "x", context=4).said == 4
    with pytest.raises(UsageError, match=r"no option 'contxt'. Did you mean 'context'"):
        open_engine(f"{mine}:Declared", "x", contxt=4)


@pytest.mark.parametrize(("kind", "said"), [("Keywords", "(2, 9)"), ("Declared", "9")])
def test_the_command_line_gives_those_it_knows(mine, tmp_path, kind, said):
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"id": "a", "prompt": []}]))
    options = ["--threads", 2] if kind == "Keywords" else ["--device", "auto"]
    out = tmp_path / "out.jsonl"
    run_swr1(
        *("rollout", tmp_path / "a.jsonl", "--engine", f"{mine}:{kind}", "--context", 9),
        *(*options, "-o", out),
        check=True,
    )
    assert [r["completion"] for r in load(out)] == [said]
    refused = run_swr1(
        *("rollout", tmp_path / "a.jsonl", "--engine", f"{mine}:{kind}", "--url", "http://h/v1")
    )
    assert (refused.returncode, "no option 'url'" in refused.stderr) == (2, True)
