"""GSPO, CISPO and CPGD: value and gradient by hand and by plain loops, and the traps of each."""

import math

import plain_loops
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_advantages import flat

from swr1.objectives.aggregate import aggregate, count
from swr1.objectives.losses import capped_k3, cispo, cpgd, gspo, ppo_clip, sapo, sequence_clip

LN = math.log
tokens = st.tuples(*[st.floats(-2, 2)] * 3)


def gradient(loss, logp: torch.Tensor, *args, **options) -> list[float]:
    logp = logp.clone().requires_grad_()
    (out,) = torch.autograd.grad(loss(logp, *args, **options).sum(), logp)
    return out.tolist()


def test_gspo_by_hand():
    # Ratios 2 and 1/2 in one sequence: their geometric mean is 1. Ratios 3 and 3: it is 3, clipped.
    logp = torch.tensor([LN(2.0), LN(0.5), LN(3.0), LN(3.0)])
    args = torch.zeros(4), torch.tensor([1.0, 1.0, 2.0, 2.0]), flat([2, 2])
    loss = gspo(logp, *args, clip_low=0.2, clip_high=0.5)
    assert loss.tolist() == pytest.approx([-1.0, -1.0, -3.0, -3.0])
    assert gradient(gspo, logp, *args, clip_low=0.2, clip_high=0.5) == [-1.0, -1.0, 0.0, 0.0]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=1, max_size=5),
        min_size=1,
        max_size=10,
    ),
    st.lists(st.floats(-2, 2), min_size=50, max_size=50),
    st.floats(0.001, 0.5),
)
def test_gspo_token_form_has_value_and_gradient_of_the_sequence_form(rows, advantages, eps):
    """Finite differences of the loss over sequences, in plain loops; away from the corners."""
    lengths = [len(r) for r in rows]

    def whole(logp: list[list[float]]) -> float:
        return sum(
            plain_loops.gspo(p, [o for _, o in r], a, eps, eps)
            for p, r, a in zip(logp, rows, advantages, strict=False)
        ) / len(rows)

    logp = torch.tensor([p for r in rows for p, _ in r], dtype=torch.float64, requires_grad=True)
    old = torch.tensor([o for r in rows for _, o in r], dtype=torch.float64)
    seq = flat(lengths)
    adv = torch.tensor(advantages, dtype=torch.float64)[seq]
    loss = aggregate(
        gspo(logp, old, adv, seq, clip_low=eps, clip_high=eps),
        seq,
        "seq-mean-token-mean",
        count(seq),
    )
    start = [[p for p, _ in r] for r in rows]
    assert loss.item() == pytest.approx(whole(start), abs=1e-9)
    (got,) = torch.autograd.grad(loss, logp)
    at = 0
    for i, n in enumerate(lengths):
        for t in range(n):
            near = [[*row] for row in start]
            step, corner = 1e-5, abs(math.log(1 + eps))
            mean = sum(p - o for p, o in rows[i]) / n
            if min(abs(mean - corner), abs(mean - math.log(1 - eps))) > 1e-3:
                near[i][t] += step
                up = whole(near)
                near[i][t] -= 2 * step
                assert got[at].item() == pytest.approx((up - whole(near)) / 2 / step, abs=1e-6)
            at += 1


def test_trap_gspo_with_the_clip_of_ppo_never_clips():
    """Five tokens 30% likelier each, one of 20 tokens 30%: bounds of 0.2 see the first only."""
    logp = torch.full((20,), LN(1.3))
    logp[1:] = 0.0
    args = torch.zeros(20), torch.ones(20), flat([20])
    assert gradient(gspo, logp, *args, clip_low=0.2, clip_high=0.2)[0] != 0
    assert gradient(gspo, logp, *args)[0] == 0  # its own bounds
    assert gradient(ppo_clip, logp, *args)[0] == 0


def test_gspo_keeps_a_different_advantage_for_each_token():
    logp = torch.zeros(2)
    args = torch.zeros(2), torch.tensor([1.0, -3.0]), flat([2])
    assert gradient(gspo, logp, *args) == [-1.0, 3.0]


