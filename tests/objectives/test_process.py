"""Credit per step by hand, as DeepSeekMath's section 4.1.3 has it."""

import pytest
import torch

from swr1.objectives.process import process


def by_token(reward, last, lengths, group, **options):
    seq = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    out = process(torch.tensor(reward), torch.tensor(last), seq, torch.tensor(group), **options)
    assert out.shape == seq.shape and out.dtype == torch.float32
    return [part.tolist() for part in out.split(lengths)]


def test_by_hand():
    """Two completions of one prompt: steps 1 1 0 that end at tokens 0 1 3 of 5, and 0 that ends at
    token 1 of 2. Mean 1/2, unbiased variance 4/4 / 3 = 1/3, so r = +-.5 sqrt 3 = +-.866."""
    r = 0.5 * 3**0.5
    first, second = by_token([1.0, 1.0, 0.0, 0.0], [0, 1, 3, 6], [5, 2], [0, 0], eps=0.0)
    # r + r - r, r - r, -r, -r, and nothing behind the last step.
    assert first == pytest.approx([r, 0, -r, -r, 0], abs=1e-6)
    assert second == pytest.approx([-r, -r], abs=1e-6)


def test_groups_do_not_mix_and_equal_steps_say_nothing():
    reward, last = [0.2, 0.8, 0.3, 0.3], [0, 1, 2, 3]
    out = by_token(reward, last, [1, 1, 1, 1], [0, 0, 1, 1])
    one = 0.5**0.5
    assert [x for (x,) in out] == pytest.approx([-one, one, 0, 0], abs=1e-5)
    assert by_token([], [], [2, 1], [0, 0]) == [[0, 0], [0]]
    assert by_token([1.0], [1], [2, 1], [0, 0]) == [[0, 0], [0]]


def test_a_step_has_no_part_in_what_stands_behind_it():
    first, _ = by_token([1.0, 0.0, 1.0], [1, 3, 4], [4, 1], [0, 0])
    assert first[0] == first[1] and first[2] == first[3] < 0 and first[0] > first[2]
