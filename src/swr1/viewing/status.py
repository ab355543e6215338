"""What a run is doing, as far as its folders and this machine's processes show it.

    report = inspect("runs/kk")     # policies, outputs, stages, errors: plain data, as for --json
    print_report(report, console())

It reads only, and never waits. An output's state is one of: `done` (its marker is there), `running`
(a process here has its journal FILE.part open), `recent` (no process here has, but it was written
to within two minutes: perhaps another machine's), `stopped` (a journal that nobody writes), `owed`.
"""

from __future__ import annotations

import fnmatch
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import DataError, SwrError, UsageError, no_folder
from swr1.policy import Policy
from swr1.streams.markers import read_plan
from swr1.streams.metrics import MetricsReader
from swr1.streams.reading import SUFFIXES, shard_name
from swr1.viewing.curves import with_speed
from swr1.viewing.processes import Process, age, running

RECENT = 120.0  # seconds without a write after which a journal that nobody here has open is stopped
DEPTH = 3  # folders below the given one
LOGS = ("*.log", "*.out", "*.err")
_ERROR = re.compile(r"^swr1(?: [\w-]+)?: error: .*", re.MULTILINE)


def inspect(name: str | Path) -> dict[str, Any]:
    """Everything known about a policy folder, a shard folder, a run folder or one output file.

    Returns {"path", "policies", "outputs", "stages", "errors"}, each of the last four a list.
    Raises UsageError for what does not exist, DataError for what is none of these.
    """
    path = Path(name)
    if not path.exists() and not Path(f"{path}.part").exists():
        missing = "no such file" if str(name).endswith(SUFFIXES) else no_folder(name)
        raise UsageError(f"{name}: {missing}")
    processes = running()
    policies: list[dict] = []
    outputs: list[dict] = []
    errors: list[dict] = []
    if path.is_dir():
        for kind, below in _walk(path, DEPTH):
            if kind == "policy":
                policies.append(_policy(below, processes))
            elif kind == "log":
                errors += _last_error(below)
            else:
                outputs.append((_shards if kind == "shards" else _file)(below, processes))
    elif path.name.endswith(SUFFIXES):
        outputs.append(_file(path, processes))
    if not policies and not outputs:
        raise DataError(
            "neither a policy folder (versions/), nor a shard folder (plan.json), nor a folder that"
            " holds these or finished outputs (FILE.meta.json)",
            str(name),
        )
    seeds = {pid for thing in policies + outputs for pid in thing["pids"]}
    groups = {p.group for p in processes if p.pid in seeds}
    stages = [
        {"pid": p.pid, "stage": p.stage, "seconds": round(p.seconds), "command": " ".join(p.words)}
        for p in processes
        if p.group in groups
    ]
    errors.sort(key=lambda e: e["age_s"])
    return {
        "path": str(path),
        "policies": policies,
        "outputs": sorted(outputs, key=lambda o: o["path"]),
        "stages": stages,
        "errors": errors[:3],
    }


def _walk(folder: Path, depth: int) -> Iterator[tuple[str, Path]]:
    """("policy" | "shards" | "file" | "log", path) of all below `folder`."""
    if (folder / "versions").is_dir():
        yield "policy", folder
        return
    if _is_shard_folder(folder):
        yield "shards", folder
        yield from (("log", p) for p in sorted(folder.iterdir()) if _is_log(p))
        return
    names = set(os.listdir(folder))
    for name in sorted(names):
        path = folder / name
        if path.is_dir():
            if depth and not name.startswith(".") and not path.is_symlink():
                yield from _walk(path, depth - 1)
        elif _is_log(path):
            yield "log", path
        elif name.endswith(SUFFIXES) and f"{name}.meta.json" in names:
            yield "file", path
        elif name.endswith(".part") and name.removesuffix(".part").endswith(SUFFIXES):
            whole = path.with_suffix("")
            if not (whole.name in names and f"{whole.name}.meta.json" in names):
                yield "file", whole


def _is_shard_folder(folder: Path) -> bool:
    try:
        plan = read_plan(folder)
    except DataError:
        return False  # somebody else's plan.json
    return plan is not None


def _is_log(path: Path) -> bool:
    return any(fnmatch.fnmatch(path.name, pattern) for pattern in LOGS)