def test_cispo_by_hand():
    # Ratio 8 weighs 5, ratio 1/2 weighs 1/2 (no lower bound); both keep a gradient.
    logp = torch.tensor([LN(8.0), LN(0.5)])
    args = torch.zeros(2), torch.tensor([1.0, -2.0]), flat([2])
    assert cispo(logp, *args).tolist() == pytest.approx([-5 * LN(8), LN(0.5)])
    assert gradient(cispo, logp, *args) == pytest.approx([-5.0, 1.0])
    assert gradient(cispo, logp, *args, clip_low=0.2) == pytest.approx([-5.0, 1.6])


@settings(deadline=None)
@given(st.lists(tokens, min_size=1, max_size=8), st.floats(0, 1), st.floats(0, 4))
def test_cispo_against_loops(batch, low, high):
    logp, old, adv = (torch.tensor(x, dtype=torch.float64) for x in zip(*batch, strict=True))
    got = gradient(cispo, logp, old, adv, flat([len(batch)]), clip_low=low, clip_high=high)
    want = [plain_loops.cispo_gradient(*t, low, high) for t in batch]
    assert got == pytest.approx(want, rel=1e-9, abs=1e-12)


def test_trap_cispo_bounds_are_around_one():
    """As an absolute cap, clip_high 0.2 would weigh on-policy tokens by 0.2 instead of 1."""
    zero = torch.zeros(1)
    assert gradient(cispo, zero, zero, torch.ones(1), flat([1]), clip_high=0.2) == [-1.0]


def test_cpgd_by_hand():
    # x = ln 1.5 with A 1: clipped at ln 1.2. x = ln 2 with A -1: not clipped, and a drift of 1.
    logp = torch.tensor([LN(1.5), LN(2.0)])
    args = torch.zeros(2), torch.tensor([1.0, -1.0]), flat([2])
    drift = [0.1 * (1.5 - 1 - LN(1.5)), 0.1 * (2 - 1 - LN(2))]
    want = [-LN(1.2) + drift[0], LN(2) + drift[1]]
    assert cpgd(logp, *args, drift=0.1).tolist() == pytest.approx(want)
    assert gradient(cpgd, logp, *args, drift=0.1) == pytest.approx([0.05, 1.1])


@settings(deadline=None)
@given(st.lists(tokens, min_size=1, max_size=8), st.floats(0.01, 0.5), st.floats(0.1, 3))
def test_cpgd_has_the_gradient_of_the_published_code(batch, eps, cap):
    """Trap: no ratio multiplies it, and the drift's is (r - 1) capped, not that of a KL's value."""
    logp, old, adv = (torch.tensor(x, dtype=torch.float64) for x in zip(*batch, strict=True))
    options = {"clip_low": eps, "clip_high": eps, "drift": 0.3, "drift_cap": cap}
    got = gradient(cpgd, logp, old, adv, flat([len(batch)]), **options)
    want = [plain_loops.cpgd_gradient(*t, eps, 0.3, cap) for t in batch]
    corners = [min(abs(p - o - LN(1 + eps)), abs(p - o - LN(1 - eps))) < 1e-9 for p, o, _ in batch]
    for a, b, corner in zip(got, want, corners, strict=True):
        assert corner or a == pytest.approx(b, rel=1e-9, abs=1e-12)


def test_trap_cpgd_clips_at_the_logarithms_of_the_bounds():
    """ln 0.8 = -0.223 and ln 1.2 = 0.182: not the same distance down and up."""
    logp = torch.tensor([-0.2, -0.23, 0.18, 0.19])
    args = torch.zeros(4), torch.tensor([-1.0, -1.0, 1.0, 1.0]), flat([4])
    assert gradient(cpgd, logp, *args, drift=0.0) == [1.0, 0.0, -1.0, 0.0]


def test_the_drift_is_k3_where_it_is_not_capped_and_a_tangent_beyond():
    x = torch.tensor([-3.0, 0.0, LN(3.0), LN(3.0) + 2], dtype=torch.float64)
    want = [math.exp(-3) - 1 + 3, 0.0, 2 - LN(3), 2 - LN(3) + 2 * 2]
    assert capped_k3(x, 2.0).tolist() == pytest.approx(want)


def test_trap_a_cap_on_the_ratio_before_the_clip_is_the_dual_clip():
    """Two codebases bound r at 3 first; for one and the same bound they agree with dual clip 3."""
    generator = torch.Generator().manual_seed(0)
    x, adv = (2 * torch.randn(200, generator=generator) for _ in range(2))
    dual = ppo_clip(x, torch.zeros(200), adv, flat([200]), dual_clip=3.0)
    r = x.exp().clamp(max=3.0)
    capped = -torch.min(r * adv, r.clamp(0.8, 1.2) * adv)
    assert torch.allclose(dual, capped)


