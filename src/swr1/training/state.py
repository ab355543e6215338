"""A training run in a policy folder and its saved state: it can be killed and resumed.

    trainer/000040/state.pt    trained weights (float32) and optimizer state after step 40
    trainer/000040/swr1.json   written last: step, position in the input, version, run, ...

A step ends in this order: the metrics line, then (when due) the state, then (when due) the version. State and
version of a large model are written beside the steps that follow (background.py), in the same order.
After a kill at any point, the newest whole state decides what follows: metrics lines beyond it are
removed, a version that was due and is missing is published, versions that are ahead of it are
retracted, and the input is read from its position on. No random state is stored: every draw derives
from a seed and a step.
"""

import copy
import json
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from swr1.errors import DataError, SwrError, UsageError
from swr1.models import load_state
from swr1.policy import MARKER, Policy, write_marker
from swr1.streams.files import fsync_folder
from swr1.training import engine, parallel
from swr1.training.background import LARGE, Background, copied, size_of
from swr1.training.optimizer import Optimizer
from swr1.training.parallel import ProcessGroup

KEPT_STATES = 2
# How many versions back a run knows the step of each.
KEPT_VERSIONS = 256


def say(message: str) -> None:
    """Print a line for people on stderr."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


class Run:
    """One run of one stage ("sft" or "rl") on a policy.

    Attributes:
        step: optimizer batches done. `base`: the version that the run started from.
        version: the newest version published. `groups_consumed`: over the policy's whole life,
            used or dropped; `groups_dropped`: the latter.
        published: the step that made each version of this run, as far back as KEPT_VERSIONS.
        position: where the stage is in its input, a JSON object.
        remembered: what the markers of versions say beside the run's own facts: `system_prompt`.
        resumed: whether an earlier state was found.
    """

    def __init__(
        self,
        policy: Policy,
        stage: str,
        *,
        fixed: dict[str, Any],
        changeable: dict[str, Any] | None = None,
        metrics: str | Path | None = None,
        keep: int | None = None,
        resume: bool = True,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Find the newest state of this policy, or begin a run at its latest version.

        Args:
            fixed: options that a run cannot change under way (they shape the state).
            changeable: options that it can; `log` gets a line about those that changed.
            keep: how many published versions to keep on disk (None: all).
        """
        self.policy, self.stage, self.keep, self.log = policy, stage, keep, log
        self.ranks = ProcessGroup()
        self.fixed, self.changeable = fixed, changeable or {}
        self.metrics = Path(metrics) if metrics else policy.path / "metrics.jsonl"
        self.folder: Path | None = None
        self.publish_due = False
        self.remembered: dict[str, Any] = {}
        self._writer = Background(False)
        state = self._newest_state() if resume else None
        self.resumed = bool(state and self._adopt(state))
        if not self.resumed:
            self.base = self.version = policy.latest()
            self.id = uuid.uuid4().hex[:12]
            self.step = 0
            self.published = {self.base: 0}
            meta = policy.meta(self.version)
            self.groups_consumed = int(meta.get("groups_consumed", 0))
            self.groups_dropped = int(meta.get("groups_dropped", 0))
            self.position: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        """The attributes without the log and the writer: all other ranks have their own."""
        return {n: value for n, value in vars(self).items() if n not in ("log", "_writer")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _writer=Background(False))

    @property
    def carried(self) -> Path:
        """The folder with what is kept beside the weights: of the state that is continued, or of
        the version that the run starts from."""
        state = self.folder if self.resumed else None
        return (
            state if state and (state / "state.pt").exists() else self.policy.folder(self.version)
        )

    def _states(self) -> list[Path]:
        folder = self.policy.path / "trainer"
        names = sorted(os.listdir(folder)) if folder.is_dir() else []
        return [folder / n for n in names if (folder / n / MARKER).is_file() and n[0] != "."]

    def _newest_state(self) -> dict[str, Any] | None:
        if not (states := self._states()):
            return None
        self.folder = states[-1]
        try:
            return _checked(json.loads((self.folder / MARKER).read_text()))
        except ValueError as error:
            raise DataError(
                f"the trainer's state is broken ({error}); delete that folder to go on from the"
                " state before it",
                str(self.folder / MARKER),
            ) from None

    def _adopt(self, state: dict[str, Any]) -> bool:
        """Continue from `state` if it belongs to the versions on disk and to this stage."""
        latest = self.policy.latest()
        if state["stage"] != self.stage:
            return False
        newer = [v for v in self.policy.versions() if v > state["version"]]
        foreign = [v for v in newer if self.policy.meta(v).get("run") != state["run"]]
        owed = state["publish_due"] and latest == state["version"]
        if foreign or (latest < state["version"]):
            self.log(
                f"the trainer's state is of version {state['version']} but the latest is {latest},"
                f" made by another run: starting a new run from {latest}"
            )
            return False
        for name, value in state["fixed"].items():
            if self.fixed.get(name) != value:
                raise UsageError(
                    f"this run was started with {name.replace('_', '-')} {value}, not"
                    f" {self.fixed.get(name)}; keep it, or start a new run from the latest version"
                    " with --no-resume"
                )
        changed = [
            f"{name.replace('_', '-')} {value} -> {self.changeable[name]}"
            for name, value in state.get("told", {}).items()
            if name in self.changeable and json.loads(json.dumps(self.changeable[name])) != value
        ]
        if changed:
            self.log(
                f"this run continues with other options than it began with: {', '.join(changed)}"
            )
        after = state["version"] + bool(state["publish_due"])
        if latest > after:
            gone = self.policy.retract(after)
            self.log(f"versions {gone} are ahead of the trainer's state and were retracted")
        self.id, self.base, self.step = state["run"], state["base"], state["step"]
        self.groups_consumed, self.position = state["groups_consumed"], state["position"]
        self.groups_dropped = state.get("groups_dropped", 0)
        self.remembered = state.get("remembered", {})
        self.version = state["version"] if owed else after
        self.published = {int(v): n for v, n in state.get("published", {self.base: 0}).items()}
        self.published[self.version] = self._published_step()
        self.publish_due = bool(owed)
        metrics_size = self.metrics.stat().st_size if self.metrics.exists() else 0
        if (
            state["metrics"] == str(self.metrics.absolute())
            and metrics_size > state["metrics_bytes"]
        ):
            os.truncate(self.metrics, state["metrics_bytes"])
        return True

    def start(
        self,
        model: Any,
        optimizer: Optimizer,
        save: Callable[[Path, dict[str, Any]], None],
        beside: Callable[[Path], None] = lambda folder: None,
        beside_state: Callable[[Path], None] = lambda folder: None,
        ranks: ProcessGroup | None = None,
        dtype: torch.dtype | None = None,
        background: bool | None = None,
    ) -> None:
        """Bring model and optimizer to where the run stands, and record a run that begins.

        `save` writes a version with the weights it is given into a folder, `beside` what else belongs to
        it, `beside_state` what belongs to the trainer's state. All ranks call every method; the lead writes.
        `dtype` is that of published weights, if all have it. `background`: whether a step goes on while the one before is
        written; None: where the weights are large (background.LARGE).
        """
        self._model, self._optimizer, self._save = model, optimizer, save
        self._beside, self._beside_state = beside, beside_state
        self._dtype, self.ranks = dtype, ranks or ProcessGroup()
        if background is None:
            background = size_of(model) >= LARGE
        self._writer = Background(background and self.ranks.lead)
        if not self.resumed:
            if self.ranks.lead:
                self._state_writer(begin=True)()
            return
        assert self.folder
        file = self.folder / "state.pt"
        if not file.exists():
            return  # the state of a run's beginning: the base version's weights, no moments
        _restore(file, load_state(file, model.device), model, optimizer)
        if self.publish_due:
            self._write(state=False, version=True)

    def end_step(self, row: dict[str, Any], *, checkpoint: bool, publish: bool) -> dict[str, Any]:
        """Count one step: its metrics line, then its state and its version where due.

        Raises SwrError, and writes nothing, when weights that would be saved are not finite.
        """
        trained = (p for p in self._model.parameters() if p.requires_grad)
        if (checkpoint or publish) and not parallel.finite(trained, self.ranks):
            raise SwrError(
                f"step {self.step + 1} made weights that are not finite; {self.policy.path} stays at"
                f" version {self.version}. Try a lower learning rate or a warm-up"
            )
        self.step += 1
        row = {"step": self.step, "version": self.version + publish, **row}
        if self.ranks.lead:
            self.policy.check_exists()
            self.metrics.parent.mkdir(parents=True, exist_ok=True)
            with open(self.metrics, "a") as file:
                file.write(json.dumps(row) + "\n")
        self.publish_due = publish
        self._write(state=checkpoint, version=publish)
        return row

    def steps_since(self, version: int) -> int:
        """The least number of optimizer steps since `version` was made.

        A version that is too old to be remembered counts as one step older than the one after it.
        """
        oldest = min(self.published)
        step = self.published.get(version, self.published[oldest] - (oldest - version))
        return self.step - step

    def finish(self) -> None:
        """Save and publish what the last steps did, if it is not on disk yet."""
        self.ranks.first(self._writer.wait)
        if self.ranks.first(self._published_step) != self.step:
            self.publish_due = True
            self._write(state=True, version=True)
            self.ranks.first(self._writer.wait)

    def close(self) -> None:
        """Let what is being written come to its end, before the policy's lock is given up."""
        self._writer.close()

    def _published_step(self) -> int:
        meta = self.policy.meta(self.version)
        return int(meta.get("step", 0)) if meta.get("run") == self.id else 0

    def _write(self, *, state: bool, version: bool) -> None:
        """Hand state and version over to be written, in this order, from what they are now."""
        self.ranks.first(self._writer.wait)  # or there would be two copies
        writers = []
        if state:
            writers.append(self._state_writer())
        if version:
            writers.append(self._version_writer())

        def write() -> None:
            for one in writers:
                one()

        if writers:
            self.ranks.first(lambda: self._writer.hand_over(write))

    def _version_writer(self) -> Callable[[], None]:
        """What publishes the present weights, and counts their version."""
        meta = {
            "stage": self.stage,
            "run": self.id,
            "step": self.step,
            "groups_consumed": self.groups_consumed,
            "groups_dropped": self.groups_dropped,
            "from": self.base,
            **self.remembered,
        }
        weights = parallel.whole(engine.plain_state(self._model))
        if self._writer.on:
            weights = copied(weights, self._dtype)
        held = self._held(self._beside)
        number = self.ranks.first(self.policy.next_version)

        def save(folder: Path) -> None:
            self._save(folder, weights)
            held(folder)

        def publish() -> None:
            made = self.policy.publish(save, meta, keep=self.keep, protect={self.base})
            if made != number:
                raise SwrError(
                    f"{self.policy.path} has version {made - 1}, which this run did not publish: does"
                    " another process write it?"
                )

        self.version = number
        self.published[number] = self.step
        if len(self.published) > KEPT_VERSIONS:
            del self.published[min(self.published)]
        self.publish_due = False
        return publish

    def _held(self, write: Callable[[Path], None]) -> Callable[[Path], None]:
        """What puts the files that `write` makes now into a folder later."""
        if not self._writer.on:
            return write
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder))
            files = {file.name: file.read_bytes() for file in Path(folder).iterdir()}

        def put(folder: Path) -> None:
            for name, data in files.items():
                (folder / name).write_bytes(data)

        return put

    def _state_writer(self, begin: bool = False) -> Callable[[], None]:
        """What writes the present state; with `begin` that of a run's beginning: the base version's
        weights, no moments."""
        state = None
        held: Callable[[Path], None] = lambda folder: None  # noqa: E731
        if not begin:
            weights = {n: p.detach() for n, p in self._model.named_parameters() if p.requires_grad}
            state = {"weights": weights, "optimizer": self._optimizer.state_dict()}
            state = parallel.whole(state)
            if self._writer.on:
                state = copied(state)
            if self.ranks.lead:
                held = self._held(self._beside_state)
        marker = self._marker()
        return lambda: self._write_state(state, marker, held)

    def _write_state(
        self,
        state: dict[str, Any] | None,
        marker: dict[str, Any],
        beside: Callable[[Path], None],
    ) -> None:
        folder = self.policy.path / "trainer"
        folder.mkdir(parents=True, exist_ok=True)
        for debris in folder.glob(".tmp-*"):
            shutil.rmtree(debris, ignore_errors=True)
        aside = Path(tempfile.mkdtemp(prefix=".tmp-", dir=folder))
        try:
            aside.chmod(0o755)  # as a version's folder
            if state is not None:
                with open(
                    aside / "state.pt", "wb"
                ) as file:  # so that a full disk is reported as such
                    torch.save(state, file)
                beside(aside)
            write_marker(aside, marker)
        except BaseException:  # a full disk, say: leave room
            shutil.rmtree(aside, ignore_errors=True)
            raise
        # A new run starts again at step 0: the states of the run before go first.
        if state is None:
            for old in self._states():
                _delete(old)
        target = folder / f"{marker['step']:06d}"
        if target.exists():
            _delete(target)
        os.rename(aside, target)
        fsync_folder(folder)
        self.folder = target
        for old in self._states()[:-KEPT_STATES]:
            _delete(old)

    def _marker(self) -> dict[str, Any]:
        size = self.metrics.stat().st_size if self.metrics.exists() else 0
        marker = {
            "stage": self.stage,
            "run": self.id,
            "step": self.step,
            "base": self.base,
            "version": self.version,
            "published": self.published,
            "publish_due": self.publish_due,
            "groups_consumed": self.groups_consumed,
            "groups_dropped": self.groups_dropped,
            "position": self.position,
            "remembered": self.remembered,
            "fixed": self.fixed,
            "told": self.changeable,  # the name in states of earlier versions too
            "metrics": str(self.metrics.absolute()),
            "metrics_bytes": size,
        }
        return copy.deepcopy(marker)


