"""The one difference between a completion and what a person made of it.

    difference("a. b. c.\nd", "a. B. c.\nd")     # (3, "b", "B"): the policy goes on after "B"

The policy goes on right behind the change, where what follows was left as it was, and at the end of
the text where the person removed or rewrote the rest. What follows counts as left when it begins a
line or is LEFT characters long at least, and begins with a word: a full stop that both happen to end
in does not.
"""

from __future__ import annotations

from typing import NamedTuple

LEFT = 24  # characters


class Difference(NamedTuple):
    """At a character `old` became `new`; what stands behind `old` is what was left."""

    at: int
    old: str
    new: str

    def edited(self, text: str) -> str:
        """The text up to where the policy goes on."""
        return text[: self.at] + self.new


def difference(before: str, after: str, to_end: bool = False) -> Difference | None:
    """None where nothing changed.

    Args:
        to_end: all of `after` stays: the policy goes on from its end.
    """
    if before == after:
        return Difference(len(before), "", "") if to_end else None
    start = common(before, after)
    left = 0 if to_end else _left(before, after, start)
    return Difference(start, before[start : len(before) - left], after[start : len(after) - left])


def common(one: str, other: str) -> int:
    """The length of the prefix that both texts have."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def _left(before: str, after: str, start: int) -> int:
    """How many characters at the end of both were left as they were."""
    most = min(len(before), len(after)) - start
    same = common(before[::-1][:most], after[::-1][:most])
    for size in range(same, 0, -1):  # the longest part that begins a line, or a word
        sides = [(text, len(text) - size) for text in (before, after)]
        if all(text[at] == "\n" or text[at - 1 : at] == "\n" for text, at in sides):
            return size
        if size >= LEFT and not any(_inside_word(text, at) for text, at in sides):
            return size
    return 0


def _inside_word(text: str, at: int) -> bool:
    """Whether neither side of a place is white space, or a letter of a script without any."""
    return 0 < at < len(text) and not any(
        c.isspace() or c > "\u2e7f" for c in text[at - 1 : at + 1]
    )