def test_trap_dual_clip_is_off_unless_asked_for():
    args = torch.tensor([LN(9.0)]), torch.zeros(1), torch.tensor([-1.0]), flat([1])
    assert ppo_clip(*args).item() == pytest.approx(9.0, rel=1e-5)


@pytest.mark.parametrize("loss", [ppo_clip, gspo, cispo, cpgd])
def test_nothing_is_nothing_and_the_absurd_is_finite(loss):
    none = torch.zeros(0, requires_grad=True)
    out = loss(none, torch.zeros(0), torch.zeros(0), torch.zeros(0, dtype=torch.long))
    assert out.shape == (0,)
    out.sum().backward()
    far = torch.tensor([500.0, -500.0, -500.0], requires_grad=True)
    out = loss(far, torch.zeros(3), torch.tensor([-1.0, 1.0, -1.0]), flat([1, 1, 1]))
    out.sum().backward()
    assert out.isfinite().all() and far.grad.isfinite().all()


def test_sapo_by_hand():
    # tau 2 at r = 1: half of 4/2; at r = 1 + ln(3)/2 the gate is 3/4.
    logp = torch.tensor([0.0, LN(1 + LN(3) / 2), 0.0])
    args = torch.zeros(3), torch.tensor([1.0, 1.0, -1.0]), flat([3])
    settings = {"sapo_positive": 2.0, "sapo_negative": 4.0}
    assert sapo(logp, *args, **settings).tolist() == pytest.approx([-1.0, -1.5, 0.5])
    r = 1 + LN(3) / 2  # 4 gate (1 - gate) r = 3/4 r
    assert gradient(sapo, logp, *args, **settings) == pytest.approx([-1.0, -0.75 * r, 1.0])


@given(st.lists(tokens, min_size=1, max_size=8), st.floats(0.2, 3), st.floats(0.2, 3))
def test_sapo_against_loops(rows, positive, negative):
    logp, old, adv = (torch.tensor(c, dtype=torch.float64) for c in zip(*rows, strict=True))
    got = sapo(logp, old, adv, flat([len(rows)]), sapo_positive=positive, sapo_negative=negative)
    want = [plain_loops.sapo(*row, positive, negative) for row in rows]
    assert got.tolist() == pytest.approx(want)


def test_the_ratio_of_whole_completions_by_hand():
    # Ratios 2 and 3 make 6, clipped at 1.2; 1/2 and 1 make 1/2 with A < 0, clipped at 0.8.
    logp = torch.tensor([LN(2.0), LN(3.0), LN(0.5), 0.0, LN(1.1)])
    args = torch.zeros(5), torch.tensor([1.0, 1.0, -1.0, -1.0, 2.0]), flat([2, 2, 1])
    loss = sequence_clip(logp, *args)
    assert loss.tolist() == pytest.approx([-0.6, -0.6, 0.4, 0.4, -2.2])
    assert gradient(sequence_clip, logp, *args) == pytest.approx([0, 0, 0, 0, -2.2])
    inside = torch.tensor([0.1, -0.05])  # each token has the gradient of the product: r A
    r = math.exp(0.05)
    args = torch.zeros(2), torch.tensor([3.0, 3.0]), flat([2])
    assert gradient(sequence_clip, inside, *args) == pytest.approx([-3 * r, -3 * r])


@given(st.lists(st.lists(tokens, min_size=1, max_size=4), min_size=1, max_size=5))
def test_the_ratio_of_whole_completions_against_loops(rows):
    flat_rows = [one for row in rows for one in row]
    logp, old, _ = (torch.tensor(c, dtype=torch.float64) for c in zip(*flat_rows, strict=True))
    seq = flat([len(row) for row in rows])
    adv = torch.tensor([row[0][2] for row in rows], dtype=torch.float64)[seq]
    loss = aggregate(sequence_clip(logp, old, adv, seq), seq, "seq-mean-token-sum", count(seq))
    want = [
        plain_loops.sequence_clip([p for p, _, _ in r], [o for _, o, _ in r], r[0][2], 0.2, 0.2)
        for r in rows
    ]
    assert loss.item() == pytest.approx(sum(want) / len(want))
