"""Every objective, on-policy, pulls where the plain policy gradient does: no sign is wrong."""

import copy

import pytest
import torch
from update_tools import VOCAB, Bigrams, measure, random_groups

from swr1.objectives.presets import PRESETS
from swr1.training.groups import read_sample

NEEDS = {
    "gdpo": {"parts": {"right": 1.0, "wordy": -0.25}},
    "cale": {"success": "right"},
    "deliberative": {"cost": "wordy", "watch": "wordy"},
}


def on_policy(model: Bigrams, seed: int) -> list[list[dict]]:
    """Groups of equal lengths, recorded with the model's own log-probabilities."""
    groups = [g for g in random_groups(seed, groups=60, largest=6) if len(g) > 2]
    for g in groups:
        for k, r in enumerate(g):
            made = r["generation"]
            ids = (made["token_ids"] + [(seed + k) % VOCAB, 3, 5])[:3]
            made |= {"token_ids": ids, "loss_mask": [1, 1, 1], "logprobs": [-1.0] * 3}
            made["logprobs"] = model.logprobs([read_sample(r, VOCAB)])[0].tolist()
            parts = {k: p["value"] for k, p in r["reward_parts"].items()}
            r["reward"] = parts["right"] - parts["wordy"] / 4
    return groups


# ppo has a critic, and grpo-process pays steps, of which there are none here: test_credit.py
@pytest.mark.parametrize("name", sorted(PRESETS.keys() - {"ppo", "grpo-process"}))
def test_pulls_with_the_plain_policy_gradient(name: str):
    model = Bigrams(0)
    groups = on_policy(model, 1)
    options = NEEDS.get(name, {})
    row, gradient = measure(model, groups, name, ref=copy.deepcopy(model), **options)
    _, plain = measure(model, groups, "reinforce", advantage="dr-grpo")
    assert row["ratio_min"] == pytest.approx(1, abs=1e-5) and row["clip_share"] == 0
    cosine = float(torch.cosine_similarity(gradient, plain, dim=0))
    assert cosine > (0.2 if name == "reinforce" else 0.5)  # which has no baseline


def test_the_clip_share_of_gspo_is_of_its_own_ratio():
    """Two tokens, 0.1% up and 0.1% down: the sequence has not moved, though each token has."""
    model = Bigrams(0)
    groups = on_policy(model, 1)
    for g in groups:
        for r in g:
            old = r["generation"]["logprobs"]
            old[0], old[1] = old[0] + 1e-3, old[1] - 1e-3
    row, _ = measure(model, groups, "gspo")
    assert row["clip_share"] == 0
    row, _ = measure(model, groups, "gspo", loss="ppo-clip")
    assert row["clip_share"] > 0.1
