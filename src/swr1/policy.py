"""The policy folder: where a trainer publishes weights and a rollout finds them.

    runs/kk/versions/000000/   a plain Hugging Face model folder with its tokenizer, and a marker
    runs/kk/versions/000001/   `swr1.json`, written last: only a version with its marker counts
    runs/kk/latest             a symlink to the newest version, swapped atomically
    runs/kk/trainer/           the trainer's state, runs/kk/metrics.jsonl its measurements
    runs/kk/.lock              held (flock) by the one process that may publish
    runs/kk/.failed            the error of the newest trainer, if it failed

`groups_consumed` in a version's marker is the trainer's place in its stream: groups taken from it,
used by a step or dropped (incomplete, without signal), over the policy's life; `groups_dropped` are
those of them that no step used. Between versions `Policy.count_dropped` reports further drops to
rollouts, since a group that will not be used must not hold back the prompts that take its place.

A version is written aside, fsynced and renamed, so a reader sees it whole or not at all, and a
publisher killed at any moment leaves the versions before it untouched. Nothing here imports torch:
what a version holds is up to the `save` function that `publish` is given.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from swr1.errors import DataError, SwrError, how_to_make, no_folder
from swr1.streams.files import fsync_folder

MARKER = "swr1.json"
FAILED = ".failed"
# Of a marker: the next version has it too, unless it is told otherwise.
LASTING = ("system_prompt",)


def may_be_on_a_hub(name: str) -> bool:
    """Whether a name may be that of a model on a hub: OWNER/NAME, and no path here.

    It is not one if OWNER is a folder here, or "runs", where policies are kept. A name alone, which
    a hub has for a few old models, is taken for a folder that is not there: to look for it on the
    network takes a minute where that is down.
    """
    owner, slash, model = name.partition("/")
    if name.startswith(("/", ".", "~")) or not (slash and model) or "/" in model:
        return False
    return not (owner == "runs" or Path(owner).is_dir())


def resolve(name: str | Path, served: bool = False) -> Policy | None:
    """The policy folder called `name`, or None for a model or adapter folder or a hub name.

    Args:
        served: any other name is what a server calls its model (None), if it is no path.

    Raises DataError for a path that is neither, and for a folder that is not there.
    """
    if "\0" in str(name):
        raise DataError("a name of a folder or a model holds no NUL", repr(str(name)))
    path = Path(name).expanduser()
    if (path / "versions").is_dir():
        return Policy(path)
    if any((path / file).is_file() for file in ("config.json", "adapter_config.json")):
        return None
    if path.exists():
        raise DataError(
            "neither a policy folder (versions/) nor a model folder (config.json);"
            f" {how_to_make(name)}",
            str(name),
        )
    if not may_be_on_a_hub(str(name)) and not (served and "/" not in str(name)):
        hub = "" if "/" in str(name) else "; a model on the hub is called OWNER/NAME"
        raise DataError(no_folder(name) + hub, str(name))
    return None


def model_folder(name: str | Path, version: int | None = None) -> str:
    """What swr1.models opens for `name`: a version's folder, a model folder or a hub name."""
    policy = resolve(name)
    return str(policy.folder(version)) if policy else str(name)


def recorded(name: Any, near: Iterable[Path] = (Path(),)) -> Iterator[Path]:
    """Folders where the policy that a record names may be, all below one of the folders `near`.

    The name is data, perhaps a stranger's: it must not lead outside of these folders. The root of
    the file system does not count as one.
    """
    if not isinstance(name, str) or not name or "\0" in name or len(name) > 4096:
        return
    recorded_path = Path(name)
    if ".." in recorded_path.parts:
        return
    for base in map(Path.absolute, near):
        if len(base.parts) > 1 and (folder := base / recorded_path).is_relative_to(base):
            yield folder


