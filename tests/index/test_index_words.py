"""What counts as a word, in scripts with and without spaces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.index.words import LONGEST, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Night-Watch (1642)!", ["the", "night", "watch", "1642"]),
        ("Straße CAFÉ", ["strasse", "café"]),
        ("ＡＢＣ１２", ["abc12"]),  # full width
        ("夜巡", ["夜", "巡", "夜巡"]),
        ("荷兰画家Rembrandt的画", ["荷", "兰", "画", "家", "荷兰", "兰画", "画家", "rembrandt",
                                   "的", "画", "的画"]),
        ("हिन्दी", ["हिन्दी"]),
        ("«...» \t\x00 -- '\"", []),
        ("", []),
    ],
)  # fmt: skip
def test_words_of_a_text(text, words):
    assert words_of(text) == words


@given(st.text(max_size=30))
def test_words_have_no_white_space_and_are_their_own_words(text):
    for word in words_of(text):
        assert word and not any(c.isspace() for c in word)
        assert '"' not in word


def test_a_word_without_end_is_several():
    assert (
        words_of("x" * 100)
        == words_of("É" * 100 + " " + "x" * 100)[2:]
        == ["x" * LONGEST, "x" * 36]
    )


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=60))
def test_ascii_takes_no_other_way_than_the_rest(text):
    assert words_of(text + " é") == [*words_of(text), "é"]
