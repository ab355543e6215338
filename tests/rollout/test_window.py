"""The bound of `--max-lag` where prompts start one by one and versions come under way.

A rollout and a trainer in one loop, moment by moment: groups of random lengths, some refused, some lost
on the way, versions that appear late and seldom, both orders of leaving.
"""

from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.window import Window


@dataclass
class Trainer:
    """Takes groups as they come, `batch` a step; a version is seen `delay` moments after its step."""

    batch: int
    every: int
    delay: int
    used: int = 0
    dropped: int = 0
    step: int = 0
    pending: list = field(default_factory=list)
    lags: list = field(default_factory=list)
    seen: deque = field(default_factory=deque)
    # version: its step, the groups used and dropped by then
    version: tuple = (0, 0, 0)

    def take(self, group: dict, now: int) -> None:
        if group["dropped"]:
            self.dropped += 1
            return
        self.pending.append(group)
        if len(self.pending) < self.batch:
            return
        self.lags += [self.step - g["version"] for g in self.pending]
        self.used, self.pending, self.step = self.used + self.batch, [], self.step + 1
        if self.step % self.every == 0:
            self.seen.append((now + self.delay, (self.step, self.used, self.dropped)))

    def look(self, now: int) -> tuple:
        while self.seen and self.seen[0][0] <= now:
            self.version = self.seen.popleft()[1]
        return self.version


@st.composite
def settings_of_a_run(draw):
    lag = draw(st.integers(1, 3))
    return {
        "lag": lag,
        "batch": draw(st.integers(1, 6)),
        "every": draw(st.integers(1, lag + 1)),
        "delay": draw(st.integers(0, 12)),
        "order": draw(st.sampled_from(["input", "finished"])),
        "at_once": draw(st.integers(1, 30)),
        "lengths": draw(st.lists(st.integers(1, 40), min_size=1, max_size=50)),
        "fates": draw(
            st.lists(st.sampled_from("good good good dropped refused".split()), max_size=50)
        ),
    }


def run(lag, batch, every, delay, order, at_once, lengths, fates, groups=80):
    """The trainer, and of each group the place where it left less the number by which it started."""
    window, trainer = Window(0, order), Trainer(batch, every, delay)
    under_way, started, overtaken = {}, 0, []
    for now in range(40 * groups * (2 + delay)):
        version, used, dropped_then = trainer.look(now)
        limit = used + trainer.dropped + (lag + 1) * batch
        assert dropped_then <= trainer.dropped
        while started < groups and len(under_way) < at_once and window.room(limit) > 0:
            fate = fates[started % len(fates)] if fates else "good"
            length = lengths[started % len(lengths)]
            number = window.start(limit)
            under_way[number] = {
                "version": version,
                "ends": now + length,
                "dropped": fate == "dropped",
            }
            under_way[number]["refused"] = fate == "refused"
            started += 1
        for number, group in list(under_way.items()):
            if group["ends"] == now:
                (window.lost if group["refused"] else window.finished)(number)
                if group["refused"]:
                    del under_way[number]
        for number in window.leaving():
            overtaken.append(window.left - 1 - number)
            trainer.take(under_way.pop(number), now)
        if started == groups and not under_way:
            return trainer, overtaken
    raise AssertionError("it stalls")


@settings(max_examples=400, deadline=None)
@given(settings_of_a_run())
def test_no_token_is_older_than_the_bound_and_nothing_stalls(options):
    trainer, _ = run(**options)
    assert all(0 <= lag <= options["lag"] for lag in trainer.lags)
    if "good" in (options["fates"] or ["good"]):
        assert trainer.step >= 80 // max(1, 2 * len(options["fates"])) // options["batch"] - 1


@pytest.mark.parametrize("lag", [1, 2])
def test_the_bound_is_used(lag):
    """A window that started less than it may would pass the test above."""
    trainer, _ = run(lag, 4, 1, 6, "input", 100, [9], [])
    assert max(trainer.lags) == lag


def test_a_short_group_overtakes_as_far_as_the_bound_allows():
    slow_first = [40] + [2] * 7
    _, kept = run(1, 4, 1, 0, "input", 100, slow_first, [])
    assert set(kept) == {0}
    trainer, overtaken = run(1, 4, 1, 0, "finished", 100, slow_first, [])
    assert max(trainer.lags) <= 1
    assert max(overtaken) == 7, "the slow one leaves as the last of those that started with it"


def test_a_window_that_forgets_deadlines_is_noticed(monkeypatch):
    monkeypatch.setattr(Window, "_may_overtake", lambda self, number: True)
    trainer, _ = run(1, 4, 1, 0, "finished", 100, [40] + [2] * 7, [])
    assert max(trainer.lags) > 1
