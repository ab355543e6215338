"""The pipe played event by event: engines, the bound on lag, the trainer, failures.

What is modelled follows the code: a prompt starts only while the bound allows it, and groups reach the trainer
in the order in which they were started or as they finish (window.py, which is used here as it is); a step takes
`batch` of them, a version is published after it. Prompts start one by one, each sequence that ends makes
room for the next, and engines take new weights with sequences under way; or they work block by block and take
them between blocks (rollout --weights between). Versions and states are written beside the steps that
follow, or within theirs.

All sequences of a replica advance together, so a replica is simulated from one end of a sequence to
the next, not token by token: a thousand GPUs take seconds.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass

import numpy as np
import simpy

from swr1.errors import UsageError
from swr1.planning.costs import Decode, Train
from swr1.planning.lengths import Lengths
from swr1.planning.replica import Events, Group, Replica, Sequence
from swr1.window import ORDERS, Window


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One run to simulate. Times are in seconds.

    Attributes:
        steps, batch, samples, max_lag, publish_every: as of train-step and rollout.
        prompt: tokens of a prompt, computed once for its samples and trained with once.
        block: prompts per block, between which weights are taken; None: prompts one by one, in flight.
        at_once: prompts that a replica writes at once at most, without blocks (rollout --batch of hf).
        order: how groups leave the engines, as of rollout.
        replicas, gpus_per_replica: engine replicas, and the GPUs (or cores) of each.
        swap: for a replica to take new weights. publish: for the trainer to write them.
        pipe_per_token: of the slowest stage between engine and trainer.
        slow_share, slow_factor: share of GPUs that are slow, and how many times as long they take.
            A replica, and the trainer, are as slow as the slowest GPU they have.
        mtbf: mean time between failures of one GPU; 0: none. restart: until one is back.
        checkpoint, checkpoint_every: seconds to write the trainer's state, and steps between two.
        background: writes go on beside the next steps. A step takes the copy, `copy` of the seconds
            that its writes take, and waits while the writes before its own go on.
        line_fails: a failure anywhere ends the whole pipe, which begins again at the last state
            (as it is here); otherwise only what the lost replica, or the trainer, had under way
            is done again.
        contention: both sides on one machine: how many times as long the engine and the trainer
            take while both work.
    """

    steps: int
    batch: int
    samples: int
    lengths: Lengths
    decode: Decode
    train: Train
    prompt: float = 0.0
    max_lag: int = 0
    publish_every: int = 1
    block: int | None = None
    at_once: int | None = None
    order: str = "input"
    replicas: int = 1
    gpus_per_replica: int = 1
    swap: float = 0.0
    publish: float = 0.0
    checkpoint: float = 0.0
    checkpoint_every: int = 1
    background: bool = False
    copy: float = 0.1
    pipe_per_token: float = 0.0
    slow_share: float = 0.0
    slow_factor: float = 1.0
    mtbf: float = 0.0
    restart: float = 0.0
    line_fails: bool = True
    contention: tuple[float, float] = (1.0, 1.0)
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (self.steps, self.batch, self.samples, self.replicas, self.gpus_per_replica)
        every = (self.publish_every, self.checkpoint_every)
        if min(*counts, *every, self.train.ranks) < 1:
            raise UsageError(
                "steps, batch, samples, GPUs, publish-every and checkpoint-every are at least 1"
            )
        if self.order not in ORDERS:
            raise UsageError(f"order is {' or '.join(ORDERS)}, not {self.order!r}")
        if self.max_lag < 0 or (self.block is not None and self.block < 1):
            raise UsageError("max-lag is at least 0, a block at least 1")
        if min(self.contention) < 1 or self.slow_factor < 1 or not 0 <= self.slow_share <= 1:
            raise UsageError("contention and slowness are factors of at least 1, a share is 0 to 1")
        if self.publish_every > self.max_lag + 1:
            raise UsageError(
                f"publish-every {self.publish_every} with max-lag {self.max_lag} would wait without"
                f" end: publish every {self.max_lag + 1} steps or more often"
            )


