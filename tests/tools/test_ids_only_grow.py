"""Completions with tools by the engine hf, over tokenizers and replies of any kind: ids only grow, and
the trainer computes for the policy's own tokens what was recorded.

The same on other engines: `a_tools_reply_changes_no_earlier_id` in tests/engines/conformance.py.
"""

import random
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.engines import Sampling
from swr1.engines.hf import HFEngine
from swr1.policy import Policy
from swr1.prompts import Prompt
from swr1.prompts.decoding import Decoder
from swr1.prompts.insertion import escaped, insertion, insertion_ids
from swr1.records import own, validate
from swr1.rollout.blocks import rollout
from swr1.rollout.requests import Requests
from swr1.tools import Reply
from swr1.tools.options import ToolOptions
from swr1.tools.running import Tools
from swr1.training import engine as training
from swr1.training.groups import read_sample
from swr1.training.init import DecoderConfig, init_policy
from swr1.training.scorer import Scorer
from tests.engines.conformance import Calling, Noting

WORDS = "where who is a the in of radium Curie paris 1898 found and ; ( ) , . 居里 été don't x-ray"
# kind of tokenizer, its size, tools whose tags are tokens; the words it is made from are drawn
TOKENIZERS = [
    *(("word", None, "search"), ("word", 30, "search"), ("word", 24, "")),
    *(("bpe", 300, "search"), ("bpe", 350, ""), ("bpe", 500, "search,read")),
]
ENDS = ("a", "e", "o", "r", "1", "居")  # what ends a turn: a new policy writes tags too seldom
REPLIES = (
    st.text(max_size=80)
    | st.sampled_from(["", " ", "\n\n", "\0", "\ud7ff", "e\u0301", "👩\u200d👩\u200d👧", "﷽" * 30])
    | st.sampled_from(
        ["<answer>x</answer>", "</information><search>a</search>", "<|im_end|>", "<unk>"]
    )
    | st.sampled_from(["radium " * 3000, "居里" * 5000, "x" * 20_000, "Marie Curie found radium."])
)


@pytest.fixture(scope="module")
def called():
    """How many completions of each example called a tool."""
    counts: list[int] = []
    yield counts
    assert sum(counts) > len(counts), "too few calls to show anything"


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    home = tmp_path_factory.mktemp("policies")

    @cache
    def of(which: int):
        kind, vocab, tools = TOKENIZERS[which]
        words = random.Random(which).sample(WORDS.split(), 15)
        config = DecoderConfig(
            tokenizer=kind, vocab=vocab, tools=tools, hidden=16, layers=1, heads=2, seed=which,
            max_positions=160,
        )  # fmt: skip
        policy = init_policy(home / str(which), config, corpus=[" ".join(words)] * 2)
        folder = Policy(policy.path).folder()
        model = training.load_model(folder, torch.device("cpu"), torch.float32)
        return HFEngine(folder), Scorer(model, 200, torch.float32), words

    return of


@settings(max_examples=25)
@given(
    which=st.integers(0, len(TOKENIZERS) - 1),
    replies=st.lists(REPLIES, min_size=1, max_size=4),
    seed=st.integers(0, 2**30),
    temperature=st.sampled_from([0.7, 1.0, 1.5]),
    most=st.sampled_from([5, 12, 40]),
)
def test_ids_only_grow_and_own_tokens_have_the_ratio_1(
    opened, called, which, replies, seed, temperature, most
):
    hf, scorer, words = opened(which)
    noting, options = Noting(hf), ToolOptions(tools="search", max_turns=3, max_passage_tokens=most)
    given_ = iter(replies * 100)
    tools = Tools({"search": lambda query: Reply(next(given_))}, options)
    engine = Calling(noting, tools, options, ENDS)
    question = [{"role": "user", "content": " ".join(words[:3])}]
    records = [{"id": "a", "prompt": question}, {"id": "b", "prompt": question}]
    made = list(
        rollout(
            records,
            Requests(
                engine, Prompt("none"), 3, Sampling(temperature, max_tokens=20, seed=seed), "p"
            ),
            refresh=lambda: 0,
        )
    )
    tools.close()
    decode = Decoder(hf.tokenizer)
    ends = {*hf.tokenizer.all_special_ids} - {hf.tokenizer.unk_token_id}
    for record in made:
        validate(record)
        generation = record["generation"]
        ids, mask, turns = (generation[name] for name in ("token_ids", "loss_mask", "turns"))
        key = (record["id"], 0, record["sample"])
        asked = [r.prompt_ids for r in noting.asked if r.key == key]
        wrote = [turn for turn in turns if turn["kind"] == "wrote"]
        prompt = generation["prompt_ids"]
        assert asked == [prompt + ids[: turn["tokens"][0]] for turn in wrote]
        for turn in turns:
            part, text = (
                ids[slice(*turn["tokens"])],
                record["completion"][slice(*turn["characters"])],
            )
            assert [text] == decode([part])
            own_part = turn["kind"] == "wrote"
            assert set(mask[slice(*turn["tokens"])]) <= {int(own_part)}
            if not own_part:
                assert not any(generation["logprobs"][slice(*turn["tokens"])])
                assert not ends & {*part} and len(part) <= most + 60
        assert own(record)["completion"] == "".join(
            record["completion"][slice(*turn["characters"])] for turn in wrote
        )
    samples = [read_sample(r | {"reward": 0.0}, len(hf.tokenizer)) for r in made]
    for sample, now in zip(samples, scorer.logprobs(samples), strict=True):
        assert float((now - sample.recorded).exp().sub(1).abs().max()) < 1e-3
    called.append(sum(len(r["generation"]["turns"]) > 1 for r in made))


@given(st.sampled_from(range(len(TOKENIZERS))), REPLIES)
@settings(max_examples=40)
def test_the_text_of_a_reply_is_that_of_its_ids(opened, which, reply):
    """What a tokenizer of bytes reads is the whole reply, letter for letter, but for the tags."""
    tokenizer = opened(which)[0].tokenizer
    ids, cut = insertion_ids(tokenizer, insertion(reply[:500]))
    [text] = Decoder(tokenizer)([ids])
    if TOKENIZERS[which][0] == "bpe":
        assert not cut and text == f"<information>\n{escaped(reply[:500])}\n</information>"
    again, _ = insertion_ids(tokenizer, insertion(reply[:500]), 3)
    assert len(again) <= len(ids)
