"""The CPU's cache of the hf engine: the same completions as with the padded one, and what it keeps."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from swr1.engines import Sampling, open_engine
from swr1.engines.hf import cohorts
from swr1.engines.hf.caches import RowCache
from swr1.engines.hf.cohorts import GROW, Cohorts, enable
from swr1.engines.hf.variants import Variant
from tests.engines.test_hf import ids_of, prompts, small_model
from tests.engines.tiny_policy import save_policy


@pytest.mark.parametrize("rows", [3, 8, 1000])
def test_both_caches_lead_to_the_same_completions(policy, rows):
    """Also with few places, for which sequences wait, and beyond the room that is made at once."""
    most = GROW + 30
    requests = prompts(9, samples=4, seed=3)
    sampling = Sampling(1.1, max_tokens=most, seed=5)
    engine = open_engine("hf", policy, batch_tokens=rows * (most + 30))
    assert engine.variant.name == "cohorts"
    shared = engine.generate(requests, sampling)
    cohorts.disable(engine.model)
    engine.variant = Variant("rows", RowCache)
    padded = engine.generate(requests, sampling)
    assert ids_of(shared) == ids_of(padded)
    for a, b in zip(shared, padded, strict=True):
        assert torch.allclose(torch.tensor(a.logprobs), torch.tensor(b.logprobs), atol=1e-4)
    assert max(len(c.token_ids) for c in shared) > GROW


def test_models_with_windows_or_an_attention_of_their_own_keep_theirs(tmp_path):
    windows = {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}
    folder = save_policy(tmp_path, 3, **windows)
    models = [AutoModelForCausalLM.from_pretrained(folder), small_model("gemma2")]
    for model in models:
        before = model.config._attn_implementation
        assert not enable(model.eval())
        assert model.config._attn_implementation == before
    assert enable(small_model("gpt2").eval())


def test_a_prompt_is_kept_once_and_goes_with_its_last_sample(engine):
    cache = Cohorts(torch.tensor([0, 1, 0]))
    ids = torch.tensor([[4, 5, 6], [0, 7, 8], [9, 10, 11]])
    with torch.inference_mode():
        engine.model(input_ids=ids, **cache.advance(3))
        cache.share(torch.tensor([0, 0, 0, 1, 2, 2, 2, 2]))
        engine.model(input_ids=torch.full((8, 1), 12), **cache.advance(1))

        def kept():
            [cohort] = cache.cohorts
            return [len(pairs[0][0]) for pairs in (cohort.prompts, cohort.written)]

        assert kept() == [3, 8]
        alive = torch.tensor([True, False, True, False, True, True, True, True])
        order = cache.leave(alive)
        assert sorted(order.tolist()) == [0, 2, 4, 5, 6, 7]
        assert kept() == [2, 8]  # a few empty places are left as they are
        rest = order < 4  # of the third prompt nobody stays
        order = order[cache.leave(rest)]
        assert sorted(order.tolist()) == [0, 2]
        assert kept() == [1, 2]
        want = engine.model(input_ids=torch.tensor([[4, 5, 6, 12, 13]])).logits[:, -1]
        found = engine.model(input_ids=torch.full((2, 1), 13), **cache.advance(1)).logits[:, -1]
        assert torch.allclose(found, want.expand(2, -1), atol=1e-4)
        assert not len(cache.leave(torch.tensor([False, False])))
    assert cache.cohorts == []