class Policy:
    """A policy folder, by its path. Every read looks at the disk: another process may publish."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._locked: int | None = None  # inode of the lock file, while this process trains
        self._began = 0  # when the lock was taken, ns: pids come again, in a container every time
        self._plan: int | None = None  # the announced plan, open and locked

    def __repr__(self) -> str:
        return f"Policy({str(self.path)!r})"

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def exists(self) -> bool:
        return (self.path / "versions").is_dir()

    def versions(self) -> list[int]:
        """The complete versions on disk, ascending."""
        return [n for n in self._numbered() if (self._at(n) / MARKER).is_file()]

    def latest(self) -> int:
        """The newest complete version. Raises DataError when there is none."""
        # The folders are read, not the symlink: a publisher may have died between the two renames.
        for number in reversed(self._numbered()):
            if (self._at(number) / MARKER).is_file():
                return number
        if not self.path.exists():
            raise DataError(no_folder(self.path), str(self.path))
        if not self.exists:
            raise DataError(
                f"not a policy folder; make one with: swr1 init-policy {self.path}",
                str(self.path),
            )
        numbers = ", ".join(f"{n:06d}" for n in self._numbered()) or "none"
        raise DataError(
            f"no version has its marker {MARKER} (version folders: {numbers}): the copy or the"
            f" publishing of this policy was cut short. Copy it again, or start over with:"
            f" swr1 init-policy {self.path} --force",
            str(self.path / "versions"),
        )

    def folder(self, version: int | None = None) -> Path:
        """The model folder of a complete version (None: the latest).

        Raises DataError for a version that is not there, whose marker is torn, or that is a link
        out of the policy's folder.
        """
        number = self.latest() if version is None else version
        if not (self._at(number) / MARKER).is_file():
            complete = ", ".join(map(str, self.versions())) or "none"
            raise DataError(
                f"no complete version {number} (there: {complete}); older ones may have been pruned",
                str(self.path),
            )
        if self._at(number).resolve().parent != (self.path / "versions").resolve():
            raise DataError(
                "a version is a folder here, not a link to elsewhere", str(self._at(number))
            )
        self._marker(number)
        return self._at(number)

    def meta(self, version: int | None = None) -> dict[str, Any]:
        """What the marker of a version says: version, step, groups_consumed, created, ..."""
        return self._marker(int(self.folder(version).name))

    def _marker(self, number: int) -> dict[str, Any]:
        marker = self._at(number) / MARKER
        try:
            meta = _read_marker(marker)
        except FileNotFoundError:
            raise DataError(f"version {number} was pruned just now", str(marker)) from None
        for name in ("step", "groups_consumed", "groups_dropped"):
            if type(meta.get(name, 0)) is not int:
                raise DataError(f"the marker's {name!r} is no whole number", str(marker))
        return meta

    def news(self) -> Any:
        """A mark that changes when a version, a drop or a trainer comes; in microseconds."""
        try:
            plan = os.stat(self.path / "trainer" / "plan.json")
            return os.readlink(self.path / "latest"), plan.st_ino, plan.st_mtime_ns
        except OSError:
            return None

    def next_version(self) -> int:
        """The number that `publish` gives next."""
        return max(self._numbered(), default=-1) + 1

    def publish(
        self,
        save: Callable[[Path], None],
        meta: dict[str, Any],
        *,
        keep: int | None = None,
        protect: Collection[int] = (),
    ) -> int:
        """Write the next version and make it the latest; returns its number.

        Args:
            save: writes the model folder at the path it is given (an empty folder).
            meta: goes into the marker, with `version` and `created` added, and what LASTING names
                as the version before has it.
            keep: how many of the newest versions stay (None: all); the latest always stays.
            protect: versions that are never pruned, e.g. the reference of a KL term.
        """
        self.check_exists()
        versions = self.path / "versions"
        versions.mkdir(parents=True, exist_ok=True)
        number = self.next_version()
        complete = self.versions()
        before = self._marker(complete[-1]) if complete else {}
        meta = {name: before[name] for name in LASTING if name in before} | meta
        aside = Path(tempfile.mkdtemp(prefix=".tmp-", dir=versions))
        try:
            aside.chmod(0o755)
            save(aside)
            created = datetime.now(UTC).isoformat(timespec="seconds")
            write_marker(aside, {"version": number, "created": created, **meta})
            os.rename(aside, self._at(number))
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        fsync_folder(versions)
        self._point_latest_at(number)
        if keep is not None:
            self.prune(keep, protect)
        return number

    def prune(self, keep: int, protect: Collection[int] = ()) -> list[int]:
        """Delete all but the `keep` newest versions and the protected ones; returns the deleted."""
        complete = self.versions()
        gone = [n for n in complete[: -max(keep, 1)] if n not in protect]
        for number in gone:
            self._remove(number)
        return gone

    def retract(self, version: int) -> list[int]:
        """Delete every version newer than `version` and make it the latest; returns the deleted.

        For a trainer that resumes from a state older than what it had published.
        """
        self.folder(version)
        gone = [n for n in self._numbered() if n > version]
        self._point_latest_at(version)
        for number in gone:
            self._remove(number)
        return gone

    def announce(
        self,
        batch: int,
        publish_every: int,
        consumed: int,
        before: int,
        dropped: int = 0,
        steps: int | None = None,
    ) -> None:
        """Tell rollouts that follow this policy what the trainer at work does.

        The lock must be held; what is announced counts until it is given up, or this process ends.

        Args:
            batch: groups per step. publish_every: steps between versions.
            consumed: groups that this run took already (used or dropped), when it was resumed.
            before: groups that the policy had taken when the run began.
            dropped: groups dropped in the policy's whole life.
            steps: that the run is to do in all, if that was said; for who looks at a stopped one.
        """
        (self.path / "trainer").mkdir(parents=True, exist_ok=True)
        self._write_plan(
            {
                "batch": batch,
                "publish_every": publish_every,
                "consumed": consumed,
                "before": before,
                "dropped": dropped,
                **({} if steps is None else {"steps": steps}),
            }
        )

    def count_dropped(self, dropped: int) -> None:
        """Tell rollouts at once how many groups were dropped in the policy's life.

        For the trainer that has announced itself, whenever it drops a group. Without it a rollout
        at its `--max-lag` and a trainer whose batch is not full would wait for each other.
        """
        self._write_plan(self.plan() | {"dropped": dropped})

    def groups_taken(self, version: int, plan: dict[str, int]) -> int:
        """Groups of the announced run that steps up to `version` used, or that were dropped.

        Reads the marker first and the drops after it, so that a drop is seen once: what was
        dropped since that version counts too, what later steps used does not.
        """
        meta = self.meta(version)
        now = self.plan()
        dropped = (now if same_trainer(now, plan) else plan).get("dropped", 0)
        since = max(0, dropped - meta.get("groups_dropped", 0))
        return meta.get("groups_consumed", 0) - plan["before"] + since

    def plan(self) -> dict[str, int]:
        """What the newest trainer announced, at work or not; {"pid": 0} when there was none.

        It has `ended`: 1 once that trainer has ended; a trainer that failed does not write that. A
        file that is not in this form counts as none: the next trainer replaces it.
        """
        try:
            return _read_plan((self.path / "trainer" / "plan.json").read_text())
        except (FileNotFoundError, ValueError):
            return {"pid": 0}

    def _write_plan(self, plan: dict[str, int]) -> None:
        """Replace the plan by one that is locked before anybody can read it."""
        self.check_exists()
        aside = self.path / "trainer" / f".plan-{os.getpid()}"
        aside.unlink(missing_ok=True)
        whole = plan | {"pid": os.getpid(), "began": self._began}
        before, self._plan = self._plan, os.open(aside, os.O_RDWR | os.O_CREAT, 0o644)
        os.write(self._plan, json.dumps(whole).encode())
        fcntl.flock(self._plan, fcntl.LOCK_EX)
        os.replace(aside, self.path / "trainer" / "plan.json")
        if before is not None:
            os.close(before)

    def failure(self) -> str | None:
        """ "WHAT: error" of the newest trainer, if it failed; one that was killed has written none."""
        try:
            return (self.path / FAILED).read_text().strip() or None
        except (OSError, ValueError):
            return None

    def announced(self) -> dict[str, int] | None:
        """What the trainer at work announced, None before it did.

        The plan of a trainer that ended or was killed does not count, whoever holds the policy's
        lock now: a plan counts while who wrote it holds the lock on the plan itself.
        """
        file = self.path / "trainer" / "plan.json"
        while True:
            try:
                with open(file) as opened:
                    held, text = _is_held(opened), opened.read()
                    # Replaced while we looked, the old one is let go.
                    if not held and os.fstat(opened.fileno()).st_ino != os.stat(file).st_ino:
                        continue
                plan = _read_plan(text)
            except (FileNotFoundError, ValueError):
                return None
            whole = plan.keys() >= {"batch", "publish_every", "consumed", "before"}
            return plan if held and whole else None

    def holder(self) -> str | None:
        """Who holds the lock, "WHAT (pid N on HOST)"; None when nobody does."""
        try:
            with open(self.path / ".lock") as file:
                if _is_held(file):
                    return file.read().strip() or "another process"
        except FileNotFoundError:
            pass
        return None

    @contextmanager
    def lock(self, what: str = "train-step") -> Iterator[None]:
        """Hold the right to publish. Raises SwrError naming the holder when another has it.

        The kernel frees an flock with its process, so a killed holder blocks nobody.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / ".lock", "a+") as file:
            for delay in (0.05, 0.05, 0.1, 0.3, None):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if delay:  # it may be somebody who looks whether it is held
                        time.sleep(delay)
                        continue
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise SwrError(
                    f"{self.path} is being written by {holder}; wait for it or stop it,"
                    " or train another policy folder"
                ) from None
            file.truncate(0)
            file.write(f"{what} (pid {os.getpid()} on {socket.gethostname()})\n")
            file.flush()
            for debris in (self.path / "versions").glob(".tmp-*"):
                shutil.rmtree(debris, ignore_errors=True)
            if what.startswith("train-step") and self.exists:
                self._locked = os.fstat(file.fileno()).st_ino
            trains = what.startswith("train-step") and self.exists
            if trains:
                (self.path / FAILED).unlink(missing_ok=True)
            self._began = time.time_ns()
            try:
                yield
                if (self.path / "trainer").is_dir():
                    self._write_plan(self.plan() | {"ended": 1})
            except Exception as error:
                cause = system_error(error)
                if cause:
                    time.sleep(0.2)  # if it is being deleted right now
                self.check_exists()  # of all that fails in a folder that is gone, this is the cause
                if trains:
                    with suppress(OSError):
                        text = " ".join(str(cause or error).split()) or type(error).__name__
                        (self.path / FAILED).write_text(f"{what}: {text[:500]}\n")
                raise cause or error from None
            finally:
                self._locked = None
                if self._plan is not None:
                    os.close(self._plan)
                    self._plan = None

    def check_exists(self) -> None:
        """Raise SwrError if the folder whose lock a trainer holds was deleted or moved away.

        A publisher must not make the folder again: it would begin without its first versions.
        """
        if self._locked is None:
            return
        try:
            same = os.stat(self.path / ".lock").st_ino == self._locked
        except FileNotFoundError:
            same = False
        if not same or not self.exists:
            raise self.vanished()

    def vanished(self) -> SwrError:
        """The error to raise when the folder is gone."""
        return SwrError(f"the policy folder {self.path} vanished: it was deleted or moved away")

    def _numbered(self) -> list[int]:
        try:
            names = os.listdir(self.path / "versions")
        except (FileNotFoundError, NotADirectoryError, ValueError):  # no folder, or no name of one
            return []
        # As they are written: other spellings of a number would name another folder.
        return sorted(int(n) for n in names if n.isascii() and n.isdigit() and n == f"{int(n):06d}")

    def _at(self, version: int) -> Path:
        return self.path / "versions" / f"{version:06d}"

    def _remove(self, version: int) -> None:
        # Renamed first: a version half deleted must not look complete.
        aside = self.path / "versions" / f".tmp-removed-{version:06d}"
        shutil.rmtree(aside, ignore_errors=True)
        os.rename(self._at(version), aside)
        shutil.rmtree(aside, ignore_errors=True)

    def _point_latest_at(self, version: int) -> None:
        aside = self.path / f".latest-{os.getpid()}"
        aside.unlink(missing_ok=True)
        aside.symlink_to(f"versions/{version:06d}")
        os.replace(aside, self.path / "latest")
        fsync_folder(self.path)


