"""Which prompts may start, and in which order whole groups leave: the bound of `--max-lag` K.

A trainer takes groups in the order in which they leave, `batch` a step. When the groups of the steps up
to version v, and those dropped since, are `taken`, the steps that v is at most K steps too old for use
the groups at places below

    taken + (K + 1) * batch

in that order. This is the *limit* under v. A group that starts under v must leave at a place below it,
its *deadline*. In the order of the input a prompt's number is its place, so the number decides. Where a
group may leave as soon as it is whole, it overtakes others only as long as all of them can still meet
their deadlines; places are given to those by the earliest deadline, which is also who started first.
"""

from collections.abc import Iterator
from typing import NamedTuple

ORDERS = ("input", "finished")


class _Group(NamedTuple):
    """A group under way: its number, in the order of starting, and its deadline."""

    number: int
    deadline: int


class Window:
    """The groups under way.

    Args:
        given: how many groups have left before.
        order: "input" or "finished".

    A prompt has started with `start(limit)`, which returns the group's number. Each number is then
    `finished` or `lost`, and `leaving` gives the numbers of whole groups that leave now.
    """

    def __init__(self, given: int, order: str = "input") -> None:
        self.order, self.left = order, given
        self._under_way: dict[int, _Group] = {}  # by number, in the order of starting
        self._whole: dict[int, None] = {}  # numbers, in the order of finishing
        self._next = 0

    def __len__(self) -> int:
        """How many groups have started and not left."""
        return len(self._under_way)

    def room(self, limit: int) -> int:
        """How many prompts more may start."""
        return limit - self.left - len(self)

    def start(self, limit: int) -> int:
        """The number of a group that starts now; `room(limit)` must be at least 1."""
        assert self.room(limit) > 0
        number, self._next = self._next, self._next + 1
        self._under_way[number] = _Group(number, limit)
        return number

    def finished(self, number: int) -> None:
        """All samples of a group are there."""
        self._whole[number] = None

    def lost(self, number: int) -> None:
        """A group will not leave: it takes no place."""
        del self._under_way[number]
        self._whole.pop(number, None)

    def leaving(self) -> Iterator[int]:
        """Numbers of groups that leave now, in order."""
        while (number := self._next_leaving()) is not None:
            del self._under_way[number], self._whole[number]
            self.left += 1
            yield number

    def _next_leaving(self) -> int | None:
        if self.order == "input":
            first = next(iter(self._under_way), None)
            return first if first in self._whole else None
        return next(filter(self._may_overtake, self._whole), None)

    def _may_overtake(self, number: int) -> bool:
        """Whether all that started before can still meet their deadlines behind this group."""
        place = self.left  # this group's
        for group in self._under_way.values():
            if group.number == number:
                return True
            place += 1
            if place >= group.deadline:
                return False
        raise KeyError(number)
