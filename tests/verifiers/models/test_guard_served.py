"""Verifiers on a served guard, through the command line: order, nulls, its death, the cache."""

import math
import subprocess

import orjson
import pytest

from swr1.errors import SwrError, UsageError
from swr1.streams.reading import GROUP_END, WAITING
from swr1.verifiers.builtin import safety
from swr1.verifiers.running import open_verifiers
from tests.conftest import SWR1, jsonl, load, run_swr1
from tests.verifiers.models.guard_server import GuardServer, records

NEAR = {
    "safe": {"safe": math.log(0.9), "unsafe": math.log(0.1)},
    "unsafe": {"safe": math.log(0.2), "unsafe": math.log(0.8)},
    "Safe": {"Safe": math.log(0.5), "Unsafe": math.log(0.1), "Controversial": math.log(0.4)},
}
QUICK = ("--set", "safety.retry_for=0.6", "--set", "safety.timeout=5")


def llama(text: str) -> str:
    return "unsafe\nS9" if "poison" in text else "safe"


def verify(*args, stdin=b"", code=0, **more):
    done = run_swr1("verify", *args, stdin=stdin, **more)
    assert done.returncode == code, done.stderr
    return done


def verdicts(done, name="safety") -> list[dict]:
    return [orjson.loads(line)["verdicts"][name] for line in done.stdout.splitlines()]


def judge(data, server, guard, **options) -> list[dict]:
    """The verdicts of `safety`, as the stage gets them."""
    verifier = safety.open(guard=guard, url=server.url, **options)
    try:
        found = [verifier.submit(record) for record in data]
        verifier.flush("end")
        return [v if isinstance(v, dict) else v.result() for v in found]
    finally:
        verifier.close()


def test_many_records_keep_their_order_and_get_probabilities():
    with GuardServer(llama, "Llama-Guard-3-8B", NEAR) as server:
        options = ("--guard", "meta-llama/Llama-Guard-3-8B", "--url", server.url)
        done = verify("safety", *options, stdin=jsonl(records(90)))
        sent = server.requests
    out = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert [r["id"] for r in out] == [f"r{i}" for i in range(90)]
    for i, r in enumerate(out):
        found = r["verdicts"]["safety"]
        assert found["label"] == ("unsafe" if i % 3 == 0 else "safe")
        assert found["score"] == pytest.approx(0.2 if i % 3 == 0 else 0.9)
        assert found["by"] == "safety@1" and "error" not in found
    assert out[0]["verdicts"]["safety"]["detail"]["categories"] == ["S9 indiscriminate weapons"]
    assert len(sent) == 90 and sent[0]["temperature"] == 0 and sent[0]["top_logprobs"] == 20
    assert sent[0]["messages"][0] == {"role": "user", "content": "question 0"} or len(sent) == 90
    assert "unsafe 33.3%" in done.stderr


@pytest.mark.parametrize(
    ("guard", "reply", "expected"),
    [
        ("Qwen3Guard-Gen-4B", "Safety: Controversial\nCategories: PII\nRefusal: No",
         {"label": "controversial", "score": 0.5}),
        ("Qwen3Guard-Gen-4B", "Safety: Safe\nCategories: None\nRefusal: Yes",
         {"label": "needless-refusal", "score": 1.0}),
        ("wildguard", "Harmful request: no\nResponse refusal: no\nHarmful response: yes",
         {"label": "unsafe", "score": 0.0}),
        ("shieldgemma-9b", "No", {"label": "safe", "score": 1.0}),
        ("granite-guardian-3.3-8b", "<think>\n</think>\n<score> yes </score>",
         {"label": "unsafe", "score": 0.0}),
        ("Llama-Guard-4-12B", "I like llamas", {"label": None, "score": None}),
    ],
)  # fmt: skip
def test_every_guard_end_to_end(guard, reply, expected):
    record = records(1)[0] | {"info": {"harmful": False}}
    with GuardServer(lambda text: reply, guard) as server:
        [found] = judge([record], server, guard)
        sent = server.requests
    assert {k: found[k] for k in expected} == expected
    assert ("error" in found) == (expected["score"] is None)
    if guard.startswith("shield"):
        assert len(sent) == 4 and "dangerous" not in str(sent[0]["messages"])
        assert "guideline" in sent[0]["chat_template_kwargs"]
    if guard == "wildguard":
        assert (
            sent[0]["prompt"].startswith("<|user|>\n[INST]")
            and "answer 0 poison" in sent[0]["prompt"]
        )