@dataclass(frozen=True)
class Outcome:
    """What a simulated run came to. Shares are of time, 0..1.

    step_seconds, rollout_idle, train_idle and in_flight leave out the first K + 1 steps, in which
    the pipe fills.

    Attributes:
        seconds: of the whole run. step_seconds: of a step, in the mean.
        rollout_idle: no sequence in flight, mean over replicas. train_idle: waiting for data.
        in_flight: sequences per replica that is at work, in the mean.
        generated, trained: tokens of completions, those of lost work among the first.
        ended: sequences that ended. sequence_seconds: from the start of one to its end, mean.
        load_seconds: sequences in flight, integrated over time and replicas.
        lags: of each step, the mean over its tokens. lag_max: the largest of any.
        failures: how many there were.
    """

    seconds: float
    step_seconds: float
    rollout_idle: float
    train_idle: float
    in_flight: float
    generated: int
    trained: int
    ended: int
    sequence_seconds: float
    load_seconds: float
    lags: tuple[float, ...]
    lag_max: int
    failures: int

    @property
    def useful(self) -> float:
        """Share of the generated tokens that was trained on, or waited for it at the end."""
        return min(1.0, self.trained / self.generated) if self.generated else 0.0


class _Run:
    def __init__(self, setting: Setting) -> None:
        self.setting, self.env = setting, simpy.Environment()
        self.rng = np.random.default_rng(setting.seed)
        self.faults = np.random.default_rng([setting.seed, 1])
        self.taken = self.version = self.step = 0
        self.window = Window(0, setting.order)
        self.under_way: dict[int, Group] = {}
        self.writing = 0  # groups that are owed sequences
        self.left: list[Group] = []  # in the order of leaving; lost ones taken out
        self.written = 0.0  # when the writer has done all that it was handed
        self.life = 0  # how often the line began anew: what was handed over before is void
        self.queue: deque[Sequence] = deque()  # sequences without a place
        self.failures = self.ended = self.generated = self.lag_max = 0
        self.pipe_free = self.stay = self.waited = 0.0
        self.at_work, self.both = {"rollout": 0, "train": 0}, False
        self.lags: list[float] = []
        self.trained: list[int] = []  # tokens, by step
        self.warm_time, self.warm_step, self.load_before = 0.0, 0, 0.0
        self.ready = self.env.event()
        s = setting
        chance = 1 - (1 - s.slow_share) ** np.array([s.gpus_per_replica, s.train.ranks])
        slow = self.faults.random(s.replicas) < chance[0]
        self.train_slow = s.slow_factor if self.faults.random() < chance[1] else 1.0
        self.replicas = [
            Replica(self, i, s.slow_factor if slow[i] else 1.0) for i in range(s.replicas)
        ]
        self.trainer = self.env.process(self.train())
        if s.mtbf:
            self.env.process(self.fail())

    # --- the machine that both sides may share ---

    def side(self, name: str, change: int) -> None:
        """A side begins or ends work; on a shared machine the other's pace changes."""
        before = self.both
        self.at_work[name] += change
        self.both = bool(self.at_work["rollout"] and self.at_work["train"])
        if self.both != before and self.setting.contention != (1.0, 1.0):
            for replica in self.replicas:
                if replica.working:
                    replica.wake()
            if self.trainer is not self.env.active_process:
                self.trainer.interrupt("pace")

    def pace(self, train: bool) -> float:
        return self.setting.contention[train] if self.both else 1.0

    # --- rollout ---

    def dispatch(self) -> None:
        """Start what the bound allows and hand it to the engines."""
        if self.setting.block is not None:
            self._dispatch_blocks(self.setting.block)
            return
        room = self._room()
        if self.setting.at_once is not None:
            room = min(room, self.setting.at_once * self.setting.replicas - self.writing)
        if room > 0:
            self._start(room)
        most = self.setting.decode.most
        places = [(r.load, r.number) for r in self.replicas if r.load < most]
        heapq.heapify(places)
        touched = set()
        while self.queue and places:
            load, number = places[0]
            if number not in touched:
                touched.add(number)
                self._swap(self.replicas[number])
            self.replicas[number].give(self.queue.popleft())
            if load + 1 < most:
                heapq.heapreplace(places, (load + 1, number))
            else:
                heapq.heappop(places)
        for number in sorted(touched):
            self.replicas[number].wake()

    def _dispatch_blocks(self, block: int) -> None:
        s = self.setting
        size, enough = min(block, s.batch * max(1, s.max_lag)), s.batch * s.publish_every
        for replica in self.replicas:
            if replica.load or replica.ended:
                continue
            room = self._room()
            ahead = self.window.left + len(self.window) - self.taken
            if not self.queue and (room >= size or (ahead < enough and room > 0)):
                self._start(min(size, room))
            if not self.queue:
                return
            self._swap(replica)
            for _ in range(min(len(self.queue), block * s.samples)):
                replica.give(self.queue.popleft())
            replica.wake()

    def _limit(self) -> int:
        s = self.setting
        return self.taken + (s.max_lag + 1) * s.batch

    def _room(self) -> int:
        return self.window.room(self._limit())

    def _start(self, count: int) -> None:
        s = self.setting
        for row in s.lengths.draw(self.rng, count, s.samples):
            group = Group(s.samples, self.window.start(self._limit()))
            self.under_way[group.number] = group
            self.writing += 1
            self.queue.extend(Sequence(group, int(n)) for n in row)

    def _swap(self, replica: Replica) -> None:
        """Newer weights, if there are any, before a sequence is taken in."""
        if replica.version < self.version:
            replica.version = self.version
            replica.debt += self.setting.swap

    def refill(self, replica: Replica) -> None:
        """Those that wait take the places of those that ended."""
        if self.queue and replica.load < self.setting.decode.most:
            self._swap(replica)
            while self.queue and replica.load < self.setting.decode.most:
                replica.give(self.queue.popleft())

    def end(self, sequence: Sequence) -> None:
        self.ended += 1
        self.generated += sequence.length
        self.stay += self.env.now - sequence.started

    def complete(self, sequences: list[Sequence]) -> None:
        """Completions go down the pipe, in whole groups."""
        for sequence in sequences:
            group = sequence.group
            group.owed -= 1
            group.tokens += sequence.length
            group.versions += sequence.wrote * sequence.length
            group.oldest = min(group.oldest, sequence.version)
            if not group.owed:
                self.window.finished(group.number)
                self.writing -= 1
        for number in self.window.leaving():
            group = self.under_way.pop(number)
            self.pipe_free = max(self.pipe_free, self.env.now)
            self.pipe_free += group.tokens * self.setting.pipe_per_token
            group.released = self.pipe_free
            self.left.append(group)
        if len(self.left) >= (self.step + 1) * self.setting.batch and not self.ready.triggered:
            self.ready.succeed()
        if self.setting.at_once is not None and self.setting.block is None:
            self.dispatch()

    # --- training ---

    def train(self) -> Events:
        s, env = self.setting, self.env
        self.dispatch()
        while self.step < s.steps:
            began = env.now
            batch = yield from self._batch()
            self.waited += env.now - began
            tokens = sum(group.tokens + s.prompt for group in batch)
            self.side("train", 1)
            done = yield from self._compute(s.train.seconds(tokens) * self.train_slow)
            self.side("train", -1)
            if not done:
                yield from self._rest(s.restart)
                continue
            publishes = (self.step + 1) % s.publish_every == 0
            saves = (self.step + 1) % s.checkpoint_every == 0
            writing = s.checkpoint * saves + s.publish * publishes
            if s.background:  # in the memory of a machine: until the copy before is written
                yield from self._rest(max(0.0, self.written - env.now) + s.copy * writing)
                self.written = env.now + writing
            else:
                yield from self._rest(writing)
            if self.left[self.step * s.batch : (self.step + 1) * s.batch] == batch:
                self._took(batch)
                if publishes:
                    env.process(self._publish(self.step, writing if s.background else 0.0))

    def _batch(self) -> Events:
        """Wait for the groups of the next step; they are the value."""
        s, env = self.setting, self.env
        while True:
            end = (self.step + 1) * s.batch
            if len(self.left) < end:
                self.ready = env.event()
                waiting = self.ready
            elif self.left[end - 1].released > env.now:
                waiting = env.timeout(self.left[end - 1].released - env.now)
            else:
                return self.left[end - s.batch : end]
            try:
                yield waiting
            except simpy.Interrupt as why:
                if why.cause == "lost":
                    yield from self._rest(s.restart)

    def _compute(self, work: float) -> Events:
        """The value is False when a failure undid it."""
        while work > 0:
            began, pace = self.env.now, self.pace(train=True)
            try:
                yield self.env.timeout(work * pace)
                break
            except simpy.Interrupt as why:
                if why.cause == "lost":
                    return False
                work -= (self.env.now - began) / pace
        return True

    def _rest(self, seconds: float) -> Events:
        until = self.env.now + seconds
        while self.env.now < until:
            try:
                yield self.env.timeout(until - self.env.now)
            except simpy.Interrupt:
                continue

    def _publish(self, step: int, seconds: float) -> Events:
        """The version of a step is there, after the seconds that writing takes."""
        life = self.life
        if seconds:
            yield self.env.timeout(seconds)
        if life != self.life:
            return
        self.version, self.taken = step, step * self.setting.batch
        if self.setting.block is None:
            for replica in self.replicas:
                if replica.load:  # taken with its sequences under way
                    self._swap(replica)
                    replica.wake()
        self.dispatch()
        yield self.env.timeout(0)

    def _took(self, batch: list[Group]) -> None:
        s = self.setting
        self.trained.append(sum(group.tokens for group in batch))
        versions = sum(group.versions for group in batch)
        self.lags.append(self.step - versions / sum(group.tokens for group in batch))
        self.lag_max = max(self.lag_max, self.step - min(group.oldest for group in batch))
        self.step += 1
        if not self.warm_step and self.step == min(s.max_lag + 1, s.steps - 1):
            self.warm_step, self.warm_time, self.waited = self.step, self.env.now, 0.0
            for replica in self.replicas:
                self.load_before += replica.load_time
                replica.busy = replica.load_time = 0.0

    # --- failures ---

    def fail(self) -> Events:
        s = self.setting
        rollout = s.replicas * s.gpus_per_replica
        gpus = rollout + s.train.ranks
        while True:
            yield self.env.timeout(float(self.faults.exponential(s.mtbf / gpus)))
            self.failures += 1
            hit = int(self.faults.integers(gpus))
            if s.line_fails:
                self._restart_line()
            elif hit < rollout:
                self._lose(self.replicas[hit // s.gpus_per_replica])
            else:
                self.trainer.interrupt("lost")

    def _lose(self, replica: Replica) -> None:
        lost = replica.lose()
        replica.debt = self.setting.restart
        self.queue.extendleft(reversed(lost))
        replica.wake()
        self.dispatch()

    def _restart_line(self) -> None:
        """All begins again after the last state: steps since then are done again, and groups that
        no step had taken before it are lost."""
        s = self.setting
        self.step -= self.step % s.checkpoint_every
        self.version = self.step - self.step % s.publish_every
        self.taken = self.version * s.batch
        for replica in self.replicas:
            replica.lose()
            replica.debt, replica.version = s.restart, self.version
        self.queue.clear()
        self.under_way.clear()
        self.writing = 0
        self.window = Window(self.step * s.batch, s.order)
        del self.left[self.step * s.batch :], self.lags[self.step :], self.trained[self.step :]
        self.pipe_free = self.written = 0.0
        self.life += 1
        self.trainer.interrupt("lost")
        self.dispatch()
        for replica in self.replicas:
            replica.wake()


def simulate(setting: Setting) -> Outcome:
    """Play a run; the same setting gives the same outcome."""
    run = _Run(setting)
    run.env.run(run.trainer)
    counted = max(run.env.now - run.warm_time, 1e-12)
    busy = sum(replica.busy for replica in run.replicas)
    load = sum(replica.load_time for replica in run.replicas)
    return Outcome(
        seconds=run.env.now,
        step_seconds=counted / (setting.steps - run.warm_step),
        rollout_idle=max(0.0, 1 - busy / (counted * setting.replicas)),
        train_idle=run.waited / counted,
        in_flight=load / busy if busy else 0.0,
        generated=run.generated,
        trained=sum(run.trained),
        ended=run.ended,
        sequence_seconds=run.stay / run.ended if run.ended else 0.0,
        load_seconds=load + run.load_before,
        lags=tuple(run.lags),
        lag_max=run.lag_max,
        failures=run.failures,
    )