def _delete(state: Path) -> None:
    """A state half deleted must not count: one without state.pt would be that of a run's beginning."""
    aside = state.with_name(f".tmp-{state.name}")
    os.rename(state, aside)
    shutil.rmtree(aside)


# What a state's marker must hold, and as what.
_MARKER = {
    "stage": str,
    "run": str,
    "step": int,
    "base": int,
    "version": int,
    "publish_due": bool,
    "groups_consumed": int,
    "position": dict,
    "fixed": dict,
    "metrics": str,
    "metrics_bytes": int,
}


def _checked(state: Any) -> dict[str, Any]:
    """A marker's content. Raises ValueError where it is not what `_fill` writes."""
    if not isinstance(state, dict):
        raise ValueError("it is no JSON object")
    for name, kind in _MARKER.items():
        if type(state.get(name)) is not kind:
            raise ValueError(f"its {name!r} is missing or of another kind")
    for name in ("told", "published", "remembered"):
        if not isinstance(state.get(name, {}), dict):
            raise ValueError(f"its {name!r} is of another kind")
    return state


def _restore(file: Path, state: Any, model: Any, optimizer: Optimizer) -> None:
    """Restore the model and the optimizer from a state. Raises DataError for a state of another model."""
    weights = dict(model.named_parameters())
    trained = {name for name, p in weights.items() if p.requires_grad}
    try:
        stored = state["weights"]
        if odd := sorted(trained ^ stored.keys()):
            raise ValueError(f"{odd[0]} is in one of them only")
        for name, value in stored.items():
            if value.shape != weights[name].shape:
                raise ValueError(f"{name} is of another size")
        with torch.no_grad():
            for name, value in stored.items():
                weights[name].copy_(parallel.like(value, weights[name]))
        optimizer.load_state_dict(state["optimizer"])
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(
            f"the trainer's state is of another model, or broken ({str(error).splitlines()[0]});"
            " delete that folder to go on from the state before it, or start a new run with"
            " --no-resume",
            str(file),
        ) from None
