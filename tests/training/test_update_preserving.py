"""`llds` through a whole step: the loss by hand, masked tokens, stale samples, what is on-policy."""

import copy

import numpy as np
import pytest
import torch
from update_tools import VOCAB, Bigrams, measure, record

from swr1.training.groups import read_sample

PROMPT = [1, 2]
# Two actions around what a tool said (mask 0), and a wrong completion.
RIGHT, WRONG, MASK = [3, 4, 5, 6, 7, 8], [9, 3, 3, 4, 5, 2], [1, 1, 0, 0, 1, 1]


def two(model, drop) -> list[list[dict]]:
    """A group sampled by a policy that gave the right one `drop` more nats at each token."""
    rows = []
    for k, tokens in enumerate((RIGHT, WRONG)):
        row = record("p", k, 2, PROMPT, tokens, [0.0] * 6, [1] * 6, {"right": 1.0 - k}, 1.0 - k)
        now = model.logprobs([read_sample(row, VOCAB)])[0].tolist()
        more = drop if k == 0 else [5.0] * 6
        row["generation"] |= {
            "logprobs": [n + d for n, d in zip(now, more, strict=True)],
            "loss_mask": MASK,
        }
        rows.append(row)
    return [rows]


def test_value_and_gradient_by_hand():
    """The first action fell by .3 - .1, the second rose; masked ones fell by 9 each. The mean over tokens
    divides by the 8 own ones; the gradient is that of -coefficient/8 log pi of the fallen token."""
    model = Bigrams(0)
    groups = two(model, [0.3, -0.1, 9.0, 9.0, -0.3, 0.2])
    plain, without = measure(model, groups, "dapo", overlong=0.0)
    row, gradient = measure(model, groups, "dapo", overlong=0.0, llds=0.5)
    assert row["llds"] == pytest.approx(0.3 / 8) and row["llds_share"] == 1 / 8
    assert row["loss"] - plain["loss"] == pytest.approx(0.5 * 0.3 / 8)
    assert "llds" not in plain
    logits = model.table.detach().numpy()[PROMPT[-1]] / 0.9
    p = np.exp(logits - logits.max())
    p /= p.sum()
    want = np.zeros((VOCAB, VOCAB))
    want[PROMPT[-1]] = 0.5 / 8 / 0.9 * (p - np.eye(VOCAB)[RIGHT[0]])
    assert np.allclose((gradient - without).numpy().reshape(VOCAB, VOCAB), want, atol=1e-9)
    # As one response it rose: -.3 + .2 + .3 - .1 = .1 fell, so both fallen tokens count.
    row, _ = measure(model, groups, "dapo", overlong=0.0, llds=0.5, llds_gate="response")
    assert row["llds"] == pytest.approx((0.3 + 0.2) / 8)


def test_it_adds_nothing_on_policy_or_where_right_ones_rose():
    model = Bigrams(0)
    for drop in ([0.0] * 6, [-0.2] * 6):
        groups = two(model, drop)
        plain = measure(model, groups, "grpo", kl=0.0)
        row, gradient = measure(model, groups, "grpo", kl=0.0, llds=9.0)
        assert row["llds"] == 0 and row["loss"] == plain[0]["loss"]
        assert torch.equal(gradient, plain[1])


def test_what_a_tool_said_has_no_part_in_it():
    """Another text and other log-probabilities there: the same, but for what the policy saw."""
    model = Bigrams(0)
    groups = two(model, [0.3, 0.1, 0.0, 0.0, 0.3, 0.2])
    other = copy.deepcopy(groups)
    for r in other[0]:
        made = r["generation"]
        made["logprobs"][2:4] = [-50.0, 3.0]
        made["token_ids"][2] = 11  # the token before an own one stays: it is what a bigram sees
    options = {"overlong": 0.0, "llds": 0.5}
    a, b = (measure(model, g, "dapo", **options) for g in (groups, other))
    assert a[0]["llds"] == b[0]["llds"] > 0 and torch.equal(a[1], b[1])


def test_a_stale_sample_is_compared_with_the_policy_that_sampled():
    """With importance weights `old` is of the weights before the update, from which nothing fell."""
    model = Bigrams(0)
    groups = two(model, [0.3] * 6)
    options = {"overlong": 0.0, "llds": 0.5}
    fresh, _ = measure(model, groups, "dapo", **options)
    stale, _ = measure(model, groups, "dapo", importance="token", lag=2, **options)
    assert stale["llds"] == pytest.approx(fresh["llds"]) and stale["llds"] > 0
