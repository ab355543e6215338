"""The bound of `--max-lag`, against trainers in this process: slow, batching oddly, dropping."""

import json
import threading
import time
from collections import deque
from pathlib import Path

import pytest

from swr1.errors import SwrError, UsageError
from swr1.policy import Policy
from swr1.rollout.follower import PolicyFollower
from swr1.rollout.prompt_stream import PromptStream
from swr1.streams import Stage
from swr1.streams.reading import GROUP_END, SILENCE, Placed


class Engine:
    """Loads folders and remembers them."""

    def __init__(self):
        self.loaded = []

    def load(self, folder):
        assert (Path(folder) / "swr1.json").is_file()
        self.loaded.append(int(Path(folder).name))


class Trainer:
    """Uses groups in order, `batch` to a step; drops those that `drops` says, and tells so."""

    def __init__(self, policy: Policy, batch: int, every: int, drops=lambda i: False, before=0):
        self.policy, self.batch, self.every, self.drops = policy, batch, every, drops
        self.used = self.dropped = self.steps = 0
        self.before = before
        self.pending: list[int] = []
        self.lags: list[int] = []
        policy.announce(batch, every, 0, before, 0)

    def take(self, index: int, version: int) -> None:
        """One group, made by `version`."""
        if self.drops(index):
            self.dropped += 1
            self.policy.count_dropped(self.dropped)
            return
        self.pending.append(version)
        if len(self.pending) == self.batch:
            of_step = [self.policy.meta(v)["step"] for v in self.pending]
            self.lags += [self.steps - step for step in of_step]
            self.used += self.batch
            self.pending = []
            self.steps += 1
            if self.steps % self.every == 0:
                publish(self.policy, self.steps, self.before + self.used, self.dropped)


def publish(policy: Policy, step=0, used=0, dropped=0) -> None:
    meta = {"step": step, "groups_consumed": used + dropped, "groups_dropped": dropped}
    policy.publish(lambda folder: None, meta)


@pytest.fixture
def policy(tmp_path):
    policy = Policy(tmp_path / "p")
    publish(policy)
    with policy.lock():
        yield policy


def follow(policy: Policy, lag: int, wait: float = 20) -> PolicyFollower:
    weights = PolicyFollower(policy.name, lag, wait)
    weights.follow()
    return weights


def run(policy, lag, block, batch, every=1, drops=lambda i: False, groups=60, slow=0.002):
    """Rollout here, trainer in a thread behind a pipe without bound; returns (trainer, blocks)."""
    trainer = Trainer(policy, batch, every, drops)
    weights, engine = follow(policy, lag), Engine()
    pipe: deque[tuple[int, int]] = deque()
    stop = threading.Event()

    def train():
        while not (stop.is_set() and not pipe):
            if pipe:
                trainer.take(*pipe.popleft())
            time.sleep(slow)

    thread = threading.Thread(target=train)
    thread.start()
    blocks, given = [], 0
    try:
        while given < groups:
            size = weights.admit(engine, given, block)
            assert 1 <= size <= block
            blocks.append(size)
            for _ in range(size):
                pipe.append((given, weights.version))
                given += 1
    finally:
        stop.set()
        thread.join()
    return trainer, blocks


@pytest.mark.parametrize("lag", [0, 1, 2])
@pytest.mark.parametrize(("block", "batch"), [(4, 4), (4, 6), (16, 6), (5, 3), (1, 4)])
def test_no_sample_is_older_than_the_bound_and_nothing_stalls(policy, lag, block, batch):
    trainer, _ = run(policy, lag, block, batch)
    assert trainer.steps >= 60 // batch
    assert max(trainer.lags) <= lag
    assert min(trainer.lags) >= 0


@pytest.mark.parametrize("lag", [1, 2])
def test_the_bound_is_used_when_the_trainer_is_slow(policy, lag):
    """A rollout that always waited for the newest version would pass the test above."""
    trainer, _ = run(policy, lag, block=3, batch=3, slow=0.004)
    assert max(trainer.lags) == lag


@pytest.mark.parametrize(("lag", "every"), [(1, 2), (2, 2), (2, 3)])
def test_versions_that_come_seldom(policy, lag, every):
    trainer, _ = run(policy, lag, block=5, batch=4, every=every)
    assert max(trainer.lags) <= lag


@pytest.mark.parametrize("lag", [0, 1, 2])
@pytest.mark.parametrize(
    "drops",
    [lambda i: i % 3 == 1, lambda i: i < 13, lambda i: i % 10 > 2],
    ids=["every third", "the first", "most"],
)
def test_dropped_groups_neither_stall_nor_break_the_bound(policy, lag, drops):
    trainer, _ = run(policy, lag, block=5, batch=4, drops=drops)
    assert trainer.dropped >= 13
    assert trainer.used + trainer.dropped + len(trainer.pending) >= 60
    assert max(trainer.lags) <= lag


