"""Marks: white space behind records that tells a trainer how far a pipe has come."""

import subprocess
import sys

import orjson

from swr1.records import key
from swr1.streams import standard
from swr1.streams.reading import GROUP_END, GROUP_END_WAITING, SILENCE, WAITING, Mark, read
from tests.conftest import run_swr1

SKIPPING = """
def reward(record):
    if record["id"] == "lost":
        return {"reward": None, "reward_parts": {}, "error": "unsure"}
    return {"reward": 1.0, "reward_parts": {}}
"""


def record(id: str) -> bytes:
    return orjson.dumps({"id": id, "completion": "?", "verdicts": {}})


def test_marks_pass_through_stages_and_outlive_a_dropped_record(tmp_path):
    (tmp_path / "skipping.py").write_text(SKIPPING)
    lines = [WAITING, record("a") + b"\n", record("b") + GROUP_END, record("lost") + GROUP_END]
    lines += [record("c") + GROUP_END_WAITING, b"\n", b" \t \n"]
    stdin = b"".join(lines)
    for stage in ("verify format", "reward ./skipping.py:reward --on-null skip"):
        stdin = run_swr1(*stage.split(), stdin=stdin, cwd=tmp_path, check=True).stdout.encode()
    lines = stdin.splitlines(keepends=True)
    ends = [line.rpartition(b"}")[2] for line in lines]
    assert ends == [WAITING, b"\n", GROUP_END, GROUP_END, GROUP_END_WAITING]
    assert [key(orjson.loads(line))[0] for line in lines if not line.isspace()] == ["a", "b", "c"]
    run_swr1("merge", "-", "-o", tmp_path / "kept.jsonl", stdin=stdin, cwd=tmp_path, check=True)
    assert b"\t" not in (tmp_path / "kept.jsonl").read_bytes()


def test_silence_is_told_in_the_middle_of_a_line_too(monkeypatch):
    line = record("a") + GROUP_END
    script = (
        "import sys, time\n"
        f"for part in ({line[:9]!r}, {line[9:]!r}, {line.replace(b'a', b'b')!r}):\n"
        "    sys.stdout.buffer.write(part); sys.stdout.flush(); time.sleep(0.8)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as writer:
        monkeypatch.setattr(standard._Streams, "input", writer.stdout.fileno())
        came = [
            bytes(r) if isinstance(r, Mark) else (r["id"], where)
            for r, where in read(["-"], on_bad=lambda *bad: None, marks=True, silence_limit=0.3)
        ]
    records = [c for c in came if isinstance(c, tuple)]
    assert records == [("a", "stdin:1"), ("b", "stdin:2")]
    assert came.index(records[0]) >= 1 and set(came) - set(records) == {SILENCE}