def same_trainer(one: dict[str, int], other: dict[str, int]) -> bool:
    """Whether two plans are of one start of one trainer."""
    return all(one.get(name) == other.get(name) for name in ("pid", "began"))


def _read_plan(text: str) -> dict[str, int]:
    """Raises ValueError for what is no plan."""
    plan = json.loads(text)
    if not isinstance(plan, dict) or "pid" not in plan or {*map(type, plan.values())} != {int}:
        raise ValueError("not a plan")
    return plan


def _is_held(file: Any) -> bool:
    """Whether another process has locked the open file (flock)."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def marker_of(folder: str | Path) -> dict[str, Any]:
    """What the marker in a model folder says; empty for a folder or a hub name without one.

    Raises DataError for a marker that is no JSON object.
    """
    try:
        return _read_marker(Path(folder) / MARKER)
    except OSError:
        return {}


def _read_marker(file: Path) -> dict[str, Any]:
    try:
        meta = json.loads(file.read_text())
    except ValueError as error:
        raise DataError(f"the marker is not JSON ({error})", str(file)) from None
    if not isinstance(meta, dict):
        raise DataError("the marker is not a JSON object", str(file))
    return meta


def write_marker(folder: Path, meta: dict[str, Any]) -> None:
    """Make what `folder` holds durable, then write its marker file, durable too."""
    for file in folder.rglob("*"):
        if file.is_file():
            with open(file, "rb") as handle:
                os.fsync(handle.fileno())
    with open(folder / MARKER, "w") as handle:
        json.dump(meta, handle, indent=1)
        handle.write("\n")
        handle.flush()
        os.fsync(handle.fileno())
    fsync_folder(folder)


def system_error(error: BaseException) -> OSError | None:
    """The OSError (a full disk, say) that `error` comes from, if it does.

    safetensors gives its number in a text only, torch raises errors of its own on top of it.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            return cause
        if number := re.search(r"\(os error (\d+)\)", str(cause)):
            return OSError(int(number[1]), os.strerror(int(number[1])))
        cause = cause.__cause__ or cause.__context__
    return None
