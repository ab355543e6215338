"""A run with a cost goes on with the multiplier it had."""

import copy
import json

from tiny_runs import noisy_reward, same_weights, sample_records, tiny_policy, train_rl, weights


def test_a_multiplier_survives_the_trainer(tmp_path):
    """Stopped after every step and continued, lambda and weights are those of one go."""
    runs = {}
    for name, stops in (("whole", [4]), ("cut", [1, 2, 4])):
        policy = tiny_policy(tmp_path / name / "p")
        records = sample_records(policy, 8, 4, noisy_reward)
        for r in records:
            cost = len(r["generation"]["token_ids"]) / 4
            r["reward_parts"]["harm"] = {"value": cost, "weight": 0.0}
        for steps in stops:
            train_rl(
                iter(copy.deepcopy(records)), policy, "dr-grpo", batch=2, steps=steps, lr=1e-2,
                combine="lagrangian", cost="harm", cost_limit=0.5, log=lambda _: None,
            )  # fmt: skip
        rows = [json.loads(line) for line in (policy.path / "metrics.jsonl").open()]
        runs[name] = [r["lambda"] for r in rows], weights(policy)
    assert runs["whole"][0] == runs["cut"][0] and len(set(runs["cut"][0])) == 4
    assert same_weights(runs["whole"][1], runs["cut"][1])
