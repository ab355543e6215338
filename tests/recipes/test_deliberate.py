"""The GPU profile of deliberative search: its lines parse, its variables reach them."""

import shlex

import pytest

from tests.pages import parse
from tests.recipes.conftest import RECIPES

RECIPE = RECIPES / "deliberate.sh"


@pytest.fixture
def files(fake):
    for name in ("hotpotqa.jsonl", "nq.jsonl", "held.jsonl"):
        (fake.folder / name).write_text("")
    (fake.folder / "wiki").mkdir()
    return {"QUESTIONS": "hotpotqa.jsonl ./nq.jsonl", "HELD_OUT": "held.jsonl"}


def parsed(fake) -> list[str]:
    """The calls, each read by the real parser."""
    calls = fake.calls()
    for call in calls:
        words = shlex.split(call)
        parse(words[1:] if words[0] == "swr1" else words[words.index("-m") + 2 :])
    return calls


def test_every_line_parses_and_is_the_published_size(fake, files):
    done = fake(RECIPE, "gpu", SEARCH_URL="http://host:8000/retrieve", **files)
    calls = parsed(fake)
    (rl,) = (c for c in calls if "--max-lag" in c)
    for words in (
        f"{fake.folder}/hotpotqa.jsonl {fake.folder}/nq.jsonl",
        "--tools search --search-url http://host:8000/retrieve --top 3 --max-turns 4",
        "--max-passage-tokens 500",
        "--samples 5",
        "--batch 512",
        "--system-prompt deliberate",
        "--context 8192",
        "--engine vllm --data-parallel 1",
    ):
        assert words in rl, words
    (train,) = (c for c in calls if c.startswith("torchrun"))
    assert "--nproc-per-node 3 -m swr1 train-step deliberative" in train
    assert "--minibatch 256 --lr 1e-6 --warmup 285 --kl 0.001 --llds 0.1" in train
    assert "swr1 reward deliberate" in calls
    assert [c for c in calls if "knowledge" in c] == []
    assert "runs/deliberate-gpu-0: table-greedy.txt" in done.stdout


def test_an_index_brier_and_one_gpu(fake, files):
    more = {"REWARD": "deliberate-brier", "OBJECTIVE": "grpo", "TRAIN_GPUS": "1", "LLDS": "0"}
    fake(RECIPE, "gpu", INDEX="wiki", ENGINE="hf", **more, **files)
    calls = parsed(fake)
    assert all(
        f"--tools search,read --index {fake.folder}/wiki" in c and "--context" not in c
        for c in calls
        if c.startswith("swr1 rollout")
    )
    (train,) = (c for c in calls if c.startswith("swr1 train-step"))
    assert "grpo" in train and "--llds 0 " in train
    assert any("knowledge.confidence=stated" in c for c in calls)
    assert (fake.folder / "runs/deliberate-gpu-0-reward-deliberate-brier-objective-grpo").is_dir()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "SEARCH_URL or INDEX is missing"),
        ({"INDEX": "wiki", "SEARCH_URL": "http://x"}, "only one"),
        ({"INDEX": "nowhere"}, "INDEX=nowhere"),
        ({"INDEX": "wiki", "QUESTIONS": ""}, "QUESTIONS is missing"),
        ({"INDEX": "wiki", "HELD_OUT": "none.jsonl"}, "HELD_OUT: no file none.jsonl"),
        ({"INDEX": "wiki", "STEPS": "many"}, "STEPS=many"),
    ],
)
def test_what_is_missing_is_one_line(fake, files, variables, said):
    done = fake(RECIPE, "gpu", check=False, **files | variables)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and said in done.stderr
    assert fake.calls() == [] and not (fake.folder / "runs").exists()


@pytest.mark.parametrize(("attacks", "rollouts"), [(None, 6), ("poison tags", 9), ("", 0)])
def test_what_was_trained_is_attacked_without_and_with_each_defence(fake, attacks, rollouts):
    """Per kind, none among them: plain, without flagged passages, marked."""
    more = {} if attacks is None else {"ATTACKS": attacks}
    fake(RECIPE, "smoke", OBJECTIVES="constraint", **more)
    calls = parsed(fake)
    made = [c for c in calls if c.startswith("swr1 rollout") and "--index attacked/" in c]
    assert len(made) == rollouts and all("--policy start" in c for c in made)
    assert sum("--drop-flagged" in c for c in made) == sum("--datamark" in c for c in made)
    assert sum("reliability.needs=support,injection" in c for c in calls) == rollouts // 3
    kinds = [c.split()[2] for c in calls if c.startswith("swr1 attack")]
    assert kinds == (["contradict"] if attacks is None else attacks.split())
