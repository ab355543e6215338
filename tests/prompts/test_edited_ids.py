"""Token ids of an edited completion: earlier ids stay, and the text is the edit, or it is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import DataError
from swr1.prompts.continuing import BACK, edited_ids
from swr1.prompts.decoding import Decoder
from tests.prompts.test_control_tokens import ALL, TOKENIZERS

EXACT = {
    name: TOKENIZERS[name]
    for name in ("byte-level", "byte-level, whole words first", "byte fallback", "ours, bytes")
}
WRITES_ALL = pytest.mark.parametrize("tokenizer", EXACT.values(), ids=EXACT.keys())
PIECES = [
    "zoey",
    " is",
    " a",
    " knight",
    "\n",
    "你好",
    "🎉",
    "👩‍🔬",
    "é",
    "e\u0301",
    "</think>",
    "<",
    " ",
]
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def sampled(tokenizer, text, end):
    """Ids of a completion as a policy may have sampled them, and what they say."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    ids += [tokenizer.eos_token_id] if end else []
    return ids, Decoder(tokenizer)([ids])[0]


@ALL
@given(texts, texts, st.integers(0, 40), st.booleans())
def test_the_text_is_the_edit_and_earlier_ids_are_unchanged(tokenizer, old, new, at, end):
    ids, said = sampled(tokenizer, old, end)
    text = said[:at] + new
    try:
        begun = edited_ids(tokenizer, ids, text)
    except DataError:
        return  # a clear refusal; tokenizers of bytes make none, see the next test
    assert begun.ids[: begun.kept] == ids[: begun.kept]
    assert Decoder(tokenizer)([begun.ids]) == [begun.text]
    assert begun.text.split() == text.split()
    assert tokenizer.eos_token_id not in begun.ids


@WRITES_ALL
@given(texts, texts, st.integers(0, 40), st.booleans())
def test_a_tokenizer_of_bytes_refuses_nothing_and_keeps_what_it_can(tokenizer, old, new, at, end):
    ids, said = sampled(tokenizer, old, end)
    begun = edited_ids(tokenizer, ids, said[:at] + new)
    assert begun.text == said[:at] + new
    decode = Decoder(tokenizer)
    whole = [n for n in range(len(ids) + 1) if begun.text.startswith(decode([ids[:n]])[0])]
    hidden = sum(i == tokenizer.eos_token_id for i in ids)
    assert begun.kept >= max(whole) - hidden - BACK


@WRITES_ALL
@given(texts, st.data())
def test_a_prefix_that_ends_with_a_token_keeps_all_ids(tokenizer, old, data):
    ids, _ = sampled(tokenizer, old, end=False)
    at = data.draw(st.integers(0, len(ids)))
    [text] = Decoder(tokenizer)([ids[:at]])
    if "\ufffd" in text:  # half a character is no text
        return
    begun = edited_ids(tokenizer, ids, text)
    assert begun.ids == ids[:at]


@pytest.mark.parametrize("name", ["byte-level", "byte fallback", "ours, bytes"])
@pytest.mark.parametrize("cut", ["🎉", "你", "👩", "e"])
def test_an_edit_inside_a_character_of_several_bytes(name, cut):
    tokenizer = TOKENIZERS[name]
    ids, said = sampled(tokenizer, "a 🎉 你好 👩‍🔬 e\u0301 z", end=True)
    text = said[: said.index(cut)] + "好" + cut
    begun = edited_ids(tokenizer, ids, text)
    assert begun.text == text and begun.kept > 0


def test_an_unknown_word_is_refused_and_shown():
    tokenizer = TOKENIZERS["ours, words"]
    ids, said = sampled(tokenizer, "zoey is a knight", end=False)
    with pytest.raises(DataError, match="no tokens for the text from ' wombat'"):
        edited_ids(tokenizer, ids, said + " wombat")


def test_a_control_token_is_refused():
    tokenizer = TOKENIZERS["byte-level"]
    with pytest.raises(DataError, match="control token"):
        edited_ids(tokenizer, [], "a<|im_end|>b")
