"""A rollout whose prompts come one by one: what is done does not wait for the next one."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import orjson
import pytest

from swr1.errors import DataError
from swr1.policy import Policy
from swr1.streams import reading, standard
from swr1.streams.reading import GROUP_END, SILENCE, read
from tests.conftest import jsonl, run_swr1
from tests.engines.openai_server import Canned, ModelServer
from tests.engines.reference_model import save_reference
from tests.forked import start
from tests.rollout.test_lag import publish

PATIENT = 240  # seconds after which a test gives up
ROWS = [{"id": f"id{i}", "prompt": [{"role": "user", "content": f"hi {i}"}]} for i in range(3)]
TAPE = [row | {"sample": s, "completion": f"{row['id']} {s}"} for row in ROWS for s in range(3)]
# vLLM's library is not there; the engine's own part of the work is.
WITH_STAND_IN = f"""
import sys
sys.path[:0] = [{str(Path(__file__).parents[2])!r}]
from tests.engines import test_vllm_plain
import swr1.engines.vllm.engine
library = test_vllm_plain.Library()
swr1.engines.vllm.engine._library = lambda: library
from swr1.commands import main
main()
"""


def with_stand_in(args, **options):
    return subprocess.Popen([sys.executable, "-c", WITH_STAND_IN, *args], **options)


class Fed:
    """A rollout whose standard input is in our hands."""

    def __init__(self, args, cwd, begin=start):
        options = "--samples 3 --max-tokens 4 --system-prompt none".split()
        self.process = begin(
            ["rollout", "-", *options, *map(str, args)],
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.out = b""

    def send(self, *rows):
        self.process.stdin.write(jsonl(rows))
        self.process.stdin.flush()

    def lines(self, count) -> list[bytes]:
        """The first lines, `count` at least, as soon as they are there."""
        deadline = time.monotonic() + PATIENT
        while self.out.count(b"\n") < count:
            left = max(0, deadline - time.monotonic())
            there = select.select([self.process.stdout], [], [], left)[0]
            data = os.read(self.process.stdout.fileno(), 1 << 16) if there else b""
            assert data, f"{len(self.out.splitlines())} lines of {count} came"
            self.out += data
        return self.out.splitlines(keepends=True)

    def keys(self, count):
        records = [orjson.loads(line) for line in self.lines(count)]
        return [(r["id"], r["sample"]) for r in records]

    def end(self) -> tuple[int, str]:
        self.process.stdin.close()
        self.out += self.process.stdout.read()
        said = self.process.stderr.read().decode()
        return self.process.wait(PATIENT), said


@contextmanager
def fed(*args, **more):
    rollout = Fed(*args, **more)
    try:
        yield rollout
    finally:
        rollout.process.kill()
        rollout.process.wait()
        for stream in (rollout.process.stdin, rollout.process.stdout, rollout.process.stderr):
            if not stream.closed:
                stream.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_reference(tmp_path_factory.mktemp("reference"))


@pytest.fixture
def server(folder):
    with ModelServer(folder, engine=Canned()) as server:
        yield server


def command(engine, server, folder, tmp_path):
    """Its arguments, and how it is started."""
    if engine == "vllm":
        args = ["--engine", "vllm", "--policy", folder]
        return args, {"begin": with_stand_in}
    if engine == "hf":
        return ["--policy", folder], {}
    if engine == "replay":
        (tmp_path / "tape.jsonl").write_bytes(jsonl(TAPE))
        return ["--engine", "replay", "--recorded", "tape.jsonl"], {}
    name, _, size = engine.partition(" ")
    args = ["--engine", name, "--policy", "tiny", "--url", server.url]
    return [*args, *(["--per-request", size] if size else [])], {}


@pytest.mark.parametrize("engine", ["openai 2", "vllm", "replay", "hf"])
def test_a_group_is_out_before_the_next_prompt_comes(server, folder, tmp_path, engine):
    args, how = command(engine, server, folder, tmp_path)
    with fed(args, tmp_path, **how) as rollout:
        want = []
        for row in ROWS:
            want += [(row["id"], s) for s in range(3)]
            rollout.send(row)
            assert rollout.keys(len(want)) == want
        code, said = rollout.end()
    assert (code, len(rollout.lines(9))) == (0, 9), said
    if engine not in ("vllm", "hf"):
        (tmp_path / "prompts.jsonl").write_bytes(jsonl(ROWS))
        options = "--samples 3 --max-tokens 4 --system-prompt none".split()
        whole = run_swr1("rollout", "prompts.jsonl", *options, *args, cwd=tmp_path, check=True)
        assert whole.stdout.encode() == rollout.out, "the same bytes as from a file"


def test_what_is_under_way_is_ended_in_silence_too(server, tmp_path):
    """By Ctrl-C, and by the reader who leaves: the server's work is ended with it."""
    server.faults = iter([None] * 3 + ["hang"] * 6)
    args, _ = command("openai", server, None, tmp_path)
    for ended, code in ((lambda p: p.send_signal(signal.SIGINT), 130), (close_output, 0)):
        before = server.left
        with fed(args, tmp_path) as rollout:
            if not before:
                rollout.send(ROWS[0])
                rollout.lines(3)
            rollout.send(ROWS[1])
            wait_until(lambda: len(server.requests) == 6 + before)  # noqa: B023
            ended(rollout.process)
            assert rollout.process.wait(PATIENT) == code, rollout.process.stderr.read()
            assert b"Traceback" not in rollout.process.stderr.read()
        wait_until(lambda: server.left == 3 + before)  # noqa: B023


