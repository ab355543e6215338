"""PPO with a critic: where it starts, what it sees, that it learns, and that a run goes on with it."""

import copy
import json

import pytest
import torch
from tiny_runs import (
    load,
    noisy_reward,
    same_weights,
    sample_records,
    tiny_policy,
    train_rl,
    weights,
)
from update_tools import VOCAB, measure, random_groups

from swr1.training.critic import Critic
from swr1.training.groups import read_sample


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return tiny_policy(tmp_path_factory.mktemp("critic") / "p")


def critic(policy, micro: int = 10_000, lr: float = 1e-2) -> Critic:
    return Critic(
        policy.folder(), torch.device("cpu"), lr=lr, micro_tokens=micro, dtype=torch.float32
    )


def samples(groups):
    return [read_sample(r, VOCAB) for g in groups for r in g]


def test_a_new_critic_says_zero_and_the_first_step_is_that_of_plain_returns(policy):
    model, _ = load(policy)
    groups = random_groups(2, groups=4)
    judge = critic(policy)
    assert all(not v.any() for v in judge.values(samples(groups)))
    row, gradient = measure(model, groups, "ppo", kl=0.0, critic=judge)
    plain, other = measure(model, groups, "reinforce++", kl=0.0)
    assert row["loss"] == pytest.approx(plain["loss"], abs=1e-5)
    assert torch.allclose(gradient, other, atol=1e-5)
    returns = [s.reward for s in samples(groups) for _ in s.old]
    assert row["value_mean"] == 0 and row["value_explained"] == pytest.approx(0)
    # Clipped at 0 +- 0.5 the loss is that of values still at 0: R^2 / 2, by token.
    assert row["value_loss"] == pytest.approx(sum(r * r for r in returns) / 2 / len(returns))


def test_the_value_of_a_token_does_not_see_it(policy):
    judge = critic(policy)
    groups = random_groups(2, groups=4)
    for _ in range(5):
        measure(load(policy)[0], groups, "ppo", kl=0.0, critic=judge)
    some = [s for s in samples(groups) if len(s.old) > 1]
    changed = copy.deepcopy(some)
    for s in changed:
        s.example.ids[s.example.targets[-1] :] = 3
    for a, b in zip(judge.values(some), judge.values(changed), strict=True):
        assert torch.allclose(a, b, atol=1e-6) and a.std() > 0


def test_it_learns_the_returns_and_micro_batches_do_not_matter(policy):
    groups = random_groups(2, groups=4)
    found = []
    for micro, steps in ((10_000, 40), (1, 3)):
        judge, model = critic(policy, micro, lr=1e-3), load(policy)[0]
        rows = [measure(model, groups, "ppo", kl=0.0, critic=judge)[0] for _ in range(steps)]
        found.append(rows)
    first, last = found[0][0], found[0][-1]
    assert last["value_loss"] < 0.5 * first["value_loss"] and last["value_explained"] > 0.3
    for a, b in zip(found[0][:3], found[1], strict=True):
        assert a["value_loss"] == pytest.approx(b["value_loss"], rel=1e-3)


def test_a_run_with_a_critic_goes_on_from_where_it_was(tmp_path):
    """Stopped after every step: the weights of one go, bit for bit, so the critic was kept whole."""
    runs = {}
    for name, stops in (("whole", [3]), ("cut", [1, 2, 3])):
        policy = tiny_policy(tmp_path / name / "p")
        records = sample_records(policy, 6, 4, noisy_reward)
        for steps in stops:
            train_rl(
                iter(copy.deepcopy(records)), policy, "ppo", batch=2, steps=steps, lr=1e-2,
                critic_lr=1e-2, epochs=2, minibatch=1, log=lambda _: None,
            )  # fmt: skip
        rows = [json.loads(line) for line in (policy.path / "metrics.jsonl").open()]
        runs[name] = [r["value_loss"] for r in rows], weights(policy)
        assert not list((policy.path / "versions").rglob("critic.pt"))
    assert runs["whole"][0] == runs["cut"][0]
    assert same_weights(runs["whole"][1], runs["cut"][1])
