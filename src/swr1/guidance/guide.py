"""A guide: which verifiers score a step, how their scores are weighed, and which are too low.

    title = "Right by rule, and safe whatever else"
    rule = "line"                         # what ends a step

    [score.right]                         # a dimension, named as you like
    verifier = "steps"                    # as `swr1 verify` names it
    settings = ["steps.rule=line"]        # as --set takes them
    read = "mean"                         # last, mean or min of the judged steps; else `score`

    [score.safe]
    verifier = "safety"
    model = { guard = "Qwen3Guard-Gen-8B", url = "http://gpu1:8000/v1" }

    [[route]]                             # the first that holds; the last may have no `when`
    when = { task = "safety" }            # paths into the record: task, info.kind, verdicts.safety.label
    weights = { safe = 0.8, right = 0.2 }
    [[route]]
    weights = { right = 1 }

    [floor]
    safe = 0.5                            # a candidate below it is out, whatever else it scores

A score is from 0 to 1. One that is null counts as the middle (NEUTRAL) and its weight goes to the
other dimensions; where all are null, the first candidate is taken. So guidance that knows nothing
changes nothing.
"""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from swr1.errors import UsageError
from swr1.records import Record
from swr1.registry import suggest
from swr1.steps import StepRule

NEUTRAL = 0.5
READS = ("score", "last", "mean", "min")
_KNOWN = {"title", "source", "rule", "score", "route", "floor"}
_Refuse = Callable[[str], UsageError]


@dataclass(frozen=True)
class Dimension:
    """One score: the verdict of a verifier, and what of it is read."""

    name: str
    verifier: str
    settings: tuple[str, ...]
    model: Mapping[str, str]
    read: str


@dataclass(frozen=True)
class Guide:
    """What scores a step. routes: (conditions, weights by dimension), of which the first holds."""

    name: str
    rule: StepRule
    dimensions: tuple[Dimension, ...]
    routes: tuple[tuple[Mapping[str, Any], Mapping[str, float]], ...]
    floor: Mapping[str, float]

    @property
    def digest(self) -> str:
        """Names what the guide says."""
        said = (str(self.rule), self.dimensions, self.routes, self.floor)
        return hashlib.blake2b(repr(said).encode(), digest_size=8).hexdigest()

    def weights(self, record: Record) -> Mapping[str, float]:
        """The weights of the dimensions for a record."""
        for when, weights in self.routes:
            if all(_holds(_at(record, path), value) for path, value in when.items()):
                return weights
        return {d.name: 1.0 for d in self.dimensions}

    def score(self, values: Mapping[str, float | None], weights: Mapping[str, float]) -> float:
        """One number from 0 to 1; NEUTRAL where nothing that counts is known."""
        known = [(w, v) for n, w in weights.items() if w > 0 and (v := values.get(n)) is not None]
        total = sum(weight for weight, _ in known)
        return sum(weight * value for weight, value in known) / total if total else NEUTRAL

    def is_out(self, values: Mapping[str, float | None]) -> bool:
        """Whether a score is below the floor."""
        return any(v is not None and v < self.floor.get(n, 0) for n, v in values.items())


def load_guide(name_or_file: str) -> Guide:
    """A guide of the package, or of a TOML file. Raises UsageError for what is none."""
    names = guide_names()
    try:
        if name_or_file in names:
            file = resources.files("swr1.data") / "guides" / f"{name_or_file}.toml"
            text = file.read_text(encoding="utf-8")
        else:
            text = Path(name_or_file).read_text(encoding="utf-8")
        return _guide(name_or_file, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the guide {name_or_file}: {error}") from None
    except RecursionError:
        raise UsageError(f"the guide {name_or_file}: its lists are nested too deep") from None
    except (OSError, ValueError) as error:  # ValueError: no text, or no name of a file
        raise UsageError(
            f"no guide named {name_or_file!r}.{suggest(name_or_file, names)} Known:"
            f" {', '.join(names)}; or a TOML file ({error})"
        ) from None


def guide_names() -> list[str]:
    """The guides that come with the package."""
    files = (resources.files("swr1.data") / "guides").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def _guide(name: str, found: dict[str, Any]) -> Guide:
    def refuse(what: str) -> UsageError:
        return UsageError(f"the guide {name}: {what}")

    for key in found:
        if key not in _KNOWN:
            raise refuse(f"it has no {key!r}.{suggest(key, sorted(_KNOWN))}")
    scores = found.get("score")
    if not isinstance(scores, dict) or not scores:
        raise refuse("a table [score.NAME] with `verifier` is missing")
    dimensions = tuple(_dimension(title, row, refuse) for title, row in scores.items())
    names = {d.name for d in dimensions}
    rows = found.get("route", [])
    if not _list_of(rows, dict) or not all(isinstance(row.get("when", {}), dict) for row in rows):
        raise refuse(
            'a route is [[route]] with `weights`, and `when = { task = "safety" }` or none'
        )
    routes = tuple(
        (row.get("when", {}), _numbers(row.get("weights"), names, "weights", refuse))
        for row in rows
    )
    floor = _numbers(found.get("floor", {}), names, "[floor]", refuse)
    if any(lowest > 1 for lowest in floor.values()):
        raise refuse("[floor] is from 0 to 1, as scores are")
    rule = found.get("rule", "line")
    if not isinstance(rule, str):
        raise refuse(f'`rule` says what ends a step, such as "line", not {rule!r}')
    return Guide(name, StepRule.of(rule), dimensions, routes, floor)


def _dimension(title: str, row: Any, refuse: _Refuse) -> Dimension:
    where = f"[score.{title}]" if title.isprintable() else f"[score.{title!r}]"
    if not isinstance(row, dict) or not isinstance(row.get("verifier"), str):
        raise refuse(f"{where} needs `verifier`, a name of `swr1 verify --list`")
    if extra := set(row) - {"verifier", "settings", "model", "read"}:
        raise refuse(f"{where} has no {min(extra)!r}")
    read = row.get("read", "score")
    if read not in READS:
        raise refuse(f"{where}: read is {', '.join(READS)}, not {read!r}")
    settings, model = row.get("settings", []), row.get("model", {})
    if not _list_of(settings, str):
        raise refuse(f'{where}: settings are a list of texts, such as ["steps.rule=line"]')
    if not isinstance(model, dict) or not _list_of(list(model.values()), str):
        raise refuse(f'{where}: model is a table of texts, such as {{ guard = "runs/guard" }}')
    return Dimension(title, row["verifier"], tuple(settings), model, read)


def _list_of(found: Any, each: type) -> bool:
    return isinstance(found, list) and all(isinstance(one, each) for one in found)


def _numbers(found: Any, names: set[str], what: str, refuse: _Refuse) -> dict[str, float]:
    good = isinstance(found, dict) and all(
        isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v < math.inf
        for v in found.values()
    )
    if not good:
        raise refuse(
            f"{what} has a number of at least 0 for each dimension, such as {{ right = 1 }}"
        )
    for name in found:
        if name not in names:
            raise refuse(f"{what} names {name!r}, which is no [score.NAME].{suggest(name, names)}")
    return dict(found)


def _at(record: Any, path: str) -> Any:
    for part in path.split("."):
        record = record.get(part) if isinstance(record, Mapping) else None
    return record


def _holds(found: Any, wanted: Any) -> bool:
    return found in wanted if isinstance(wanted, list) else found == wanted
