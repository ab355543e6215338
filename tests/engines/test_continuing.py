"""A completion that goes on from an earlier one: what stays, what is a person's, what is new."""

from dataclasses import replace

import numpy as np
import pytest

from swr1.engines import Completion, Request, Sampling
from swr1.engines.continuing import ContinuingEngine, begun_of
from swr1.errors import UsageError
from swr1.records import own
from swr1.training.init import make_tokenizer

TAGS = ("<search>", "</search>", "<information>", "</information>", "<answer>", "</answer>")
CORPUS = ["zoey is a knight and kim is a knave 你好 🎉"]


@pytest.fixture(scope="module", params=["word", "bpe"])
def tokenizer(request):
    return make_tokenizer(request.param, CORPUS, None if request.param == "word" else 300, TAGS)


class Repeats:
    """An engine that writes the same words behind whatever it is given."""

    def __init__(self, tokenizer, streaming=False):
        self.tokenizer, self.asked = tokenizer, []
        self.stream = self._stream if streaming else None

    def _one(self, request):
        self.asked.append(request)
        ids = self.tokenizer(" and kim", add_special_tokens=False)["input_ids"]
        return Completion(ids, np.full(len(ids), -0.5, np.float32), "stop", " and kim")

    def generate(self, requests, sampling):
        return [self._one(r) for r in requests]

    def _stream(self, requests, sampling):
        for request in requests:
            if request is not None:
                yield self._one(request)


def record_of(tokenizer, text, turns=None):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    said = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    generation = {"token_ids": [*ids, tokenizer.eos_token_id]}
    return {
        "id": "x",
        "completion": said,
        "generation": generation | ({"turns": turns} if turns else {}),
    }


@pytest.mark.parametrize("streaming", [False, True])
def test_ids_that_stay_are_sent_again_and_only_new_ones_are_trained(tokenizer, streaming):
    record = record_of(tokenizer, "zoey is a knight and kim is a knave")
    text = record["completion"][: record["completion"].index(" knave")] + " knight"
    begun = begun_of(tokenizer, record, text)
    engine = Repeats(tokenizer, streaming)
    request = replace(Request(("x", 0, 0), [1, 2, 3]), begun=begun)
    [made] = ContinuingEngine(engine).generate([request], Sampling())
    [asked] = engine.asked
    assert asked.prompt_ids[3:] == made.token_ids[: len(asked.prompt_ids) - 3]
    kept = begun[0]
    assert kept.ids == record["generation"]["token_ids"][: len(kept.ids)] and len(kept.ids) >= 8
    assert [t["kind"] for t in made.facts["turns"]] == ["kept", "edited", "wrote"]
    new = len(made.token_ids) - (len(asked.prompt_ids) - 3)
    assert made.facts["loss_mask"] == [0] * (len(made.token_ids) - new) + [1] * new
    assert not made.logprobs[:-new].any() and (made.logprobs[-new:] == -0.5).all()
    assert made.text == text + " and kim"
    for turn in made.facts["turns"]:
        piece = made.token_ids[slice(*turn["tokens"])]
        said = tokenizer.decode(piece, clean_up_tokenization_spaces=False)
        assert said == made.text[slice(*turn["characters"])]


def test_what_a_tool_gave_stays_what_it_is(tokenizer):
    texts = ["<search>zoey</search>", "<information>\nkim is a knave\n</information>", " zoey is"]
    pieces = [tokenizer(t, add_special_tokens=False)["input_ids"] for t in texts]
    turns, ids, at, said = [], [], 0, 0
    for kind, piece in zip(["wrote", "read", "wrote"], pieces, strict=True):
        ids += piece
        end = len(tokenizer.decode(ids, clean_up_tokenization_spaces=False))
        turns.append({"kind": kind, "tokens": [at, len(ids)], "characters": [said, end]})
        at, said = len(ids), end
    whole = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    record = {"id": "x", "completion": whole, "generation": {"token_ids": ids, "turns": turns}}
    begun = begun_of(tokenizer, record, whole)
    assert [p.facts["kind"] for p in begun] == ["kept", "read", "kept"]
    assert [p.ids for p in begun] == pieces and "".join(p.text for p in begun) == whole
    inside = whole[: whole.index(" is", turns[1]["characters"][0])]
    assert [p.facts["kind"] for p in begun_of(tokenizer, record, inside)][:2] == ["kept", "read"]
    [made] = ContinuingEngine(Repeats(tokenizer)).generate(
        [replace(Request(("x", 0, 0), [1]), begun=begun)], Sampling()
    )
    judged = own(
        {"completion": made.text, "generation": made.facts | {"token_ids": made.token_ids}}
    )
    assert judged["completion"] == begun[0].text + begun[2].text + " and kim"


def test_a_completion_without_ids_is_encoded(tokenizer):
    record = {"id": "x", "completion": " zoey is a knight"}
    [piece] = begun_of(tokenizer, record, " zoey is")
    assert piece.facts == {"kind": "kept"} and piece.text == " zoey is"
    assert begun_of(tokenizer, record, "") == ()


def test_ids_of_another_tokenizer_are_not_sent(tokenizer):
    record = {"id": "x", "completion": " zoey is", "generation": {"token_ids": [10**6, 7]}}
    [piece] = begun_of(tokenizer, record, " zoey is")
    assert piece.ids == tokenizer(" zoey is", add_special_tokens=False)["input_ids"]


def test_an_engine_of_messages_is_refused():
    class Messages:
        tokenizer = None

    with pytest.raises(UsageError, match=r"--continue needs an engine that takes token ids"):
        ContinuingEngine(Messages())