def test_a_drop_between_versions_frees_one_place_at_once(policy):
    trainer = Trainer(policy, 4, 1)
    weights, engine = follow(policy, 0, wait=0.05), Engine()
    assert weights.admit(engine, 0, 16) == 4
    with pytest.raises(SwrError, match="waited"):
        weights.admit(engine, 4, 16)
    trainer.drops = lambda i: True
    trainer.take(0, 0)
    assert weights.admit(engine, 4, 16) == 1
    # The version made afterwards counts that drop itself: it must not count twice.
    publish(policy, 1, used=4, dropped=1)
    assert weights.admit(engine, 5, 16) == 4
    assert engine.loaded == [1]


def test_blocks_at_lag_0_do_not_depend_on_time(policy):
    _, blocks = run(policy, 0, block=4, batch=6, slow=0.001)
    assert blocks[:6] == [4, 2, 4, 2, 4, 2]


def test_what_a_run_before_used_is_not_counted(policy):
    publish(policy, 9, used=100, dropped=20)
    policy.announce(4, 1, 0, 120, 20)
    weights = follow(policy, 0, wait=0.05)
    assert weights.admit(Engine(), 0, 8) == 4
    policy.count_dropped(21)
    assert weights.admit(Engine(), 4, 8) == 1


def test_the_drops_of_another_trainer_do_not_count(policy):
    Trainer(policy, 4, 1)
    weights = follow(policy, 0, wait=0.05)
    plan = json.loads((policy.path / "trainer" / "plan.json").read_text())
    other = plan | {"pid": plan["pid"] + 1, "dropped": 50}
    (policy.path / "trainer" / "plan.json").write_text(json.dumps(other))
    with pytest.raises(SwrError, match="waited"):
        weights.admit(Engine(), 4, 4)


def test_a_version_that_can_never_come_is_refused(policy):
    Trainer(policy, 4, every=3)
    with pytest.raises(UsageError, match="--publish-every 2 or less"):
        follow(policy, 1)


def test_a_version_pruned_while_it_is_read_gives_way_to_a_newer_one(policy):
    Trainer(policy, 4, 1)
    weights = follow(policy, 1, wait=1)
    publish(policy, 1, used=4)

    class Slow(Engine):
        def load(self, folder):
            if not self.loaded:
                self.loaded.append(None)
                publish(policy, 2, used=8)
                policy.prune(1)
                raise SwrError(f"cannot load {folder}")
            super().load(folder)

    engine = Slow()
    assert weights.admit(engine, 4, 4) == 4
    assert weights.version == 2 and engine.loaded == [None, 2]


class Inputs:
    """As much of a stage as `PromptStream` needs."""

    shard = (0, 1)

    def read_marked(self, needs, silence_limit):
        yield SILENCE
        yield GROUP_END
        for i in range(10):
            record = Placed(id=f"p{i}", prompt=[])
            record.location = f"x:{i}"
            yield record


def test_prompts_that_cannot_be_completed_are_passed_over_but_not_counted():
    """A run that goes on after 3 groups, where p1 never gave one, starts with p4."""
    prompts = PromptStream(Inputs(), 1, None, 3, fits=lambda record: record["id"] != "p1")
    assert next(prompts) is SILENCE
    assert [next(iter(prompts))["id"]] == ["p4"]
    fresh = PromptStream(Inputs(), 1, None)
    assert next(fresh) is SILENCE
    for record in fresh:
        if record["id"] == "p1":
            fresh.lose(record)
    assert fresh.given == 9


def test_looking_ahead_gives_nothing():
    """At the end of the input no version is waited for, so the end is known before.

    In silence it is not known, and silence is no prompt.
    """
    prompts = PromptStream(Inputs(), 1, None, 8)
    assert prompts.more() is None
    assert next(prompts) is SILENCE
    assert prompts.more() and prompts.more()
    assert prompts.given == 8
    assert [r["id"] for r in prompts] == ["p8", "p9"]
    assert not prompts.more()
    assert prompts.given == 10


def test_a_run_that_is_over_at_once_has_its_summary(tmp_path, capsys):
    with Stage("rollout", {}, inputs=[], output="-", metrics=tmp_path / "m.jsonl") as stage:
        stage.tallies["seconds"].update({"idle": 0.0, "at work": 0.0})
    assert json.loads((tmp_path / "m.jsonl").read_text())["tallies"]["seconds"]["idle"] == 0
