"""The verdicts on length, with its soft edge, and on going round in circles."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import DataError, UsageError
from swr1.verifiers.builtin import length, repetition
from tests.timing import ends_soon


def long(tokens, **options):
    generation = {"token_ids": [1] * tokens} | options.pop("generation", {})
    return length.verify({"id": "x", "completion": "a", "generation": generation}, **options)


LENGTHS = [  # tokens, settings, score, label
    (100, {}, 1, "ok"),
    (0, {}, 1, "ok"),
    (1024, {}, 1, "ok"),
    (1025, {}, 0, "long"),
    (1025, {"max": 0}, 1, "ok"),
    (110, {"max": 100, "edge": 19}, 0.5, "long"),
    (119, {"max": 100, "edge": 19}, 0.05, "long"),
    (120, {"max": 100, "edge": 19}, 0, "long"),
    (9, {"min": 10}, 0, "short"),
    (10, {"min": 10}, 1, "ok"),
    (5, {"min": 10, "edge": 9}, 0.5, "short"),
]


@pytest.mark.parametrize(("tokens", "settings", "score", "label"), LENGTHS)
def test_lengths(tokens, settings, score, label):
    verdict = long(tokens, **settings)
    assert (verdict["score"], verdict["label"]) == (pytest.approx(score), label)
    assert verdict["detail"]["length"] == tokens


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 50))
def test_longer_is_never_better_above_the_maximum(a, b, edge):
    one, two = (long(100 + n, max=100, edge=edge)["score"] for n in sorted((a, b)))
    assert 0 <= two <= one <= 1


def test_what_the_policy_did_not_write_does_not_count():
    verdict = long(10, generation={"loss_mask": [1, 1, 1, 0, 0, 0, 0, 1, 1, 1]})
    assert verdict["detail"]["length"] == 6


def test_a_completion_that_was_cut_scores_nothing_unless_accepted():
    cut = {"generation": {"finish_reason": "length"}}
    assert (long(10, **cut)["score"], long(10, **cut)["label"]) == (0.0, "truncated")
    assert long(10, truncated=True, **cut)["label"] == "ok"


def test_characters_leave_out_what_is_not_seen():
    item = {"id": "x", "completion": "a b\n\u200b\u200b\tc" + " " * 100}
    assert length.verify(item, unit="characters")["detail"]["length"] == 3


def test_without_tokens_it_is_null():
    verdict = length.verify({"id": "x", "completion": "a"})
    assert (verdict["score"], verdict["label"]) == (None, None)
    assert "characters" in verdict["error"]


@pytest.mark.parametrize(
    "settings", [{"unit": "words"}, {"min": 5, "max": 4}, {"edge": -1}, {"min": -1}]
)
def test_impossible_settings_of_length(settings):
    with pytest.raises(UsageError):
        long(1, **settings)


WORDS = "the of and to in is it you that he was for on are with as his they be at one have".split()


def prose(words, seed=0):
    pick = random.Random(seed)
    return " ".join(pick.choice(WORDS) + str(pick.randrange(50)) for _ in range(words))


def circles(text, **options):
    return repetition.verify({"id": "x", "completion": text}, **options)


LOOPS = [
    "I do not know. " * 40,
    "no " * 200,
    "ha" * 1000,
    "!" * 5000,
    "abc" * 1000,
    "我不知道。" * 50,
    "One line that comes again.\n" * 20,
    "A paragraph.\nOf three lines.\nWith an end.\n\n" * 10,
    prose(100) + " and so on" * 60,
    (prose(100, seed=3) + "\n") * 5,
    "I DO not know. i do NOT know! " * 20,
]
FINE = [
    prose(300),
    "1. Open it.\n2. Turn it.\n3. Close it.\n4. Wait for it.\n5. Look at it again.",
    "| a | b | c |\n| --- | --- | --- |\n| 1 | 2 | 3 |\n| 4 | 5 | 6 |",
    "No, no, no. This is what he said to them, and then he left the house for good.",
    "=" * 70 + "\nA heading\n" + "=" * 70 + "\n" + prose(50),
    "昨天我去了商店，买了三个苹果和两个梨，然后回家做饭，晚上看了一本关于历史的书。",
]


@pytest.mark.parametrize("text", LOOPS)
def test_loops(text):
    verdict = circles(text)
    assert verdict["label"] == "loop"
    assert verdict["score"] < 0.5
    assert verdict["detail"]["period"]


@pytest.mark.parametrize("text", FINE)
def test_what_is_no_repetition(text):
    assert circles(text)["label"] == "ok"


def test_lines_that_come_again_between_others():
    line = "We now look at the next of these cases."
    text = "\n".join(f"{line}\n{prose(9, seed)}" for seed in range(30))
    assert circles(text)["label"] == "repetitive"
    assert circles(text)["detail"]["lines"] > 0.3


def test_the_shares_of_a_known_text():
    detail = circles(prose(120) + " " + "one two three four " * 20)["detail"]
    assert detail["loops"] == pytest.approx(80 / 200)
    assert detail["period"] == 4


@given(st.text(max_size=300))
def test_any_text_is_judged(text):
    score = circles(text)["score"]
    assert score is None or 0 <= score <= 1


def test_too_short_to_tell():
    verdict = circles("Paris.")
    assert (verdict["score"], verdict["label"]) == (None, None)
    assert "too few" in verdict["error"]


def test_a_long_text_takes_no_long_time():
    assert ends_soon(lambda: circles("a b " * 100_000), 5)
    assert ends_soon(lambda: circles(prose(50_000)), 5)


@pytest.mark.parametrize("settings", [{"n": 1}, {"most": 0.0}, {"most": 1.5}])
def test_impossible_settings_of_repetition(settings):
    with pytest.raises(UsageError):
        circles("x", **settings)


@pytest.mark.parametrize("module", [length, repetition])
def test_without_a_completion_it_is_bad_data(module):
    with pytest.raises(DataError, match="completion"):
        module.verify({"id": "x"})
