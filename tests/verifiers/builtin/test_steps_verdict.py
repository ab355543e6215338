"""Verdicts step by step: by the rules of each world, by a judge, and what a record keeps of them."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from swr1.errors import DataError, UsageError
from swr1.facts.questions import Questions
from swr1.verifiers.builtin import steps, trace
from swr1.village.requests import generate
from tests.conftest import load

PUZZLE = {
    "id": "p",
    "task": "knights",
    "prompt": [{"role": "user", "content": "A says that B is a knave. B says that B is a knight."}],
    "answer": [["Ann", "knave"], ["Ben", "knight"]],
    "info": {"statements": [["lying", 1], ["telling-truth", 1]], "roles": ["knight", "knave"]},
}


def labels(verdict):
    return [step["label"] for step in verdict["detail"]["steps"]]


def said(record, verdict):
    return [record["completion"][s["start"] : s["end"]] for s in verdict["detail"]["steps"]]


def traced(puzzles, kind):
    """Traces of puzzles with a planted fault, as completions."""
    from random import Random

    from swr1.puzzles.item import puzzle_of
    from swr1.puzzles.traces import trace_fields

    for record in puzzles:
        fields = trace_fields(puzzle_of(record), "search", Random(record["id"]), kind, False)
        yield record | {"completion": fields["trace"]}, fields["trace_fault"]


@pytest.fixture(scope="module")
def puzzles():
    from swr1.puzzles.generator import generate as puzzle_items

    return [{"id": f"p{i}", **item} for i, item in enumerate(puzzle_items(6, people=3, seed=1))]


def test_the_first_wrong_line_of_a_puzzle_is_where_the_fault_was_planted(puzzles):
    for record, fault in traced(puzzles, "replaced"):
        verdict = steps.verify(record)
        assert verdict["detail"]["first_wrong"] == fault["step"]
        assert verdict["label"] == "wrong" and 0 < verdict["score"] < 1
        assert verdict["detail"]["first_wrong"] == trace.verify(record)["detail"]["wrong_step"]
        assert steps.verify(record, score="all")["score"] == 0
        before = steps.verify(record, score="before")["score"]
        assert before == fault["step"] / len(verdict["detail"]["steps"])
    for record, _ in traced(puzzles, None):
        verdict = steps.verify(record)
        assert (verdict["score"], verdict["label"]) == (1, "right")
        assert verdict["detail"]["first_wrong"] is None and verdict["detail"]["right"] == 1


def test_places_are_those_of_the_completion_whatever_the_prompt_opened(puzzles):
    record, _ = next(traced(puzzles, "replaced"))
    whole = steps.verify(record)
    opened = record | {
        "completion": record["completion"].removeprefix("<think> Let"),
        "generation": {"prefill": "<think> Let"},
    }
    verdict = steps.verify(opened)
    assert labels(verdict) == labels(whole)
    assert said(opened, verdict)[1:] == said(record, whole)[1:]
    assert verdict["detail"]["steps"][0]["start"] == 0


def test_every_stated_fact_of_a_villager_is_right_until_a_word_is_changed():
    items = [
        {"id": str(i), **item} for i, item in enumerate(generate(150, seed=2, trace="careful"))
    ]
    wrong = 0
    for item in items:
        record = item | {"completion": item["info"]["trace"]}
        verdict = steps.verify(record)
        assert set(labels(verdict)) <= {"right", "unjudged"}, record["completion"]
        for old, new in (
            (" is rough", " is mild"),
            ("so harm", "so no harm"),
            (" times ", " plus "),
        ):
            if old in record["completion"]:
                lie = record | {"completion": record["completion"].replace(old, new, 1)}
                lied = steps.verify(lie)
                first = lied["detail"]["first_wrong"]
                assert lied["label"] == "wrong" and new.strip() in said(lie, lied)[first]
                assert lied["detail"]["steps"][first]["why"]
                wrong += 1
    assert wrong > 50
    odd = record | {"completion": "<think> the moon is far away tonight </think>"}
    assert steps.verify(odd)["score"] is None


def test_facts_are_judged_by_the_passages_that_were_read():
    items = [
        {"id": str(i), **item}
        for i, item in enumerate(Questions(n=120, trace=True, care=1).items())
    ]
    lies = 0
    for record in items:
        verdict = steps.verify(record)
        assert set(labels(verdict)) <= {"right", "unjudged"}, record["completion"]
        assert not any("information" in text for text in said(record, verdict))
        for old, new in ((" other ", " same "), ("it says ", "it says x"), (" is ", " is x")):
            place = record["completion"].rfind(old)
            if place < 0 or record["completion"].startswith("<information", place):
                continue
            text = record["completion"]
            shift = len(new) - len(old)
            turns = [dict(t, characters=[*t["characters"]]) for t in record["generation"]["turns"]]
            turns[-1]["characters"][1] += shift
            if place < turns[-1]["characters"][0]:
                continue
            lie = record | {
                "completion": text[:place] + new + text[place + len(old) :],
                "generation": {"turns": turns},
            }
            lied = steps.verify(lie)
            assert lied["label"] == "wrong", lie["completion"]
            lies += 1
    assert lies > 60


def test_what_no_rule_can_judge_is_null_and_says_why():
    record = {"id": "x", "task": "math", "prompt": [], "completion": "<think>a\nb</think> 1"}
    verdict = steps.verify(record)
    assert verdict["score"] is None and "steps.model" in verdict["error"]
    empty = PUZZLE | {"completion": "<answer>x</answer>"}
    assert steps.verify(empty)["error"] == "the turn has no thinking, so no steps"
    with pytest.raises(DataError, match="no 'completion'"):
        steps.verify(PUZZLE)
    with pytest.raises(UsageError, match="no step rule"):
        steps.verify(record, rule="lins")
    with pytest.raises(UsageError, match=r"only with --guard: --cache"):
        steps.verify(record, cache="x")


class Judge:
    """A served judge that finds a step wrong which says "false", and cannot read one."""

    ahead, name = 4, "fake"

    def __init__(self):
        self.asked = []
        self.backend = self

    def submit(self, record):
        self.asked.append(record)
        if "?" in record["completion"]:
            return {"score": None, "label": None, "error": "the judge's reply holds no verdict"}
        wrong = "false" in record["completion"]
        return {"score": 0.25 if wrong else 0.75, "label": "wrong" if wrong else "right"}

    def flush(self, why): ...
    def close(self): ...


def test_a_judge_is_asked_about_each_step_with_what_stands_before_it():
    from swr1.steps import StepRule
    from swr1.verifiers.steps.models import StepJudge

    judge = Judge()
    asked = steps.Steps(StepJudge(judge), StepRule.of("line"), "share", "")
    record = {
        "id": "x",
        "prompt": [{"role": "user", "content": "Why?"}],
        "completion": "<think>one\nfalse\nwhat?</think>so",
    }
    verdict = asked.submit(record)
    assert labels(verdict) == ["right", "wrong", "unjudged"]
    assert [s.get("score") for s in verdict["detail"]["steps"]] == [0.75, 0.25, None]
    assert verdict["detail"]["steps"][2]["why"] == "the judge's reply holds no verdict"
    assert verdict["score"] == 0.5 and verdict["detail"]["guard"] == "fake"
    assert [r["completion"] for r in judge.asked] == ["one", "false", "what?"]
    prompt = judge.asked[2]["prompt"][0]["content"]
    assert prompt == "Why?\n\nThe reasoning so far:\none\nfalse"


class Server(BaseHTTPRequestHandler):
    """Says of a step that it is wrong where "false" stands in it; of one with "?" nothing."""

    def log_message(self, *args): ...

    def do_GET(self):
        self.reply({"data": [{"id": "m"}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        step = asked["messages"][0]["content"].partition("The step:")[2].partition("The step is")[0]
        said = "no idea" if "?" in step else f"Verdict: {'wrong' if 'false' in step else 'right'}"
        self.reply({"choices": [{"message": {"content": said}, "finish_reason": "stop"}]})

    def reply(self, made):
        body = json.dumps(made).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_served_judge_by_its_address_alone():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    record = {
        "id": "x",
        "prompt": [{"role": "user", "content": "Why?"}],
        "completion": "<think>one\nfalse\nwhat?</think>so",
    }
    try:
        verdict = steps.verify(record, judge=url)
    finally:
        server.shutdown()
        server.server_close()
    assert labels(verdict) == ["right", "wrong", "unjudged"] and verdict["detail"]["guard"] == url
    assert "no verdict" in verdict["detail"]["steps"][2]["why"]


def test_the_command_line_adds_the_verdict_and_knows_its_options(tmp_path, swr1, puzzles):
    lines = [json.dumps(record) for record, _ in traced(puzzles, "replaced")]
    (tmp_path / "c.jsonl").write_text("\n".join(lines))
    done = swr1("verify", "trace", "steps", "c.jsonl", "-o", "j.jsonl", cwd=tmp_path, check=True)
    assert "steps: wrong 100.0%" in done.stderr
    for record in load(tmp_path / "j.jsonl"):
        verdict = record["verdicts"]["steps"]
        assert verdict["by"] == "steps@1" and verdict["detail"]["rule"] == "line"
    refused = swr1("verify", "steps", "c.jsonl", "--set", "steps.score=half", cwd=tmp_path)
    assert refused.returncode == 2 and "share, before" in refused.stderr
    shown = swr1("verify", "steps", "--options", cwd=tmp_path, check=True)
    assert "steps.model=" in shown.stdout


def test_it_is_a_part_of_a_reward(tmp_path, swr1, puzzles):
    (tmp_path / "r.toml").write_text('tasks = ["knights"]\n[part.steps]\nfrom = "steps.score"\n')
    lines = [json.dumps(record) for record, _ in traced(puzzles, "replaced")]
    judged = swr1("verify", "steps", stdin="\n".join(lines), cwd=tmp_path, check=True).stdout
    done = swr1("reward", "r.toml", stdin=judged, cwd=tmp_path, check=True).stdout
    for line in done.splitlines():
        record = json.loads(line)
        assert record["reward"] == record["verdicts"]["steps"]["score"]


def test_rules_import_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys; from swr1.verifiers.running import open_verifiers\n"
        "with open_verifiers(['steps']) as judge: judge({'id': 'x', 'completion': 'a'})\n"
        "print(*{'torch', 'transformers', 'pyarrow', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
