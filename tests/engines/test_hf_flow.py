"""The engine hf with completions under way: every cache, many waves, little room."""

import pytest

from swr1.engines import Request, Sampling
from swr1.engines.hf import HFEngine
from swr1.engines.hf.options import HFOptions
from swr1.engines.hf.variants import _variants

SAMPLING = Sampling(max_tokens=24, seed=3, stop=("ok ok",))


def requests(count: int, name: str = "r") -> list[Request]:
    return [Request((name, 0, i), [1, 9, 14, 15, 2 + i % 5][: 3 + i % 3]) for i in range(count)]


def flown(flow, waves, takes=()):
    """What comes of waves of requests, one every fourth step; versions taken at these steps."""
    made, step = {}, 0
    todo = list(waves)
    while todo or sum(map(len, waves)) > len(made):
        if todo and step % 4 == 0:
            flow.begin(todo.pop(0))
        if step in dict(takes):
            flow.take(dict(takes)[step], step)
        for request, completion in flow.step():
            assert request.key not in made
            made[request.key] = completion
        step += 1
        assert step < 2000
    return made


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("variant", ["cohorts", "rows", "runs", "recompute"])
def test_every_cache_goes_on_as_if_nothing_had_come(policy, variant, recompute):
    """The same weights again, as new versions: tokens and log-probabilities of `generate`."""
    engine = HFEngine(policy)
    waves = [requests(5, "a"), requests(3, "b"), requests(4, "c")]
    want = {r.key: c for w in waves for r, c in zip(w, engine.generate(w, SAMPLING), strict=True)}
    engine.variant = next(v for v in _variants(engine.model) if v.name == variant)
    flow = engine.flow(SAMPLING, 0, recompute)
    made = flown(flow, waves, [(3, policy), (6, policy), (7, policy)])
    for key, right in want.items():
        assert made[key].token_ids == right.token_ids
        assert made[key].finish_reason == right.finish_reason
        assert abs(made[key].logprobs - right.logprobs).max() < 1e-5
    assert any(len(c.facts["versions"]) > 2 for c in made.values())


def test_little_room_is_waited_for(policy):
    engine = HFEngine(policy, HFOptions(batch_tokens=120))
    waves = [requests(9, "a"), requests(7, "b")]
    flow = engine.flow(SAMPLING, 0, False)
    assert flow.room() == 1
    made = flown(flow, waves)
    assert flow.batch.max_rows == 120 // 29
    want = {r.key: c for w in waves for r, c in zip(w, engine.generate(w, SAMPLING), strict=True)}
    assert {k: c.token_ids for k, c in made.items()} == {k: c.token_ids for k, c in want.items()}


def test_a_version_before_anything_has_begun(policy, other_policy):
    engine = HFEngine(policy)
    flow = engine.flow(SAMPLING, 0, False)
    flow.take(other_policy, 4)
    made = flown(flow, [requests(3)])
    fresh = HFEngine(other_policy).generate(requests(3), SAMPLING)
    assert [c.token_ids for c in made.values()] and all(
        c.facts["versions"] == [[4, len(c.token_ids)]] for c in made.values()
    )
    assert sorted(c.token_ids for c in made.values()) == sorted(c.token_ids for c in fresh)
