"""Tokens coloured: each token's own text, by probability or mask, and nothing when unsure."""

import math

import pytest
from rich.console import Console
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from swr1.errors import UsageError
from swr1.viewing.page import completion, in_full, token_style
from swr1.viewing.tokens import Tokenizers, pieces


@pytest.fixture(scope="module")
def by_bytes():
    """A byte-level tokenizer without merges: one token a byte, so é takes two, 中 three."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def record(text, tokenizer, **changes):
    ids = tokenizer.encode(text).ids
    generation = {"token_ids": ids, "logprobs": [-0.01] * len(ids), "loss_mask": [1] * len(ids)}
    return {"id": "x", "completion": text, "generation": generation | changes}


def test_pieces_join_to_the_text_and_a_character_is_never_cut(by_bytes):
    text = "a é 中b"
    found = pieces(by_bytes, by_bytes.encode(text).ids)
    assert found == ["a", " ", "", "é", " ", "", "", "中", "b"]


def styled(text):
    return {text.plain[s.start : s.end]: s.style for s in text.spans if s.style}


def test_unlikely_tokens_stand_out_and_likely_ones_do_not(by_bytes):
    chances = [0.95, 0.6, 0.2, 0.05, 0.001]
    shown = record("abcde", by_bytes, logprobs=[math.log(p) for p in chances])
    text, legend = completion(shown, by_bytes, "probability")
    assert text.plain == "abcde"
    assert styled(text) == {
        c: token_style(math.log(p), "probability") for c, p in zip("bcde", chances[1:], strict=True)
    }
    assert len(set(styled(text).values())) == 4
    assert "mean log-probability" in legend.plain


def test_what_the_policy_did_not_write_is_marked(by_bytes):
    text, legend = completion(record("abc", by_bytes, loss_mask=[1, 0, 1]), by_bytes, "mask")
    assert list(styled(text)) == ["b"]
    assert "3 tokens, 1 not written" in legend.plain


def test_who_wrote_a_token_is_seen(by_bytes):
    told = {"versions": [[3, 2], [4, 1]], "policy": {"name": "p", "version": 3}}
    text, legend = completion(record("abc", by_bytes, **told), by_bytes, "version")
    assert list(styled(text)) == ["c"]
    assert "3 (2 tokens)  4 (1 tokens)" in legend.plain
    console = Console(width=100)
    with console.capture() as shown:
        console.print(in_full(record("abc", by_bytes, **told), by_bytes))
    assert "policy p version 3, 4 from token 3" in shown.get()
    alone = {"policy": {"name": "p", "version": 3}}
    text, legend = completion(record("abc", by_bytes, **alone), by_bytes, "version")
    assert not styled(text) and "3 (3 tokens)" in legend.plain


def test_nothing_is_coloured_when_the_tokens_cannot_be_known(by_bytes):
    good = record("abc", by_bytes)
    for shown, tokenizer, why in [
        (good, None, "tokenizer was not found"),
        (good | {"completion": "xyz"}, by_bytes, "another text"),
        (good | {"generation": {}}, by_bytes, "no token ids"),
        (good | {"generation": {"token_ids": [1]}}, by_bytes, "no log-probabilities"),
    ]:
        text, legend = completion(shown, tokenizer, "probability")
        assert text.plain == shown["completion"] and not text.spans
        assert why in legend.plain


def test_the_tokenizer_is_found_beside_the_records(by_bytes, tmp_path, monkeypatch):
    version = tmp_path / "run" / "kk" / "versions" / "000002"
    version.mkdir(parents=True)
    (version / "swr1.json").write_text("{}")
    by_bytes.save(str(version / "tokenizer.json"))
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    shown = {"id": "x", "generation": {"policy": {"name": "kk", "version": 0}}}
    assert Tokenizers(near=[tmp_path / "run"]).of(shown) is not None
    assert Tokenizers().of(shown) is None
    assert Tokenizers(str(tmp_path / "run" / "kk")).of({"id": "x"}) is not None
    with pytest.raises(UsageError, match=r"no tokenizer\.json there"):
        Tokenizers(str(tmp_path / "else"))


def test_a_record_in_full_shows_every_part(by_bytes):
    whole = record("abc", by_bytes) | {
        "prompt": [{"role": "user", "content": "who?"}],
        "answer": [["Zoe", "knight"]],
        "verdicts": {
            "knights": {"score": 1.0, "label": "correct"},
            "slow": {"score": None, "error": "timed out"},
        },
        "reward": 3.0,
        "reward_parts": {
            "answer": {"value": 2, "weight": 1},
            "format": {"value": 1, "weight": 0.5},
        },
        "info": {"people": 2},
    }
    console = Console(width=100, color_system=None)
    with console.capture() as page:
        console.print(in_full(whole, by_bytes))
    for part in ("who?", "abc", "Zoe: knight", "correct", "not judged", "timed out", "people 2"):
        assert part in page.get()
    assert "3  = answer 2 + format 0.5 × 1" in page.get()
