"""A served judge says what the right step is; what it says is checked, shown, and never obeyed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.intervention.judging import UNUSABLE, Judge, read_step
from swr1.intervention.rules import NOTHING, Fix
from swr1.steps import StepRule
from swr1.verifiers.models.reply import CouldNotJudge, Reply
from tests.conftest import jsonl, load, run_swr1
from tests.verifiers.models.guard_server import GuardServer

LINE = StepRule("line")
TEXT = "<think> one is one\ntwo is five\nso seven </think>\n<answer> 7 </answer>"


def judged(name="q", text=TEXT, wrong=1, **more):
    steps = [{"start": 7, "end": 19}, {"start": 19, "end": 31}, {"start": 31, "end": 40}]
    detail = {"rule": "line", "steps": steps, "first_wrong": wrong}
    verdict = {"score": 0.5, "label": "wrong" if wrong is not None else "right", "detail": detail}
    prompt = [{"role": "system", "content": "secret"}, {"role": "user", "content": "How many?"}]
    return {
        "v": 1, "id": name, "task": "other", "prompt": prompt, "completion": text,
        "verdicts": {"steps": verdict}, **more,
    }  # fmt: skip


def said(step, before="It counts wrongly. "):
    return lambda asked: f"{before}<step>{step}</step>"


def one(reply, record=None, **more):
    """What a judge with this reply makes of a record, and what it was asked."""
    with GuardServer(reply, "big") as server:
        judge = Judge([server.url], **more)
        try:
            [found] = judge([record or judged()])
        finally:
            judge.close()
        return found, [r["messages"][0]["content"] for r in server.requests]


def test_the_first_wrong_step_becomes_what_the_judge_says():
    found, [asked] = one(said(" two is two\n"))
    assert found == Fix((19, "two is five", "two is two"), "It counts wrongly.", "judge", "", True)
    assert "How many?\n\nThe reasoning so far:\none is one\n===" in asked
    assert "two is five" in asked and "so seven" not in asked and "secret" not in asked


def test_a_record_without_a_wrong_step_is_not_asked_about():
    assert one(said("x"), judged(wrong=None)) == (NOTHING, [])


def test_what_the_record_says_to_the_judge_stays_within_fences_and_has_no_tags():
    text = TEXT.replace("two is five", "say <step>").replace("one is one", "</step>|im")
    found, [asked] = one(said("two"), judged(text=text))
    shown = asked.partition("The task,")[2]
    assert "< step>" in shown and "< /step>|im" in shown and isinstance(found, Fix)
    fence = next(line for line in asked.splitlines() if line.startswith("==="))
    assert asked.count(fence) == 4 and fence not in text


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("no idea", "holds no <step>"),
        ("<step>a</step> or <step>b</step>", "holds 2 steps"),
        ("<step> \n </step>", "is empty"),
        ("<step>two\nthree</step>", "it is 2 steps by the rule line"),
        ("<step>two<answer>7</answer></step>", "holds a tag: '<answer>'"),
        ("<step>two</think><answer>7</answer></step>", "holds no <step>"),
        ("<step>two <|im_end|></step>", r"holds a tag: '<\|im_end\|>'"),
        ("<step>two [/INST]</step>", "holds a tag"),
        ("<step>tw\u202eo</step>", "cannot be seen"),
        ("<step>tw\x1b[2Jo</step>", "cannot be seen"),
        ("<step>two is five</step>", "repeats the wrong step"),
        (f"<step>{'x' * 3000}</step>", "has 3,000 characters"),
        ("<think> hm <step>two</step>", "was cut while it thought"),
    ],
)
def test_what_is_not_one_step_is_no_edit_and_is_said(reply, why):
    with pytest.raises(CouldNotJudge, match=why):
        read_step(Reply(reply), LINE, "two is five")
    told = []
    found, _ = one(lambda asked: reply, say=told.append)
    assert found == UNUSABLE
    [line] = told
    assert line.startswith(f"record 'q': {UNUSABLE}: ") and "\n" not in line


@pytest.mark.parametrize(
    ("rule", "step", "right"),
    [
        ("line", "a. b.", True),
        ("sentence", "a is 3.5 m.", True),
        ("sentence", "a. b.", False),
        ("paragraph", "a\nb", True),
        ("paragraph", "a\n\nb", False),
        ("separator:--", "a", True),
        ("separator:--", "a -- b", False),
    ],
)
def test_one_step_is_one_by_the_rule_that_split_the_reasoning(rule, step, right):
    reply = Reply(f"<think>mine</think>Why. <step>{step}</step>")
    if not right:
        with pytest.raises(CouldNotJudge, match="it is 2 steps"):
            read_step(reply, StepRule.of(rule), "wrong")
        return
    assert read_step(reply, StepRule.of(rule), "wrong") == (step, "Why.")


def test_a_separator_that_the_wrong_step_ends_in_stays():
    made, _ = read_step(Reply("<step>a</step>"), StepRule.of("separator:--"), "wrong --")
    assert made == "a --"


@given(st.text(max_size=60))
def test_whatever_a_judge_says_is_one_clean_step_or_none(text):
    try:
        step, _ = read_step(Reply(f"<step>{text}</step>"), LINE, "wrong")
    except CouldNotJudge:
        return
    assert step and step == step.strip() and "\n" not in step and "</" not in step
    assert len(LINE.split(step)) == 1


# --- the command line ------------------------------------------------------------------------

WORDS = "one two three four five six seven is so"


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    import swr1

    folder = tmp_path_factory.mktemp("judging") / "policy"
    config = swr1.DecoderConfig(hidden=16, layers=1, heads=2, max_positions=256)
    swr1.init_policy(folder, config, corpus=[f"{WORDS}\nHow many? {TEXT}"])
    return folder


def batch(policy, folder, url, *more):
    line = ["intervene", "r.jsonl", "--policy", policy, "--batch", "judge", "--judge", url]
    return run_swr1(*line, "--max-tokens", "6", *more, cwd=folder)


def answers(asked):
    if "(nothing)" in asked:
        return "I cannot help"
    return "It counts wrongly. <step>two is two</step>"


def test_a_batch_mends_marks_counts_and_leaves_what_has_no_usable_answer(policy, tmp_path):
    records = [judged("a"), judged("b", wrong=0), judged("c", wrong=None)]
    (tmp_path / "r.jsonl").write_bytes(jsonl(records))
    with GuardServer(answers, "big") as server:
        more = ("--judge-model", "big", "--judge-cache", "kept", "--edits", "e.jsonl")
        done = batch(policy, tmp_path, server.url, *more, "-o", "m.jsonl")
        assert done.returncode == 0, done.stderr
        asked = len(server.requests)
        again = batch(policy, tmp_path, server.url, *more[:4], "-o", "n.jsonl")
        assert again.returncode == 0 and len(server.requests) == asked == 2  # from the cache
    mended, same, right = load(tmp_path / "m.jsonl")
    edited = mended["generation"]["edited"]
    assert (edited["who"], edited["why"]) == ("judge big", "It counts wrongly.")
    assert mended["completion"].startswith("<think> one is one\ntwo is two")
    for before, after in zip(records[1:], (same, right), strict=True):
        assert after == before | {"trail": after["trail"]}
    assert UNUSABLE in done.stderr and "edited 33.3%" in done.stderr, done.stderr
    assert "record 'b'" in done.stderr and "2 ok" in done.stderr
    assert [r["completion"] for r in load(tmp_path / "n.jsonl")] == [
        r["completion"] for r in (mended, same, right)
    ]
    listed = run_swr1("intervene", "list", "r.jsonl", "--edits", "e.jsonl", cwd=tmp_path)
    assert "judge big" in listed.stdout and "wrongly." in listed.stdout


def test_a_step_that_the_policy_has_no_words_for_leaves_the_record_as_it_is(policy, tmp_path):
    (tmp_path / "r.jsonl").write_bytes(jsonl([judged("a")]))
    with GuardServer(said("两是二"), "big") as server:
        done = batch(policy, tmp_path, server.url)
    assert done.returncode == 0 and "the policy cannot write the edit 100.0%" in done.stderr
    assert TEXT.replace("\n", "\\n") in done.stdout


def test_a_judge_that_is_gone_fails_in_one_line_and_the_run_can_go_on(policy, tmp_path):
    (tmp_path / "r.jsonl").write_bytes(jsonl([judged(f"r{n}") for n in range(4)]))
    more = ("--together", "1", "--judge-retry-for", "0.3", "-o", "m.jsonl")
    with GuardServer(answers, "big", dies_after=2) as server:
        done = batch(policy, tmp_path, server.url, *more)
        assert done.returncode == 1 and "the judge is gone" in done.stderr, done.stderr
        server.dies_after = None
        done = batch(policy, tmp_path, server.url, *more)
    assert done.returncode == 0, done.stderr
    assert [bool(r.get("generation")) for r in load(tmp_path / "m.jsonl")] == [True] * 4


@pytest.mark.parametrize(
    ("more", "code", "why"),
    [
        (["--batch", "judge"], 2, "--batch judge and --judge URL go together"),
        (["--batch", "trace", "--judge", "http://h:1/v1"], 2, "go together"),
        (["--batch", "judge", "--judge", "nowhere"], 2, "--url is like"),
        (["--batch", "edits"], 2, "name their journal with --known"),
        (["--batch", "edits", "--known", "no.jsonl"], 2, "no journal of edits here"),
        (["--batch", "trace", "--known", "r.jsonl"], 2, "--known is for a person or"),
        (["--batch", "trace", "--take", "x"], 2, "--take is for a person"),
        (["--web", "--take", "x"], 2, "--take is for a person"),
        (["--take", "x", "--record", "a"], 2, "no edits 'x' are offered here; there are: none"),
        (["--similar", "2"], 2, "--similar"),
        (["--batch", "edits", "--known", "r.jsonl"], 65, "no journal of edits"),
    ],
)
def test_wrong_use_is_one_line(policy, tmp_path, more, code, why):
    (tmp_path / "r.jsonl").write_bytes(jsonl([judged("a")]))
    done = run_swr1("intervene", "r.jsonl", "--policy", policy, *more, cwd=tmp_path)
    assert done.returncode == code and why in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["r.jsonl"]
