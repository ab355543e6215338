"""The step rule: what a step is, and that no character of a thought is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import UsageError
from swr1.steps import StepRule, thoughts

RULES = ["line", "paragraph", "sentence", "separator:#", "separator:\\n\\n"]
PIECES = ["a", "b c", " ", "\n", "\n\n", ". ", "3.14", "。", "!", "#", "é", "🙂", "<think>"]
PIECES += ["</think>", "<answer>", "</answer>"]
texts = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


@pytest.mark.parametrize(
    ("rule", "text", "steps"),
    [
        ("line", "<think> a\n\n b \nc</think> d", [" a\n\n", " b \n", "c"]),
        ("line", "a\nb</think>c", ["a\n", "b"]),
        ("line", "a\nb", ["a\n", "b"]),
        ("line", "a<answer>b</answer>", ["a"]),
        ("line", "<think>\n\n</think>", []),
        ("line", "<think>\na</think><search>q</search><think>b</think>", ["\na", "b"]),
        ("paragraph", "a\nb\n\nc\n \nd", ["a\nb\n\n", "c\n \n", "d"]),
        ("sentence", "Pi is 3.14. So? Yes!", ["Pi is 3.14.", " So?", " Yes!"]),
        (
            "sentence",
            "check : kill is rough . so harm . ",
            ["check : kill is rough .", " so harm . "],
        ),
        ("sentence", "他说“是。”对。", ["他说“是。”", "对。"]),
        ("separator:#", "#a##b#", ["#a##", "b#"]),
    ],
)
def test_how_a_thought_is_split(rule, text, steps):
    assert [step.text for step in StepRule.of(rule).split(text)] == steps


@given(text=texts, rule=st.sampled_from(RULES), cuts=st.lists(st.integers(0, 40), max_size=4))
def test_no_character_of_a_thought_is_lost(text, rule, cuts):
    """Steps are in order, and each visible thought without what is foreign is its steps joined."""
    cuts = sorted({min(c, len(text)) for c in cuts})
    foreign = [(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False) if a < b]
    steps = StepRule.of(rule).split(text, foreign)
    assert [s.index for s in steps] == [*range(len(steps))]
    assert all(s.text == text[s.start : s.end] and s.content for s in steps)
    places = [p for s in steps for p in range(s.start, s.end)]
    assert places == sorted(set(places))
    outside = {p for a, b in foreign for p in range(a, b)}
    inside = [p for a, b in thoughts(text) for p in range(a, b) if p not in outside]
    assert set(places) <= set(inside)
    separator = StepRule.of(rule).separator
    for place in set(inside) - set(places):  # only a stretch that shows nothing has no step
        assert text[place].isspace() or text[place] in separator


@given(text=texts, rule=st.sampled_from(RULES))
def test_the_thoughts_are_all_but_tags_and_what_follows_them(text, rule):
    ranges = thoughts(text)
    assert all("<think>" not in text[a:b] and "</think>" not in text[a:b] for a, b in ranges)
    if "<" not in text:
        assert ranges == ([(0, len(text))] if text else [])


@pytest.mark.parametrize(
    ("rule", "ended", "open_"),
    [
        ("line", ["a\n", "a\n\n"], ["a", "\n", ""]),
        ("paragraph", ["a\n\n", "a\n \n"], ["a\n", "a"]),
        ("sentence", ["a.", "a. ", "是。"], ["a", "3.1", ""]),
        ("separator:##", ["a##", "a## "], ["a#", "a"]),
    ],
)
def test_whether_what_was_written_ends_a_step(rule, ended, open_):
    rule = StepRule.of(rule)
    assert [t for t in ended if not rule.ends(t)] == []
    assert [t for t in open_ if rule.ends(t)] == []
    assert any(stop in ended[0] for stop in rule.stops)


@pytest.mark.parametrize("name", [*RULES, "separator: |\\t"])
def test_a_rule_is_stored_as_it_is_given(name):
    assert str(StepRule.of(name)) == name and StepRule.of(str(StepRule.of(name))) == StepRule.of(
        name
    )


def test_what_is_no_rule_is_refused_in_one_line():
    with pytest.raises(UsageError, match=r"no step rule 'lines'.*Did you mean 'line'"):
        StepRule.of("lines")
    with pytest.raises(UsageError, match="separator:X"):
        StepRule.of("separator:")