def test_what_is_controversial_is_an_option():
    reply = "Safety: Safe\nCategories: None\nRefusal: No"
    with GuardServer(lambda text: reply, "Qwen3Guard-Gen-8B", NEAR) as server:
        scores = {
            choice: round(
                judge(records(1), server, "Qwen3Guard-Gen-8B", controversial=choice)[0]["score"], 6
            )
            for choice in ("half", "safe", "unsafe")
        }
    assert scores == {"half": 0.7, "safe": 0.9, "unsafe": 0.5}


def test_a_guard_that_dies_halfway_costs_nulls_and_only_those_are_asked_again(tmp_path):
    data = records(60)
    (tmp_path / "in.jsonl").write_bytes(jsonl(data))
    options = ("--guard", "Llama-Guard-3-8B", *QUICK, "--set", "safety.in_flight=4")
    with GuardServer(llama, "Llama-Guard-3-8B", dies_after=30) as server:
        judged = tmp_path / "judged.jsonl"
        more = ("--url", server.url, "-o", judged, "--allow-lost-guard")
        done = verify("safety", tmp_path / "in.jsonl", *options, *more)
    assert "the guard is gone" in done.stderr and "30 without a verdict" in done.stderr
    first = [r["verdicts"]["safety"] for r in load(judged)]
    lost = [v for v in first if v["score"] is None]
    assert len(first) == 60 and len(lost) == 30
    assert all(v["label"] is None and "gone" in v["error"] for v in lost)
    with GuardServer(llama, "Llama-Guard-3-8B") as server:
        whole = tmp_path / "whole.jsonl"
        args = ("safety", judged, *options, "--url", server.url, "--only-missing", "-o", whole)
        done = verify(*args)
        assert len(server.requests) == 30
    assert "30 verdicts were there and stayed" in done.stderr
    second = [r["verdicts"]["safety"] for r in load(whole)]
    assert all(a == b for a, b in zip(first, second, strict=True) if a["score"] is not None)
    labels = ["unsafe" if i % 3 == 0 else "safe" for i in range(60)]
    assert [v["label"] for v in second] == labels


def test_a_guard_that_never_answers_is_an_error_not_a_stream_of_nulls():
    options = ("--guard", "Llama-Guard-3-8B", "--url", "http://127.0.0.1:9/v1", *QUICK)
    done = verify("safety", *options, stdin=jsonl(records(3)), code=1)
    assert "127.0.0.1:9" in done.stderr and "Traceback" not in done.stderr


def test_the_cache_asks_only_what_is_new(tmp_path):
    with GuardServer(llama, "Llama-Guard-3-8B", NEAR) as server:

        def ask(data):
            before = len(server.requests)
            found = judge(data, server, "Llama-Guard-3-8B", cache=str(tmp_path / "replies.sqlite"))
            return found, len(server.requests) - before

        first, asked = ask(records(10))
        again, more = ask(records(12))
        assert (asked, more) == (10, 2) and again[:10] == first
        assert ask([records(1)[0] | {"prompt": [{"role": "user", "content": "another"}]}])[1] == 1
    (tmp_path / "notes.txt").write_text("a text that is no database " * 99)
    with pytest.raises(SwrError, match=r"notes\.txt"):
        safety.open(guard="Llama-Guard-3-8B", url="http://h/v1", cache=str(tmp_path / "notes.txt"))