def close_output(process):
    process.stdout.close()


def wait_until(there):
    deadline = time.monotonic() + PATIENT
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def slow_stdin(monkeypatch, *parts):
    """Standard input that is silent after each of these parts."""
    into, out = os.pipe()

    def write():
        for part in parts:
            os.write(out, part)
            time.sleep(0.3)
        os.close(out)

    writer = threading.Thread(target=write)
    with open(into) as stdin:
        monkeypatch.setattr(standard._Streams, "input", stdin.fileno())
        monkeypatch.setattr(standard._Streams, "reader", None)
        writer.start()
        yield partial(read, ["-"], marks=True, silence_limit=0.05)
        writer.join()


def test_an_input_that_was_silent_and_ends_is_still_empty(monkeypatch):
    with (
        slow_stdin(monkeypatch, b"") as records,
        pytest.raises(DataError, match="no record came"),
    ):
        list(records(on_bad=print))


def test_a_line_that_is_too_long_is_one_bad_record_also_if_it_comes_in_parts(monkeypatch):
    monkeypatch.setattr(reading, "MAX_LINE", 100)
    bad = []
    with slow_stdin(monkeypatch, b"x" * 150, b"x" * 50 + b'\n{"id": "a"}\n') as records:
        came = [r for r, _ in records(on_bad=lambda *told: bad.append(told[0])) if r is not SILENCE]
    assert (bad, came) == (["stdin:1"], [None, {"id": "a"}])


def test_a_trainer_gets_the_whole_group_before_the_next_prompt_comes(server, folder, tmp_path):
    """Its last record is held until it is known what follows: in silence, nothing does."""
    policy = Policy(tmp_path / "policy")
    publish(policy)
    with policy.lock():
        policy.announce(2, 1, 0, 0, 0)
        args, _ = command("replay", server, folder, tmp_path)
        with fed([*args, "--policy", "policy", "--max-lag", 1], tmp_path) as rollout:
            for count, row in enumerate(ROWS[:2], 1):
                rollout.send(row)
                lines = rollout.lines(3 * count)
                assert [line.endswith(GROUP_END) for line in lines] == [False, False, True] * count
            assert rollout.end()[0] == 0
            assert len(rollout.lines(6)) == 6