def _policy(folder: Path, processes: list[Process]) -> dict[str, Any]:
    policy = Policy(folder)
    versions = policy.versions()
    latest = versions[-1] if versions else None
    meta: dict[str, Any] = {}
    trouble = None
    if latest is not None:
        try:
            meta = policy.meta(latest)
        except (SwrError, OSError) as error:
            trouble = str(error)
    reader = MetricsReader(folder / "metrics.jsonl")
    reader.poll()
    rows = with_speed(reader.rows())
    plan = policy.announced()
    holder = _holder(policy)
    step = rows[-1].get("step") if rows else meta.get("step")
    failure = None if holder else policy.failure()
    stopped = _stopped(policy.plan(), step) if not holder and versions else None
    pids = [p.pid for p in processes if p.names(folder)]
    if holder and holder["here"] and holder["pid"] not in pids:
        pids.append(holder["pid"])
    return {
        "path": str(folder),
        "state": "training"
        if holder
        else "failed"
        if failure
        else "stopped"
        if stopped
        else "idle"
        if versions
        else "empty",
        "version": latest,
        "versions": versions,
        "version_age_s": _rounded(age(folder / "versions" / f"{latest:06d}" / "swr1.json"))
        if latest is not None
        else None,
        "step": step,
        "steps": stopped,
        "groups_consumed": meta.get("groups_consumed"),
        "trainer": holder,
        "batch": plan["batch"] if plan else None,
        "publish_every": plan["publish_every"] if plan else None,
        "last": rows[-1] if rows else None,
        "metrics_age_s": _rounded(age(folder / "metrics.jsonl")),
        "failure": failure,
        "trouble": trouble,
        "pids": sorted(pids),
    }


def _stopped(plan: dict[str, int], step: Any) -> int | None:
    """The steps that an RL run was to do, if its process is gone before that; else None.

    The plan says so: a trainer that comes to its end writes `ended`. One that took over later, such as sft,
    ends too.
    """
    steps = plan.get("steps")
    if steps is None or "ended" in plan or not isinstance(step, int) or step >= steps:
        return None
    return steps


def _holder(policy: Policy) -> dict[str, Any] | None:
    """Who holds the lock of the one trainer, None when nobody does."""
    text = policy.holder()
    if text is None:
        return None
    match = re.fullmatch(r"(.*) \(pid (\d+) on (.*)\)", text)
    if not match:
        return {"what": text, "pid": None, "host": None, "here": False}
    what, pid, host = match.groups()
    return {"what": what, "pid": int(pid), "host": host, "here": host == socket.gethostname()}


def _state(path: Path, processes: list[Process]) -> tuple[str, float | None, list[int]]:
    """(state, seconds since it was written to, pids that write it) of one output file."""
    part = path.with_name(f"{path.name}.part")
    if path.exists() and path.with_name(f"{path.name}.meta.json").exists():
        return "done", age(path), []
    # The journal stays open while it is converted; then the file is there and its marker is not.
    real = {part.resolve(), path.resolve()}
    pids = [p.pid for p in processes if real & p.files]
    silent = age(part) if part.exists() else age(path)
    if pids:
        return "running", silent, pids
    if silent is None:
        return "owed", None, []
    return ("recent" if silent < RECENT else "stopped"), silent, []


def _meta(path: Path) -> dict[str, Any]:
    for name in (f"{path.name}.meta.json", f"{path.name}.part.meta.json"):
        try:
            meta = orjson.loads(path.with_name(name).read_bytes())
        except (OSError, orjson.JSONDecodeError):
            continue
        if isinstance(meta, dict):
            drops = meta.get("drops")
            return {
                "stage": _text(meta.get("stage")),
                "records": meta.get("records") if type(meta.get("records")) is int else None,
                "drops": drops if isinstance(drops, dict) else {},
            }
    return {}


def _file(path: Path, processes: list[Process]) -> dict[str, Any]:
    state, silent, pids = _state(path, processes)
    meta = _meta(path)
    return {
        "path": str(path),
        "kind": "file",
        "stage": meta.get("stage"),
        "state": state,
        "records": meta.get("records"),
        "drops": meta.get("drops") or {},
        "age_s": _rounded(silent),
        "pids": pids,
    }


def _shards(folder: Path, processes: list[Process]) -> dict[str, Any]:
    plan = read_plan(folder) or {}
    n = plan["shards"]
    by_state: dict[str, list[int]] = {
        s: [] for s in ("done", "running", "recent", "stopped", "owed")
    }
    records, pids = 0, []
    drops: dict[str, int] = {}
    ages = []
    for index in range(n):
        path = folder / shard_name(index, n)
        state, silent, writers = _state(path, processes)
        by_state[state].append(index)
        pids += writers
        if silent is not None:
            ages.append(silent)
        if state == "done":
            meta = _meta(path)
            records += meta.get("records") or 0
            for reason, count in (meta.get("drops") or {}).items():
                drops[reason] = drops.get(reason, 0) + (count if type(count) is int else 0)
    order = ("running", "recent", "stopped", "owed", "done")
    return {
        "path": str(folder),
        "kind": "shards",
        "stage": _text(plan.get("stage")),
        "state": next((s for s in order if by_state[s]), "done"),
        "shards": n,
        **by_state,
        "records": records,
        "drops": drops,
        "age_s": _rounded(min(ages, default=None)),
        "pids": pids,
    }


def _last_error(log: Path) -> list[dict[str, Any]]:
    """The last error that a stage wrote into a log file, if any stands in its last 64 KB."""
    try:
        with open(log, "rb") as file:
            file.seek(max(file.seek(0, 2) - 2**16, 0))
            messages = _ERROR.findall(file.read().decode(errors="replace"))
    except OSError:
        return []
    return (
        [{"where": str(log), "error": messages[-1], "age_s": _rounded(age(log))}]
        if messages
        else []
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
