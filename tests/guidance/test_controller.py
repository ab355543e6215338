"""The controller, over a real engine on a tiny policy: what is tried, what is kept, what is said."""

import json
from dataclasses import replace

import numpy as np
import pytest

from swr1.engines import Sampling
from swr1.engines.continuing import ContinuingEngine
from swr1.guidance.engine import GuidedEngine
from swr1.guidance.guide import Dimension, Guide
from swr1.guidance.options import METHODS, GuideOptions
from swr1.prompts import Prompt
from swr1.steps import StepRule
from tests.conftest import load, run_swr1
from tests.engines.tiny_policy import save_policy

ASK = [{"role": "user", "content": "is zoey a knight ?"}]
RULE = StepRule.of("separator:is")
GUIDE = Guide("likes-knights", RULE, (Dimension("knights", "x", (), {}, "score"),), (), {})
SAMPLING = Sampling(max_tokens=24, seed=3)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    from swr1.engines import open_engine

    folder = save_policy(tmp_path_factory.mktemp("p") / "m", 0)
    return open_engine("hf", str(folder), dtype="float32", threads=1)


class Likes:
    """A scorer that likes a word; `knows` says of which texts it knows anything."""

    def __init__(self, word="knight", knows=lambda text: True):
        self.word, self.knows, self.nulls, self.asked = word, knows, {}, []

    def __call__(self, records):
        self.asked += records
        values = []
        for record in records:
            words = record["completion"].split()
            share = words.count(self.word) / max(1, len(words))
            values.append({"knights": share if self.knows(record["completion"]) else None})
        return values


def guided(engine, scorer=None, samples=3, guide=GUIDE, sampling=SAMPLING, **options):
    given = GuideOptions(guide="x", keep_candidates="full", **options)
    controller = GuidedEngine(ContinuingEngine(engine), given, guide, scorer or Likes())
    first = engine.request(("r", 0, 0), ASK, Prompt("none"))
    about = {"id": "r", "task": "t", "prompt": ASK}
    requests = [replace(first, key=("r", 0, s), about=about) for s in range(samples)]
    return controller.generate(requests, sampling), controller


def plain(engine, samples=3):
    first = engine.request(("r", 0, 0), ASK, Prompt("none"))
    return engine.generate([replace(first, key=("r", 0, s)) for s in range(samples)], SAMPLING)


@pytest.mark.parametrize("method", ["best-of-n", "vote", "majority", "random", "greedy"])
def test_one_candidate_of_a_whole_completion_is_what_the_policy_writes(engine, method):
    made, _ = guided(engine, guide_method=method, candidates=1)
    for ours, theirs in zip(made, plain(engine), strict=True):
        if method in ("random", "greedy"):  # its later steps have streams of their own
            first = ours.facts["turns"][0]["tokens"][1]
            assert ours.token_ids[:first] == theirs.token_ids[:first]
        else:
            assert ours.token_ids == theirs.token_ids
            np.testing.assert_array_equal(ours.logprobs, theirs.logprobs)


@pytest.mark.parametrize("method", METHODS)
def test_log_probabilities_are_the_policys_and_ids_the_text(engine, method):
    made, _ = guided(engine, guide_method=method, candidates=4)
    request = engine.request(("r", 0, 0), ASK, Prompt("none"))
    for one in made:
        direct = scored(engine, request.prompt_ids, one.token_ids)
        np.testing.assert_allclose(one.logprobs, direct, atol=2e-5)
        assert one.facts["loss_mask"] == [1] * len(one.token_ids)
        assert len(one.token_ids) <= SAMPLING.max_tokens
        for turn in one.facts["turns"]:
            said = engine._decode([one.token_ids[: turn["tokens"][1]]])[0]
            assert said == one.text[: turn["characters"][1]]


def scored(engine, prompt, ids):
    import torch

    with torch.no_grad():
        logits = engine.model(torch.tensor([prompt + ids])).logits[0].double()
    rows = logits.log_softmax(-1)[len(prompt) - 1 : -1]
    return rows.gather(1, torch.tensor(ids)[:, None])[:, 0].numpy()