def test_a_server_without_log_probabilities_is_asked_without():
    class Old(GuardServer):
        def complete(self, path, asked, *_):
            from swr1.errors import DataError

            if "logprobs" in asked:
                raise DataError("logprobs are not supported with this model")
            return super().complete(path, asked)

    with Old(llama, "Llama-Guard-3-8B") as server:
        found = judge(records(4), server, "Llama-Guard-3-8B")
    assert [v["score"] for v in found] == [0, 1, 1, 0]


def test_the_key_is_sent_and_never_shown(tmp_path):
    env = {"GUARD_KEY": "sk-very-secret"}
    with GuardServer(llama, "Llama-Guard-3-8B", faults=["500", None]) as server:
        options = ("--guard", "Llama-Guard-3-8B", "--url", server.url, "--key-env", "GUARD_KEY")
        out = tmp_path / "o.jsonl"
        done = verify("safety", *options, "-o", out, stdin=jsonl(records(2)), env=env)
        assert server.keys == {"Bearer sk-very-secret"}
    told = done.stderr + "".join(p.read_text() for p in tmp_path.iterdir())
    assert "sk-very" not in told


def test_a_bad_record_is_dropped_by_the_policy_and_marks_pass():
    good = [orjson.dumps(r) for r in records(3)]
    bad = orjson.dumps({"id": "bad", "completion": 7})
    stdin = good[0] + b"\n" + good[1] + GROUP_END + bad + b"\n" + good[2] + GROUP_END + WAITING
    with GuardServer(llama, "Llama-Guard-3-8B") as server:
        options = ("--guard", "Llama-Guard-3-8B", "--url", server.url, "--on-error", "skip")
        done = verify("safety", *options, stdin=stdin)
    lines = done.stdout.encode().splitlines(keepends=True)
    ends = [line.rpartition(b"}")[2] for line in lines]
    assert ends == [b"\n", GROUP_END, GROUP_END, WAITING]
    assert "1 dropped" in done.stderr


def test_nothing_waits_for_company_in_a_silent_pipe():
    with GuardServer(llama, "Llama-Guard-3-8B") as server:
        command = [SWR1, "verify", "safety", "--guard", "Llama-Guard-3-8B", "--url", server.url]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, **pipes) as stage:
            for record in records(2):
                stage.stdin.write(jsonl([record]))
                stage.stdin.flush()
                assert orjson.loads(stage.stdout.readline())["id"] == record["id"]
            stage.stdin.close()
            assert stage.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("names", "model", "more", "word"),
    [
        (["safety"], {}, {}, "--guard"),
        (["format"], {"guard": "x"}, {}, "models"),
        (["safety", "format"], {"guard": "x"}, {"called": "y"}, "--as"),
        (["safety"], {"guard": "Qwen/Qwen2.5-7B", "url": "http://h/v1"}, {}, "--adapter"),
        (["value"], {"guard": "x", "url": "http://h/v1", "judge": "valeu"}, {}, "'value'"),
        (["safety"], {"guard": "x"}, {"settings": ["safety.part=half"]}, "turn"),
        (["safety"], {"guard": "x"}, {"settings": ["safety.bach=3"]}, "batch"),
        (["safety"], {"guard": "x", "url": "http://a:b@h/v1"}, {}, "key in a URL"),
    ],
)
def test_wrong_use_is_told_with_what_to_do(names, model, more, word):
    options = {"grader": None, "timeout": 1, "settings": (), "model": model} | more
    with pytest.raises(UsageError, match=word), open_verifiers(names, **options):
        pass


def test_neither_format_nor_a_served_guard_imports_torch(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('torch is not wanted here')")
    env = {"PYTHONPATH": str(tmp_path)}
    verify("format", stdin=jsonl(records(1)), env=env)
    with GuardServer(llama, "Llama-Guard-3-8B") as server:
        options = ("--guard", "Llama-Guard-3-8B", "--url", server.url)
        verify("safety", *options, stdin=jsonl(records(1)), env=env)
