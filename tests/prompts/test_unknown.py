"""Tokens that a tokenizer does not know are counted, named, and too many of them stop a stage."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from swr1.prompts.unknown import BLOCK, TooManyUnknown, Unknown

WORDS = {"<unk>": 0, "Mia": 1, "says": 2, "<end>": 3}


def tokenizer(**special):
    core = Tokenizer(models.WordLevel(WORDS, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=core, **special)


def counted(texts, limit=0.05, **special):
    lines = []
    made = tokenizer(**({"unk_token": "<unk>"} | special))
    unknown = Unknown(made, limit, lines.append)
    for text in texts:
        unknown.add(made(text)["input_ids"], text)
    return unknown, lines


def test_the_share_and_the_words_are_said():
    unknown, lines = counted(["Mia says " * 20 + "Hugo \x1b[2J"])
    unknown.check()
    unknown.report()
    assert lines == [
        "4.8% of the prompts' tokens are unknown to the tokenizer ('Hugo', '\\x1b[2J')"
    ]
    assert unknown.share == 2 / 42


def test_beyond_the_limit_it_stops_unless_told_to_go_on():
    texts = ["Mia says Hugo", "Elena says Hugo"]
    with pytest.raises(TooManyUnknown, match=r"50.0% .*'Hugo', 'Elena'\), more than 5%.*--max-unk"):
        counted(texts)[0].check()
    counted(texts, limit=1)[0].check()


def test_each_check_is_of_what_came_since_the_last():
    unknown, lines = counted(["Mia says " * 100])
    unknown.check()
    unknown.add([0, 1], "Hugo Mia")
    with pytest.raises(TooManyUnknown, match=r"50\.0%"):
        unknown.check()
    assert not lines


def test_a_tokenizer_without_a_token_of_its_own_for_them_knows_all():
    for special in ({"unk_token": None}, {"eos_token": "<unk>"}, {"bos_token": "<unk>"}):
        unknown, _ = counted(["Hugo"], **special)
        unknown.check()
        assert unknown.share == 0
    Unknown(None).add([0, 0])


def test_messages_are_checked_block_by_block_and_at_the_end():
    strange = [{"role": "user", "content": "Hugo"}]
    unknown = Unknown(tokenizer(unk_token="<unk>"))
    for _ in range(BLOCK - 1):
        unknown.read(strange)
    with pytest.raises(TooManyUnknown):
        unknown.read(strange)
    unknown.read(strange)
    with pytest.raises(TooManyUnknown):
        unknown.report()
