"""The pipe that chaos breaks: a whole RL run that takes seconds, and what can be seen of it.

Every record that reaches the trainer is noted by the reward (LEDGER), with the version that wrote
it. At K=0 with a version per step, version v writes exactly what step v + 1 trains: the ledger tells
ids and order. The reward differs between the samples of a group, so that every step moves weights.

A lossy pipe drops, at the reward, one sample of some groups and all samples of others. In a slow one
the reward takes its time, asleep or in a process that it starts: most signals find it there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from swr1.policy import Policy
from tests.conftest import SWR1, run_swr1

STAGES = ("gen-puzzles", "rollout", "verify", "reward", "train-step")
LEDGER = "ledger.jsonl"
BATCH, SAMPLES = 4, 4
TIMES = ("wait_s", "compute_s")  # what may differ between equal runs
PUZZLES = "--people 6 --wording terse --names few --seed 5"

REWARD = '''
"""Many different characters are good; each record is noted as it passes."""
import json, os, subprocess, time, zlib

NOTES = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def reward(record):
    if "SLOW" in os.environ:
        if record["sample"]:
            time.sleep(0.05)
        else:
            subprocess.run(["sleep", "0.1"])
    value = len(set(record["completion"])) / 10
    made = record["generation"]
    note = {
        "version": made["policy"]["version"],
        "key": [record["id"], made["epoch"], record["sample"]],
        "tokens": made["token_ids"],
        "logprobs": made["logprobs"],
        "verdicts": {name: v["score"] for name, v in record["verdicts"].items()},
        "reward": value,
    }
    os.write(NOTES, b"\\n" + json.dumps(note).encode() + b"\\n")
    luck = zlib.crc32(record["id"].encode()) if "LOSSY" in os.environ else 1
    if luck % 5 == 0 or (luck % 3 == 0 and record["sample"] == 3):
        return {"reward": None, "reward_parts": {}, "error": "unsure"}
    return {"reward": value, "reward_parts": {"characters": {"value": value, "weight": 1.0}}}
'''


def make_world(folder: Path) -> None:
    """A policy to start from and the reward, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "noting.py").write_text(REWARD)
    for line in (
        f"gen-puzzles -n 64 {PUZZLES} --trace hasty -o some.jsonl",
        "init-policy start some.jsonl --hidden 32 --layers 2 --heads 2",
    ):
        run_swr1(*line.split(), cwd=folder, check=True)


def pipe_line(
    policy: str,
    steps: int,
    keep: int = 3,
    lag: int = 0,
    more: str = "",
    lossy: bool = False,
    slow: bool = False,
    rollout: str = "",
) -> str:
    """The command line of the whole run; `more` goes to train-step, `rollout` to rollout."""
    reward = f"{SWR1} reward ./noting.py:reward"
    if lossy:
        reward = f"LOSSY=1 {reward} --on-null skip"
    if slow:
        reward = f"SLOW=1 {reward}"
    return (
        f"set -o pipefail; {SWR1} gen-puzzles -n 100000 {PUZZLES}"
        f" | {SWR1} rollout --policy {policy} --max-lag {lag} --samples {SAMPLES}"
        f" --max-tokens 24 --batch {BATCH} --system-prompt logic-rl-terse --wait 60"
        f" {rollout} | {SWR1} verify format knights | {reward}"
        f" | {SWR1} train-step grpo --policy {policy} --batch {BATCH} --lr 1e-2 --kl 0"
        f" --steps {steps} --keep {keep} {more}"
    )


class Pipe:
    """One start of a command line under bash, with the processes of its stages."""

    def __init__(self, line: str, folder: Path, ledger: str = LEDGER) -> None:
        self.stderr = open(folder / "stderr.txt", "wb+")
        self.bash = subprocess.Popen(
            ["bash", "-c", line],
            cwd=folder,
            env=os.environ | {"LEDGER": ledger, "OMP_NUM_THREADS": "1"},
            stderr=self.stderr,
            start_new_session=True,
        )

    def stages(self) -> dict[str, int]:
        """The stages that run now: name -> pid."""
        running: dict[str, int] = {}
        try:
            children = Path(f"/proc/{self.bash.pid}/task/{self.bash.pid}/children").read_text()
            for pid in map(int, children.split()):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
                running |= {name: pid for name in STAGES if name in words[:4]}
        except (FileNotFoundError, ProcessLookupError):  # ended under our eyes
            pass
        return running

    def kill(self, names: tuple[str, ...], number: int = signal.SIGKILL) -> list[str]:
        """Signal these stages; returns those hit."""
        running = self.stages()
        hit = [name for name in names if name in running]
        for name in list(hit):
            try:
                os.kill(running[name], number)
            except ProcessLookupError:  # it ended by itself just now
                hit.remove(name)
        return hit

    def wait(self, seconds: float) -> int:
        """Wait for the end of every process; returns the line's exit code.

        Raises AssertionError, naming the stages that still run, after `seconds`.
        """
        try:
            return self.bash.wait(seconds)
        except subprocess.TimeoutExpired:
            still = ", ".join(self.stages())
            raise AssertionError(
                f"after {seconds:g} s there still run: {still}\n{self.said()}"
            ) from None

    def said(self) -> str:
        """Everything on stderr so far."""
        return Path(self.stderr.name).read_text(errors="replace")

    def __enter__(self) -> Pipe:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bash.poll() is None:
            os.killpg(self.bash.pid, signal.SIGCONT)
            os.killpg(self.bash.pid, signal.SIGKILL)
            self.bash.wait()
        self.stderr.close()


