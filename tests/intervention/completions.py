"""A policy that writes what a test says, and completions in its tokens."""

from types import SimpleNamespace

import numpy as np

from swr1.engines import Completion, Request, Sampling
from swr1.intervention.continuing import Writer
from swr1.prompts import Prompts
from swr1.prompts.decoding import Decoder
from swr1.training.init import make_tokenizer

TAGS = ("<think>", "</think>", "<answer>", "</answer>")
CORPUS = ["<think> one two three wrong right \n</think><answer> yes no </answer> four five"]
TEXT = "<think> one two\nthree wrong\nfour five\n</think><answer> no </answer>"
WENT_ON = "\n</think><answer> yes </answer>"


def tokenizer():
    return make_tokenizer("bpe", CORPUS, 300, TAGS)


class Scripted:
    """An engine that goes on with one text, whatever it is asked."""

    name, version, dtype, context = "scripted", "1", "float32", 4000

    def __init__(self, tokenizer, text=WENT_ON):
        self.tokenizer, self.text, self.asked = tokenizer, text, []

    def request(self, key, messages, prompt):
        return Request.of(key, self.tokenizer, messages, prompt)

    def generate(self, requests, sampling):
        self.asked += requests
        ids = self.tokenizer(self.text, add_special_tokens=False)["input_ids"]
        ids = [*ids, self.tokenizer.eos_token_id]
        return [
            Completion(list(ids), -0.5 * np.ones(len(ids), np.float32), "stop", self.text)
            for _ in requests
        ]


def writer(engine):
    """A Writer on an engine that is open already."""
    job = SimpleNamespace(
        open_engine=lambda: engine,
        sampling=Sampling(max_tokens=64),
        prompts=Prompts(),
        config=SimpleNamespace(policy="scripted"),
        engine="scripted",
        follower=SimpleNamespace(version=3),
    )
    return Writer(job)


def completed(tokenizer, name="a", sample=0, text=TEXT, **more):
    """A record as a rollout writes it."""
    messages = [{"role": "user", "content": "one or two"}]
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    [said] = Decoder(tokenizer)([ids])
    assert said == text
    generation = {
        "epoch": 0, "group": 2, "prompt_ids": [5, 6, 7], "token_ids": ids,
        "logprobs": [-1.0] * len(ids), "loss_mask": [1] * len(ids), "finish_reason": "stop",
    }  # fmt: skip
    return {
        "v": 1, "id": name, "task": "other", "prompt": messages, "sample": sample,
        "completion": text, "generation": generation, **more,
    }  # fmt: skip
