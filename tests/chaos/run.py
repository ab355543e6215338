"""Chaos: end random processes of the pipe at random moments, start it again, until it is done.

    make chaos                 at least 50 signals over at least 4 runs
    make chaos SEED=7          the same kills again, as far as a machine's timing repeats
    python -m tests.chaos.run --in-flight      weights in flight, K=2, both orders of leaving

Then the run must be what an unbroken one is: the same prompts in the same order, none twice and
none lost; equal metrics; every version whole, and its weights equal bit for bit (K=0, float32, one
thread). Half of the signals are SIGKILL, the others SIGINT and SIGTERM. After each the rest of the pipe
must end by itself, not with success, and no version may be half there. In every second run a stage in
the middle drops samples; in two of four a user's reward is slow.

With weights in flight a run depends on its timing. Then each prompt must be trained on, or counted as lost,
once, over all starts, in order (or, as they finish, within the bound), and no token may be older than K steps.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

from swr1.policy import Policy
from swr1.window import ORDERS
from tests.chaos import pipe
from tests.conftest import run_swr1

STEPS = 24
SIGNALS = {signal.SIGKILL: 2, signal.SIGINT: 1, signal.SIGTERM: 1}  # with their weights
ENDS_WITHIN = 90.0  # seconds in which the rest of a broken pipe must have ended


def choose(rng: random.Random) -> tuple[str, ...]:
    """Whom to kill: one stage, several, or all."""
    kind = rng.choices(("one", "several", "all"), (4, 3, 3))[0]
    count = {"one": 1, "several": rng.randint(2, 4), "all": len(pipe.STAGES)}[kind]
    return tuple(rng.sample(pipe.STAGES, count))


def break_one(
    world: Path, rng: random.Random, line: str, say, ledger: str = pipe.LEDGER
) -> tuple[list[str], str, float]:
    """Start the line and end somebody; returns who was hit, by what, and how long the rest took.

    A quarter of the kills come while processes start; the others within half a second of a step,
    when the trainer writes metrics, state and version and the rollout reads the new weights.
    """
    had = len(pipe.read_rows(world / "policy"))
    names = choose(rng)
    (number,) = rng.choices(list(SIGNALS), list(SIGNALS.values()))
    early = rng.random() < 0.25
    pause, more = (rng.uniform(0, 6), 0) if early else (rng.uniform(0, 0.5), rng.randint(1, 2))
    with pipe.Pipe(line, world, ledger) as running:
        deadline = time.monotonic() + 120
        while len(pipe.read_rows(world / "policy")) < had + more and running.bash.poll() is None:
            assert time.monotonic() < deadline, f"no step came\n{running.said()}"
            time.sleep(0.003)
        time.sleep(pause)
        hit = running.kill(names, number)
        killed = time.monotonic()
        code = running.wait(ENDS_WITHIN)
        seconds = time.monotonic() - killed
        said = running.said()
    # Before Python has read a line of ours, SIGINT gives a KeyboardInterrupt of its own.
    assert "Traceback" not in said or (number == signal.SIGINT and early), said
    now = len(pipe.read_rows(world / "policy"))
    assert now >= STEPS or code != 0, f"a broken pipe ended with 0\n{said}"
    say(
        f"  {number.name} {' '.join(hit) or 'nobody left'}: {'while starting' if early else f'step {now}'};"
        f" the rest ended in {seconds:.1f} s"
    )
    return hit, number.name, seconds


def chaos(seed: int, kills: int, runs: int, say=print) -> Counter[str]:
    """Break runs until there were so many kills and runs; returns the kills by stage.

    Raises AssertionError when a broken run differs from the unbroken one; the folder is kept.
    """
    began = time.monotonic()
    base = Path(tempfile.mkdtemp(prefix="swr1-chaos-"))
    say(f"chaos: seed {seed}, in {base}")
    pipe.make_world(base / "world")
    unbroken, right = {}, {}
    for lossy in (False, True)[: min(runs, 2)]:
        unbroken[lossy] = pipe.fresh(base / "world", f"unbroken-{lossy}")
        line = pipe.pipe_line("policy", STEPS, keep=1000, lossy=lossy)
        with pipe.Pipe(line, unbroken[lossy]) as running:
            assert running.wait(200) == 0, running.said()
        right[lossy] = pipe.hashes(unbroken[lossy] / "policy")
        assert len(set(right[lossy].values())) == STEPS + 1, "a step that moves no weight"
    say(f"unbroken: {STEPS} steps, and with samples lost [{time.monotonic() - began:.0f} s]")
    hits: Counter[str] = Counter()
    by_signal: Counter[str] = Counter()
    starts, longest, number = 0, 0.0, 0
    while hits.total() < kills or number < runs:
        number += 1
        lossy, slow = number % 2 == 0 and len(right) > 1, number % 4 in (2, 3)
        rng = random.Random(f"{seed}/{number}")
        world = pipe.fresh(base / "world", f"killed-{number}")
        # As many kills as are owed, shared among the runs to come; then it may end.
        owed = -(-(kills - hits.total()) // max(1, runs - number + 1))
        before = hits.total()
        say(f"run {number} (seed {seed}/{number}){', samples are lost' * lossy}{', slow' * slow}")
        while hits.total() - before < max(owed, 1):
            if len(pipe.read_rows(world / "policy")) >= STEPS:
                break
            line = pipe.pipe_line("policy", STEPS, lossy=lossy, slow=slow)
            hit, name, seconds = break_one(world, rng, line, say)
            hits.update(hit)
            by_signal[name] += len(hit)
            starts += 1
            longest = max(longest, seconds)
            for version, weights in pipe.hashes(world / "policy").items():
                assert weights == right[lossy][version], (
                    f"version {version} is not the unbroken run's"
                )
        with pipe.Pipe(pipe.pipe_line("policy", STEPS, lossy=lossy), world) as running:
            assert running.wait(200) == 0, running.said()
        pipe.compare(unbroken[lossy], world, STEPS, lossy)
        say(f"run {number}: {hits.total() - before} kills; equal to the unbroken run in all")
    signals = ", ".join(f"{name} {count}" for name, count in sorted(by_signal.items()))
    by_stage = ", ".join(f"{name} {hits[name]}" for name in pipe.STAGES)
    say(
        f"{hits.total()} signals ({by_stage}; {signals}) in {starts} broken starts over {number} runs:"
        f" every run trained the same samples in the same order to the same weights;"
        f" the rest of a broken pipe ended within {longest:.1f} s"
        f" [{time.monotonic() - began:.0f} s]"
    )
    shutil.rmtree(base)
    return hits


LAG = 2


def in_flight(seed: int, kills: int, order: str, say=print) -> Counter[str]:
    """Break one run with weights in flight `kills` times, or until it is done; returns the kills by stage.

    Raises AssertionError where a prompt is trained on twice or not at all, or a token is too old.
    """
    base = Path(tempfile.mkdtemp(prefix="swr1-chaos-"))
    say(f"chaos in flight: seed {seed}, order {order}, in {base}")
    pipe.make_world(base / "world")
    world = pipe.fresh(base / "world", "killed")
    rng, lossy = random.Random(f"{seed}/{order}"), order == "finished"
    line = pipe.pipe_line("policy", STEPS, lag=LAG, lossy=lossy, rollout=f"--order {order}")
    hits: Counter[str] = Counter()
    begun: dict[
        tuple[int, int], tuple[int, Path]
    ] = {}  # trainer -> groups taken before, its ledger
    starts = 0

    def note(ledger: Path) -> None:
        plan = Policy(world / "policy").plan()
        trainer = plan["pid"], plan.get("began", 0)
        if trainer in begun or "consumed" not in plan:
            assert not _groups(ledger), "completions for a trainer that has not begun"
        else:
            begun[trainer] = plan["consumed"], ledger

    while hits.total() < kills and len(pipe.read_rows(world / "policy")) < STEPS:
        starts += 1
        hit, _, _ = break_one(world, rng, line, say, f"ledger-{starts}")
        hits.update(hit)
        note(world / f"ledger-{starts}")
        pipe.hashes(world / "policy")  # whole versions only
    with pipe.Pipe(line, world, "ledger-last") as running:
        assert running.wait(300) == 0, running.said()
    note(world / "ledger-last")
    rows = pipe.read_rows(world / "policy")
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    assert max(row["lag_max"] for row in rows) <= LAG
    taken: list[str] = []
    before = [groups for groups, _ in begun.values()]
    ends = [*before[1:], rows[-1]["groups_consumed"]]
    for (groups, ledger), end in zip(begun.values(), ends, strict=True):
        taken += _groups(ledger)[: end - groups]
    want = _prompts(len(taken) + (LAG + 1) * pipe.BATCH)
    assert len(taken) == len(set(taken)) == rows[-1]["groups_consumed"], "twice, or lost"
    ahead = [want.index(name) - place for place, name in enumerate(taken)]
    assert max(ahead) < (LAG + 1) * pipe.BATCH
    assert order == "finished" or set(ahead) == {0}, "not in the order of the input"
    say(
        f"{hits.total()} signals in {starts} broken starts: {len(taken)} groups, each once;"
        f" no token older than {max(row['lag_max'] for row in rows)} steps"
    )
    shutil.rmtree(base)
    return hits


def _groups(ledger: Path) -> list[str]:
    """The prompts whose samples reached the reward, in order."""
    if not ledger.exists():
        return []
    names: dict[str, None] = {}
    for text in ledger.read_text(errors="replace").splitlines():
        try:
            names.setdefault(json.loads(text)["key"][0])
        except ValueError:  # blank, or cut off by a kill
            continue
    return list(names)


def _prompts(count: int) -> list[str]:
    done = run_swr1(*f"gen-puzzles -n {count} {pipe.PUZZLES}".split(), check=True)
    return [json.loads(text)["id"] for text in done.stdout.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--in-flight", action="store_true")
    args = parser.parse_args()

    def say(text: str) -> None:
        print(text, flush=True)

    if args.in_flight:
        for order in ORDERS:
            in_flight(args.seed, args.kills // 2, order, say)
    else:
        chaos(args.seed, args.kills, args.runs, say)


if __name__ == "__main__":
    main()