def read_rows(policy: Path) -> list[dict[str, Any]]:
    """The whole lines of metrics.jsonl, without their times."""
    try:
        text = (policy / "metrics.jsonl").read_text()
    except FileNotFoundError:
        return []
    rows = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return [{k: v for k, v in row.items() if k not in TIMES} for row in rows]


def hashes(policy: Path) -> dict[int, str]:
    """A hash of the weights of each complete version; what is half there raises AssertionError."""
    found = {}
    for version in Policy(policy).versions():
        weights = (policy / "versions" / f"{version:06d}" / "model.safetensors").read_bytes()
        found[version] = hashlib.sha256(weights).hexdigest()
    numbered = {int(p.name) for p in (policy / "versions").iterdir() if p.name.isdigit()}
    assert numbered == set(found), f"versions without their marker: {numbered - set(found)}"
    pointed = (policy / "latest").resolve()
    assert int(pointed.name) in found, f"latest points at {pointed}"
    return found


def read_ledger(path: Path) -> dict[int, list[dict[str, Any]]]:
    """version -> the records it wrote, in the order in which they came first.

    A restart may make a record again; it must come out the same, or this raises AssertionError.
    """
    by_version: dict[int, dict[tuple, dict]] = {}
    for line in path.read_bytes().splitlines():
        try:
            note = json.loads(line)
        except ValueError:
            continue  # blank, or cut off by a kill
        there = by_version.setdefault(note["version"], {})
        same = there.setdefault(tuple(note["key"]), note)
        assert same == note, f"made again, {note['key']} of version {note['version']} differs"
    return {version: list(notes.values()) for version, notes in sorted(by_version.items())}


def compare(unbroken: Path, killed: Path, steps: int, lossy: bool = False) -> None:
    """Raise AssertionError unless `killed` trained what `unbroken` did. Both: world folders.

    The policy is called `policy` and the ledger LEDGER in both; `lossy`: whether samples were lost.
    """
    wanted, got = (read_ledger(world / LEDGER) for world in (unbroken, killed))
    for version in range(steps):
        ids, right = ([n["key"] for n in found[version]] for found in (got, wanted))
        assert ids == right, f"step {version + 1} was trained on {ids}, not {right}"
        assert got[version] == wanted[version], f"step {version + 1}: other tokens or rewards"
    trained = [tuple(n["key"]) for v in range(steps) for n in got[v]]
    rows, right_rows = (read_rows(world / "policy") for world in (killed, unbroken))
    lost = sum(row["dropped_incomplete"] for row in rows)
    assert (lost > 0) == lossy
    groups = steps * BATCH + lost
    assert len(trained) == len(set(trained)) == groups * SAMPLES, "a sample twice or lost"
    assert [row["step"] for row in rows] == list(range(1, steps + 1))
    for row, right_row in zip(rows, right_rows, strict=True):
        assert row == right_row, f"step {row['step']}: {row} is not {right_row}"
    versions, right_versions = (hashes(world / "policy") for world in (killed, unbroken))
    assert max(versions) == max(right_versions) == steps
    for version, weights in versions.items():
        assert weights == right_versions[version], f"the weights of version {version} differ"
    meta = Policy(killed / "policy").meta(steps)
    assert (meta["step"], meta["groups_consumed"]) == (steps, groups)


def wait_until(true: Any, seconds: float, what: str) -> None:
    """Poll `true()`; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.005)


def fresh(world: Path, name: str) -> Path:
    """A folder beside `world` where the same command line starts from the same policy."""
    folder = world.parent / name
    folder.mkdir()
    shutil.copytree(world / "start", folder / "policy", symlinks=True)
    shutil.copy(world / "noting.py", folder)
    return folder
