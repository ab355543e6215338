"""What a terminal gets: nothing in a text that somebody else wrote is obeyed."""

import json
import os
import pty
import re
import socket
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.terminal import put, shown
from tests.conftest import SWR1, jsonl, run_swr1

ROOT = Path(__file__).parent.parent
TITLE, CLEAR, LINK = "\x1b]0;PWN\x07", "\x1b[2J", "\x1b]8;;http://x.test\x07"
EIGHT_BIT, TURNED = "\x9b2J", "‮dne"
HOSTILE = TITLE + CLEAR + LINK + EIGHT_BIT + TURNED + "\u2066\r\x7f\x08"
BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def obeyed(text: str) -> set[str]:
    """The characters that a terminal would act upon."""
    return {
        c
        for c in text
        if (unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t")
        or unicodedata.bidirectional(c) in BIDIRECTIONAL
        or c in "\u061c\u200e\u200f\u2028\u2029"
    }


anything = st.text(st.characters(exclude_categories=()))  # halves of characters too


@given(anything)
def test_nothing_is_obeyed_and_what_is_shown_stays_as_it_is(text):
    assert not obeyed(shown(text))
    assert shown(shown(text)) == shown(text)


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp"))))
def test_ordinary_text_is_shown_as_it_is(text):
    assert shown(text + "\n\tא") == text + "\n\tא"


@given(st.recursive(st.none() | st.text(), lambda t: st.lists(t) | st.dictionaries(st.text(), t)))
def test_printed_json_is_the_same_json(value):
    assert json.loads(shown(json.dumps(value, ensure_ascii=False))) == value


def hostile_record(**more):
    verdict = {"score": 1.0, "label": f"right{HOSTILE}", "detail": {HOSTILE: HOSTILE}, "by": "x@1"}
    return {
        "v": 1,
        "id": f"a{HOSTILE}",
        "task": f"knights{HOSTILE}",
        "prompt": [{"role": "user", "content": HOSTILE}],
        "answer": [["Zoey", "knight"]],
        "info": {"people": HOSTILE, "dataset": HOSTILE},
        "completion": f"<think>{HOSTILE}</think> <answer>{HOSTILE}</answer>",
        "generation": {"policy": {"name": HOSTILE.replace("/", "_"), "version": 3}},
        "verdicts": {"format": verdict, f"mine{HOSTILE}": verdict},
        **more,
    }


COMMANDS = {
    "merge": ["merge", "{twice}"],
    "quarantined": ["merge", "{twice}", "--on-error", "skip", "-o", "{out}"],
    "verify": ["verify", "format", "{twice}", "-o", "{out}"],
    "knights": ["verify", "knights", "{one}", "-o", "{out}"],
    "unknown verifier": ["verify", "no" + HOSTILE.replace("\n", ""), "{one}"],
    "null": ["reward", "logic-rl", "{null}", "-o", "{out}"],
    "explain": ["reward", "logic-rl", "{one}", "--explain", "a"],
    "eval": ["eval", "{one}"],
    "eval by": ["eval", "{one}", "--by", "dataset", "--verdict", f"mine{HOSTILE}"],
    "eval json": ["eval", "{one}", "--json"],
    "suite": ["eval", "{one}", "--suite", "all"],
    "analyze": ["analyze", "{one}"],
    "view": ["view", "{one}"],
    "view one": ["view", "{one}", "-n", "1"],
    "view json": ["view", "{broken}"],
    "solve": ["solve", "{one}", "-o", "{out}"],
    "solve text": ["solve", "--text", f"{HOSTILE} says Zoey is a knight."],
    "trace": ["trace", "{one}", "-o", "{out}"],
    "export": ["export", "trl", "{one}", "-o", "{out}"],
    "load": ["load", "gsm8k", "{one}", "-o", "{out}"],
    "estimate": ["estimate", "{one}"],
    "sample": ["sample", "{twice}", "-n", "1"],
    "file": ["merge", "{odd}/none" + HOSTILE.replace("/", "_")],
    "status": ["status", "{odd}"],
    "config": ["merge", "{one}", "--config", "{odd}/none"],
    "option": ["merge", f"--no{HOSTILE}"],
    "typed": ["verify", "format", "--timeout", HOSTILE],
    "policy": ["rollout", "{one}", "--policy", "{odd}/none"],
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    odd = folder / f"run{HOSTILE.replace('/', '_')}"
    odd.mkdir()
    (odd / "a.jsonl.part").write_bytes(jsonl([hostile_record()]))
    (odd / "a.jsonl.part.meta.json").write_text(json.dumps({"stage": HOSTILE, "options": {}}))
    null = {"score": None, "label": None, "detail": {}, "by": "x", "error": HOSTILE}
    named = {
        "one": [hostile_record()],
        "twice": [hostile_record(), hostile_record()],
        "null": [hostile_record(verdicts={"format": null, "knights": null})],
    }
    for name, records in named.items():
        (folder / f"{name}.jsonl").write_bytes(jsonl(records))
    (folder / "broken.jsonl").write_bytes(b'{"id": "\x1b]0;PWN\x07\n')
    paths = {name: str(folder / f"{name}.jsonl") for name in [*named, "broken"]}
    return paths | {"odd": str(odd)}


def words(name, files, tmp_path):
    places = {**files, "out": str(tmp_path / "out.jsonl")}
    return [re.sub(r"\{(\w+)\}", lambda m: places[m[1]], word) for word in COMMANDS[name]]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_pipe_gets_no_code(name, files, tmp_path):
    done = run_swr1(*words(name, files, tmp_path))
    assert "Traceback" not in done.stderr
    assert not obeyed(done.stderr), done.stderr
    if not done.stdout.startswith('{"'):  # records: JSON, for programs
        assert not obeyed(done.stdout), done.stdout
    assert done.stdout or done.stderr


@pytest.mark.parametrize("name", ["eval", "view", "view one", "merge", "status", "option", "null"])
def test_a_terminal_gets_no_code_but_our_own(name, files, tmp_path):
    ours, theirs = pty.openpty()
    command = [SWR1, *words(name, files, tmp_path)]
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"}
    env.pop("NO_COLOR", None)
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=env
    ) as process:
        os.close(theirs)
        text = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux says so when the other side is closed
                break
            if not part:
                break
            text += part
    os.close(ours)
    assert process.returncode in (0, 1, 2, 65)
    seen = text.decode().replace("\r\n", "\n")
    without_ours = re.sub(r"\x1b\[(?:[0-9;]*m|\?25[hl]|2K|1A)|\r", "", seen)
    assert not obeyed(without_ours), without_ours
    assert without_ours.strip()


def test_further_lines_of_a_message_are_indented(tmp_path):
    record = {"id": "a\nswr1 merge: all is well"}
    done = run_swr1("merge", stdin=jsonl([record, record]))
    assert done.returncode == 65
    assert "\n  swr1 merge: all is well" in done.stderr and "\nswr1" not in done.stderr


def test_a_line_is_one_write():
    """Several stages write to one terminal: their lines never run into one another."""
    reads, writes = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # keeps writes apart
    code = (
        "import sys; from swr1 import terminal; terminal.guard(); terminal.say('swr1 x', 'word');"
        "print('several', 'parts', file=sys.stderr)"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        stderr=writes,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    writes.close()
    got = []
    while line := reads.recv(65536):
        got.append(line)
    assert got == [b"swr1 x: word\n", b"several parts\n"]


def test_every_text_goes_the_one_way():
    """No console but ours, and nothing written past the streams that show."""
    around = re.compile(
        r"\bConsole\(|__std(?:err|out)__|stderr\.buffer|os\.write\(\s*[12]\s*,(?!\s*b['\"])"
    )
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for folder in ("src", "commands")
        for file in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if around.search(line) and file.name != "terminal.py"
    ]
    assert not found, found


def test_a_pipe_gets_no_padding_and_whole_tables(capsys, monkeypatch):
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    monkeypatch.delenv("COLUMNS", raising=False)
    table = Table(*[f"a long column {n}" for n in range(9)], box=None)
    table.add_row(*["x"] * 9)
    put(Group(Text("prose " * 30), table))
    lines = capsys.readouterr().out.split("\n")
    assert all(line == line.rstrip() for line in lines)
    assert [len(line) > 80 for line in lines if "column" in line] == [True]
    assert max(len(line) for line in lines if "prose" in line) <= 80
