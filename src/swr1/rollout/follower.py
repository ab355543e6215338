"""The weights of a rollout: fixed, or those that a trainer at the other end of the pipe publishes.

`PolicyFollower.admit` is where an asynchronous run is bounded: it lets prompts start only when the
published version is new enough for the optimizer step that will use them.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from swr1.errors import DataError, ReaderClosed, SwrError, UsageError, no_folder
from swr1.pass_rates import PassRates
from swr1.policy import Policy, resolve, same_trainer
from swr1.records import pack, parse
from swr1.streams import write_atomically
from swr1.terminal import say

TRAINER_GONE = 5.0  # seconds without a trainer at work after which none is expected
REPORT_EVERY = 30.0  # seconds


class PolicyFollower:
    """The weights that a rollout uses: fixed, or those that a train-step at the other end publishes.

    With `max_lag` K, a prompt whose sample will be used in optimizer step s starts only when the
    version made by step s - K exists. A step uses `batch` groups in the order of the pipe, so
    when `taken` groups were used (by steps up to that version) or dropped (by now), and i prompts
    started before, the next one is used at most (i - taken) // batch steps after that version:
    it may start while i < taken + (K + 1) * batch. All that is in flight, in any stage, pipe or
    buffer, is among those i - taken. Drops only bring the use of a group forward.
    """

    def __init__(
        self, name: str | None, max_lag: int | None, wait: float, served: bool = False
    ) -> None:
        """Args: name: None where no weights are used. served: as in policy.resolve."""
        self.policy = resolve(name, served) if name else None
        self.max_lag, self.wait = max_lag, wait
        if max_lag is not None and self.policy is None:
            name = name or "no-policy"
            if not Path(name).exists():
                raise DataError(no_folder(name), name)
            raise UsageError(f"--max-lag follows a policy folder, and {name!r} is a model's folder")
        self.plan: dict[str, int] = {}
        self._name = name
        self.version = self.policy.latest() if self.policy else None
        self._before = self.policy.plan() if self.policy else {}
        self._trainer_seen = self._looked = 0.0  # when, by the monotonic clock
        self._limit = 0
        self._news: Any = None
        self._idle: Iterator[None] | None = None

    @property
    def folder(self) -> str:
        """What an engine loads."""
        if self.policy:
            return str(self.policy.folder(self.version))
        return self._name or "no-policy"

    def follow(self, on_end: Callable[[], None] = lambda: None) -> int:
        """With `max_lag`, wait until the train-step at the other end announces its plan.

        Returns how many prompts its run has used already. Raises SwrError after --wait seconds,
        UsageError when it publishes too seldom for `max_lag`, and ReaderClosed when it ends and
        needs no prompts; `on_end` is called before that.
        """
        policy, max_lag = self.policy, self.max_lag
        if policy is None or max_lag is None:
            return 0
        plan = None
        waiting = self._waiting(f"for a train-step on {policy.path}")
        while plan is None:
            next(waiting)
            plan = policy.announced()
            last = policy.plan()
            if plan is None and last.get("ended") and last != self._before:
                on_end()
                raise ReaderClosed
        if plan["publish_every"] > max_lag + 1:
            raise UsageError(
                f"train-step publishes every {plan['publish_every']} steps, which --max-lag"
                f" {max_lag} would wait for without end: use --publish-every {max_lag + 1} or less"
            )
        self.plan, self.version = plan, policy.latest()
        self._trainer_seen = time.monotonic()
        return plan["consumed"]

    def note_batch(self, batch: int, used: int) -> int | None:
        """Write how many prompts are worked on together beside the trainer's plan.

        Returns the number with which the trainer's run began, if that is another one.
        """
        assert self.policy is not None
        note = self.policy.path / "trainer" / "rollout.json"
        before = None
        if used:
            with suppress(OSError, ValueError, AttributeError):
                before = parse(note.read_bytes()).get("batch")
        if type(before) is int:
            return before if before != batch else None
        with suppress(OSError):  # a note: nothing depends on it
            write_atomically(note, lambda file: file.write(pack({"batch": batch})))
        return None

    def _check_trainer(self, policy: Policy) -> None:
        """End when the trainer ends. Our reader may be another process that does not notice it.

        Raises ReaderClosed when the trainer came to its end, and SwrError when it has been gone for
        TRAINER_GONE seconds.
        """
        now, plan = time.monotonic(), policy.plan()
        same = same_trainer(plan, self.plan)
        if same and plan.get("ended"):
            raise ReaderClosed
        if same and policy.announced():
            self._trainer_seen = now
        elif now - self._trainer_seen > TRAINER_GONE:
            other = "" if same else f"; another one, pid {plan['pid']}, came after it"
            raise SwrError(
                f"the train-step on {policy.path} (pid {self.plan['pid']}) ended{other}:"
                " start the whole pipe again, it goes on where it was"
            )

    def admit(
        self, engine: Any, given: int, size: int, on_wait: Callable[[], None] = lambda: None
    ) -> int:
        """Wait until prompts may start after `given` others, and load the newest version.

        Returns how many of `size` prompts may start. It is fewer where the bound cannot hold them
        all, or where the trainer needs a few more groups before it publishes. At K=0 it depends on
        `given` and the drops alone. The trainer reports drops only after `on_wait`, which is called
        before this waits.

        Raises SwrError when --wait seconds were not enough, and when the trainer or the policy's
        folder is gone; ReaderClosed when the trainer is done.
        """
        if self.max_lag is None or self.policy is None:
            return size
        try:
            return self._admit(self.policy, self.max_lag, engine, given, size, on_wait)
        except (SwrError, OSError):
            time.sleep(0.2)  # if it is being deleted right now
            if self.policy.exists:
                raise
            raise self.policy.vanished() from None

    def _admit(
        self,
        policy: Policy,
        max_lag: int,
        engine: Any,
        given: int,
        size: int,
        on_wait: Callable[[], None],
    ) -> int:
        batch = self.plan["batch"]
        # More would leave no room to go on while the trainer works on what it has.
        size = min(size, batch * max(1, max_lag))
        enough = batch * self.plan["publish_every"]  # groups with which a version must come
        reported = False
        for _ in self._waiting(f"for a version of {policy.path} newer than {self.version}"):
            newest = policy.latest()
            try:
                ahead = given - policy.groups_taken(newest, self.plan)
            except DataError:
                if newest in policy.versions():
                    raise
                continue  # pruned since, so newer ones exist
            room = (max_lag + 1) * batch - ahead
            if room >= size or (ahead < enough and room > 0):
                break
            if not reported:
                on_wait()
                reported = True
            if time.monotonic() - self._looked > 1:
                self._check_trainer(policy)
                self._looked = time.monotonic()
        self._load(policy, newest, lambda folder, version: engine.load(folder))
        return min(size, room)

    def _load(self, policy: Policy, newest: int, load: Callable[[Path, int], None]) -> None:
        """Use version `newest`, or one after it where that was pruned meanwhile."""
        while newest != self.version:
            try:
                load(policy.folder(newest), newest)
                self.version = newest
            except SwrError:
                if newest in policy.versions():
                    raise
                newest = policy.latest()

    def look(self, take: Callable[[str, int], None]) -> int:
        """The limit (see window.py) under the newest version; never waits.

        A version that is newer than the one in use is given to `take` first: its folder, its number.
        Raises what `admit` raises, but for a wait that was too long.
        """
        policy, max_lag, now = self.policy, self.max_lag, time.monotonic()
        assert policy is not None and max_lag is not None
        if now - self._looked > 1 or policy.news() != self._news:
            try:
                if now - self._looked > 1:
                    self._looked = now
                    self._check_trainer(policy)
                self._news = policy.news()
                self._load(policy, policy.latest(), lambda folder, n: take(str(folder), n))
                assert self.version is not None
                taken = policy.groups_taken(self.version, self.plan)
                self._limit = taken + (max_lag + 1) * self.plan["batch"]
            except (SwrError, OSError):
                time.sleep(0.2)  # if it is being deleted right now
                if not policy.exists:
                    raise policy.vanished() from None
                if self.version in policy.versions():
                    raise
                self._news = None  # pruned since, so newer ones exist
                return self.look(take)
        return self._limit

    def idle(self) -> None:
        """Wait a moment for a newer version, with nothing under way.

        Raises SwrError when --wait seconds of that were not enough.
        """
        assert self.policy
        what = f"for a version of {self.policy.path} newer than {self.version}"
        if self._idle is None:
            self._idle = self._waiting(what)
            next(self._idle)
        next(self._idle)

    def busy(self) -> None:
        """Completions are under way, or the input is silent: what is waited for is no version."""
        self._idle = None

    def pass_rates(self) -> PassRates:
        """How often prompts pass, as it was saved with the version in use."""
        assert self.policy
        return PassRates.load(self.policy.folder(self.version))

    def used(self) -> int:
        """How many groups of this run the steps up to the version in use took."""
        assert self.policy
        return self.policy.meta(self.version).get("groups_consumed", 0) - self.plan["before"]

    def _waiting(self, what: str) -> Iterator[None]:
        """One turn every 10 ms. Reports what it waits for, and raises SwrError after --wait."""
        started = reported = time.monotonic()
        while True:
            yield
            now = time.monotonic()
            if now - started > self.wait:
                raise SwrError(f"waited {self.wait:g} s {what}: is it running?")
            if now - reported > REPORT_EVERY:
                say("swr1 rollout", f"waiting {what} ({now - started:.0f} s)")
                reported = now
            time.sleep(0.01)
