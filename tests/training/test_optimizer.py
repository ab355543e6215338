"""Muon on a CPU: torch's own, but for the precision of its products."""

import pytest
import torch
from torch.optim import _muon

from swr1.training.optimizer import Optimizer, orthogonalised

COEFFICIENTS = (3.4445, -4.775, 2.0315)


@pytest.mark.parametrize("shape", [(8, 8), (6, 20), (20, 6)])
def test_orthogonalised_is_torchs_up_to_bfloat16(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    ours = orthogonalised(matrix, COEFFICIENTS, 5, 1e-7)
    theirs = _muon._zeropower_via_newtonschulz(matrix, COEFFICIENTS, 5, 1e-7).float()
    assert ours.dtype == torch.float32
    assert (ours - theirs).abs().max() < 0.03
    values = torch.linalg.svdvals(orthogonalised(matrix.double(), COEFFICIENTS, 10, 1e-7))
    assert values.min() > 0.6 and values.max() < 1.3  # U S V^T with S near 1


def test_a_step_is_torchs_up_to_bfloat16_and_torch_is_left_as_it_was():
    torch.manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(6, 20)) for _ in range(2)]
    weights[1].data.copy_(weights[0].data)
    before = weights[0].detach().clone()
    ours = Optimizer([("layer.weight", weights[0])], "muon", lr=0.1)
    theirs = torch.optim.Muon(
        [weights[1]], lr=0.1, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
    )
    function = _muon._zeropower_via_newtonschulz
    for weight in weights:
        weight.grad = torch.randn(6, 20, generator=torch.Generator().manual_seed(1))
    ours.step(0.1, None)
    theirs.step()
    assert _muon._zeropower_via_newtonschulz is function
    moved = (weights[0] - before).abs().max()
    assert 0 < (weights[0] - weights[1]).abs().max() < 0.05 * moved