@pytest.mark.parametrize("method", ["greedy", "beam", "dvts", "best-of-n"])
def test_guidance_gets_more_of_what_it_likes_and_counts_what_it_costs(engine, method):
    made, controller = guided(engine, guide_method=method, candidates=8, samples=6)
    liked = np.mean([m.text.split().count("knight") / len(m.text.split()) for m in made])
    alone = plain(engine, 6)
    before = np.mean([m.text.split().count("knight") / max(1, len(m.text.split())) for m in alone])
    assert liked > before
    spent = sum(m.facts["guided"]["spent"] for m in made)
    assert spent == controller.spent["spent"] > controller.spent["chosen"]
    for one in made:
        chosen = [c for c in one.facts["candidates"] if c["chosen"]]
        assert any(c["text"] == one.text for c in chosen)
        assert method != "best-of-n" or len(chosen) == 1


@pytest.mark.parametrize("method", ["greedy", "beam", "dvts", "best-of-n", "vote"])
def test_a_scorer_that_knows_nothing_changes_nothing(engine, method):
    nothing, _ = guided(engine, Likes(knows=lambda t: False), guide_method=method, candidates=4)
    for one in nothing:
        first = one.facts["candidates"][0]
        assert first["scores"] == {"knights": None} and first["score"] == 0.5
        assert one.facts["guided"]["nulls"] > 0
    if method == "best-of-n":
        alone = plain(engine)
        for one, unguided in zip(nothing, alone, strict=True):
            # one that is cut is never chosen before one that is whole
            assert unguided.finish_reason == "length" or one.token_ids == unguided.token_ids


def test_a_candidate_below_the_floor_is_never_chosen_before_another(engine):
    floor = replace(GUIDE, floor={"knights": 0.01})
    made, _ = guided(engine, guide=floor, guide_method="greedy", candidates=6, samples=6)
    for one in made:
        for step in {c["step"] for c in one.facts["candidates"]}:
            row = [c for c in one.facts["candidates"] if c["step"] == step]
            if any(not c.get("out") for c in row):
                assert not next(c for c in row if c["chosen"]).get("out")


def test_the_same_line_gives_the_same_completion_whatever_is_beside_it(engine):
    alone, _ = guided(engine, guide_method="beam", candidates=4, samples=1)
    beside, _ = guided(engine, guide_method="beam", candidates=4, samples=5)
    assert alone[0].token_ids == beside[0].token_ids


def test_what_is_cut_is_not_chosen_before_what_is_whole(engine):
    class Long(Likes):
        def __call__(self, records):
            return [{"knights": min(1.0, len(r["completion"]) / 200)} for r in records]

    short = replace(SAMPLING, max_tokens=12)
    made, _ = guided(
        engine, Long(), sampling=short, guide_method="best-of-n", candidates=12, samples=8
    )
    logs = [one.facts["candidates"] for one in made]
    whole = [any(c["tokens"] < 12 for c in log) for log in logs]
    assert any(whole)
    for one, had in zip(made, whole, strict=True):
        assert not had or one.finish_reason == "stop"


MINE = """
def check(record):
    words = record["completion"].split()
    return words.count("knight") / max(1, len(words))
"""


def test_through_the_command_line(tmp_path):
    policy = save_policy(tmp_path / "m", 0)
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "guide.toml").write_text(
        'rule = "separator:is"\n[score.knights]\nverifier = "./mine.py:check"\n'
    )
    lines = "".join(json.dumps({"id": f"r{n}", "prompt": ASK}) + "\n" for n in range(3))
    common = ("rollout", "--policy", policy, "--system-prompt", "none", "--max-tokens", 16)
    args = (*common, "--guide", "guide.toml", "--candidates", 3, "--samples", 2)
    done = run_swr1(*args, "-o", "out.jsonl", stdin=lines, cwd=tmp_path)
    assert done.returncode == 0 and "guidance: " in done.stderr
    records = load(tmp_path / "out.jsonl")
    assert len(records) == 6 and all(r["generation"]["guided"]["guide"] for r in records)
    rewarded = "".join(json.dumps(r | {"reward": 1.0}) + "\n" for r in records)
    run_swr1("init-policy", "kk", "--from", policy, cwd=tmp_path, check=True)
    grpo = ("train-step", "grpo", "--policy", "kk", "--steps", 1)
    trained = run_swr1(*grpo, stdin=rewarded, cwd=tmp_path)
    assert trained.returncode != 0 and "no sample of the policy" in trained.stderr
    for more, says in (
        (("--temperature", 0), "--temperature above 0"),
        (("--max-lag", 1), "RL needs samples of the policy"),
        (("--guide", "stps"), "Did you mean 'steps'"),
    ):
        refused = run_swr1(*args, *more, stdin=lines, cwd=tmp_path)
        assert refused.returncode == 2 and says in " ".join(refused.stderr.split())
