"""rollout --continue: prefixes of earlier completions as prompts, through the real command line."""

import json

import pytest

from tests.conftest import load, run_swr1
from tests.engines.tiny_policy import save_policy

ASK = [{"role": "user", "content": "is zoey a knight ?"}]
RULE = ("--steps", "separator:knight")
THOUGHT = " zoey is a knight oliver is a knave </think> <answer> zoey is a knight </answer>"


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return save_policy(tmp_path_factory.mktemp("p") / "m", 0)


@pytest.fixture(scope="module")
def written(policy, tmp_path_factory):
    """Three completions of the policy, two samples each."""
    folder = tmp_path_factory.mktemp("w")
    prompts = [{"id": f"r{n}", "task": "t", "prompt": ASK} for n in range(3)]
    file = folder / "first.jsonl"
    lines = "".join(json.dumps(p) + "\n" for p in prompts)
    common = ("rollout", "--policy", policy, "--system-prompt", "none", "--samples", 2)
    run_swr1(*common, "--max-tokens", 6, "-o", file, stdin=lines, check=True)
    return file


def go_on(policy, *args, stdin=""):
    common = ("rollout", "--policy", policy, "--system-prompt", "none", "--max-tokens", 4)
    return run_swr1(*common, *args, stdin=stdin)


def test_a_completion_that_was_cut_goes_on_from_its_ids(policy, written, tmp_path):
    out = tmp_path / "out.jsonl"
    assert go_on(policy, written, "--continue", "end", "-o", out).returncode == 0
    for before, after in zip(load(written), load(out), strict=True):
        old, new = before["generation"], after["generation"]
        hidden = old["finish_reason"] == "stop"
        ids = old["token_ids"][:-1] if hidden else old["token_ids"]
        assert new["token_ids"][: len(ids)] == ids and len(new["token_ids"]) > len(ids)
        assert new["loss_mask"] == [0] * len(ids) + [1] * (len(new["token_ids"]) - len(ids))
        assert after["completion"].startswith(before["completion"])
        assert after["info"]["prefix"]["of"] == before["id"] and after["id"] != before["id"]


def steps_of(text):
    return {"id": "s", "task": "t", "prompt": ASK, "completion": text}


def test_every_step_is_continued_and_its_samples_are_a_group(policy):
    done = go_on(
        policy, "--continue", "steps", *RULE, "--samples", 3, stdin=json.dumps(steps_of(THOUGHT))
    )
    records = [json.loads(line) for line in done.stdout.splitlines()]
    places = [(r["info"]["prefix"]["step"], r["sample"]) for r in records]
    assert places == [(step, sample) for step in (0, 1, 2) for sample in (0, 1, 2)]
    assert len({r["id"] for r in records}) == 3
    for record in records:
        turns = record["generation"].get("turns") or [{"characters": [0, 0]}]
        kept = record["completion"][: turns[0]["characters"][1]]
        assert THOUGHT.split()[: len(kept.split())] == kept.split()


def test_the_first_wrong_step_is_written_again(policy):
    wrong = steps_of(THOUGHT) | {"verdicts": {"trace": {"score": 0, "detail": {"wrong_step": 1}}}}
    right = steps_of(THOUGHT) | {
        "id": "ok",
        "verdicts": {"trace": {"detail": {"wrong_step": None}}},
    }
    lines = json.dumps(right) + "\n" + json.dumps(wrong)
    [record] = map(
        json.loads, go_on(policy, "--continue", "wrong", *RULE, stdin=lines).stdout.splitlines()
    )
    assert record["info"]["prefix"] | {"characters": 0} == {
        "of": "s",
        "sample": 0,
        "epoch": 0,
        "step": 1,
        "characters": 0,
    }
    assert "knave" not in record["completion"][: record["info"]["prefix"]["characters"]]


def test_shards_and_a_second_run_give_the_same(policy, written, tmp_path):
    args = (written, "--continue", "end", "--samples", 2, "--batch", 2)
    whole = tmp_path / "whole.jsonl"
    go_on(policy, *args, "-o", whole)
    for part in (0, 1):
        go_on(policy, *args, "--shard", f"{part}/2", "-o", f"{tmp_path}/shards/")
    merged = tmp_path / "merged.jsonl"
    assert run_swr1("merge", tmp_path / "shards", "-o", merged).returncode == 0
    assert [r["id"] for r in load(merged)] == [r["id"] for r in load(whole)]
    assert [r["completion"] for r in load(merged)] == [r["completion"] for r in load(whole)]
    assert "complete" in go_on(policy, *args, "-o", whole).stderr


@pytest.mark.parametrize(
    ("options", "lines", "says"),
    [
        (("--continue", "middle"), "{}", "end, steps, wrong, or how many characters"),
        (("--continue", "steps", "--steps", "lines"), "{}", "no step rule 'lines'. Did you mean"),
        (("--continue", "9" * 5000), "{}", "end, steps, wrong, or how many characters"),
        *(
            (
                ("--continue", "wrong"),
                json.dumps(steps_of("a") | {"verdicts": {"steps": {"score": 0, "detail": detail}}}),
                "the verdict 'steps' has no step's number",
            )
            for detail in ({"first_wrong": "x"}, {"first_wrong": -1}, {"first_wrong": True})
        ),
        (("--continue", "wrong"), json.dumps(steps_of("a")), "no verdict says which step is wrong"),
        (
            ("--continue", "end"),
            json.dumps({"id": "x", "prompt": ASK}),
            "no completion to continue",
        ),
    ],
)
def test_what_cannot_be_continued_is_refused(policy, options, lines, says):
    done = go_on(policy, *options, stdin=lines)
    assert done.returncode in (2, 65) and "Traceback" not in done.stderr
    assert says in " ".join(done.stderr.split())
