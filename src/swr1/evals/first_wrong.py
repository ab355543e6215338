"""Who finds the first wrong step? Verdicts of `verify steps` against planted faults, or one another.

    swr1 verify steps traced.jsonl | swr1 verify steps --set steps.model=runs/prm --as prm |
        swr1 eval --first-wrong planted

The truth is `planted`, the fault that `swr1 trace --wrong` planted (info.trace_fault; a fault of the answer alone
is no wrong step), or a verdict with steps. ProcessBench's figures (arXiv 2412.06559): of the reasonings with
a wrong step the share whose first one is found, of the others the share in which none is, and F1, their
harmonic mean, with a 95% bootstrap by prompt. Where the truth is a verdict, and the judge says how
likely each step is right: accuracy, AUROC, Brier and ECE (10 bins of equal width) over all steps judged by both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from rich.console import RenderableType
from rich.markup import escape

from swr1.errors import UsageError
from swr1.evals.report import as_page, new_table, number, percent, span
from swr1.records import Record, item_of
from swr1.steps import first_wrong_f1, steps_in

PLANTED = "planted"
FIRST_WRONG, OF_TRACE = "first_wrong", "wrong_step"  # in the details of `steps` and of `trace`
BINS = 10
RESAMPLES = 300
Pair = tuple[int | None, int | None]
Found = Mapping[str, Any]


class FirstWrong:
    """What is made of one run's records, one by one. Args: truth: `planted`, or a verdict's name."""

    def __init__(self, truth: str) -> None:
        self._truth = truth
        self._pairs: dict[str, dict[str, list[Pair]]] = defaultdict(lambda: defaultdict(list))
        self._steps: dict[str, list[tuple[float, bool, bool]]] = defaultdict(list)
        self._unjudged: dict[str, int] = defaultdict(int)
        self._unknown: dict[str, int] = defaultdict(int)  # where the truth is null

    def add(self, record: Record) -> None:
        """Raises UsageError for a record without the truth, DataError for steps that are none."""
        verdicts = record.get("verdicts") or {}
        known, true = self._true(record, verdicts)
        for name, verdict in verdicts.items():
            if name == self._truth or not _steps_of(record, name):
                continue
            if not known:
                self._unknown[name] += 1
            elif verdict.get("score") is None:
                self._unjudged[name] += 1
            else:
                pair = (true, verdict["detail"][FIRST_WRONG])
                self._pairs[name][item_of(record["id"])].append(pair)
                if self._truth != PLANTED:
                    self._add_steps(name, _steps_of(record, self._truth), _steps_of(record, name))

    def _true(self, record: Record, verdicts: Mapping[str, Any]) -> tuple[bool, int | None]:
        """Whether the first wrong step is known, and which it is."""
        if self._truth != PLANTED:
            verdict = verdicts.get(self._truth)
            if not isinstance(verdict, dict):
                raise UsageError(f"record {record['id']!r} has no verdict {self._truth!r}")
            detail = verdict.get("detail") or {}
            name = next((n for n in (FIRST_WRONG, OF_TRACE) if n in detail), None)
            if verdict.get("score") is None:
                return False, None
            if name is None:
                raise UsageError(
                    f"record {record['id']!r}: its verdict {self._truth!r} names no first wrong step:"
                    " it is not of `swr1 verify steps` or `swr1 verify trace`"
                )
            return True, detail[name]
        info = record.get("info") or {}
        if "trace_fault" not in info:
            raise UsageError(
                f"record {record['id']!r} has no info.trace_fault: `swr1 trace` plants faults; else"
                " --first-wrong names a verdict"
            )
        fault = info["trace_fault"]
        return True, None if fault is None or fault["kind"] == "answer" else fault["step"]

    def _add_steps(self, name: str, true: Sequence[Found], told: Sequence[Found]) -> None:
        for a, b in zip(true, told, strict=False):
            labels = a.get("label"), b.get("label")
            if all(label in ("right", "wrong") for label in labels):
                score = b.get("score")
                sure = -1.0 if score is None else float(score)
                self._steps[name].append((sure, labels[0] == "right", labels[0] == labels[1]))

    def figures(self) -> dict[str, Any]:
        """Verdict -> first_wrong_f1's figures with `interval`, `prompts`, `unjudged`, `steps`."""
        if not self._pairs:
            raise UsageError("no record has a verdict with steps: `swr1 verify steps` adds one")
        return {
            name: first_wrong_f1([p for pairs in by.values() for p in pairs])
            | {
                "interval": _interval([*by.values()]),
                "prompts": len(by),
                "unjudged": self._unjudged[name],
                "unknown": self._unknown[name],
                "steps": _of_steps(self._steps[name]),
            }
            for name, by in self._pairs.items()
        }


def _steps_of(record: Record, name: str) -> list[dict[str, Any]]:
    detail = (record.get("verdicts") or {}).get(name, {}).get("detail") or {}
    return (steps_in(record, name) or []) if FIRST_WRONG in detail else []


def _interval(by_prompt: Sequence[Sequence[Pair]]) -> list[float] | None:
    """95%, prompts drawn with replacement."""
    rng = Random(0)
    draws = []
    for _ in range(RESAMPLES):
        drawn = rng.choices(by_prompt, k=len(by_prompt))
        f1 = first_wrong_f1([p for pairs in drawn for p in pairs])["f1"]
        draws += [] if f1 is None else [f1]
    draws.sort()
    if not draws:
        return None
    return [draws[int(q * (len(draws) - 1))] for q in (0.025, 0.975)]


def _of_steps(steps: Sequence[tuple[float, bool, bool]]) -> dict[str, Any] | None:
    """Figures over single steps; of how sure the judge is where it says that of all of them."""
    if not steps:
        return None
    made: dict[str, Any] = {
        "n": len(steps),
        "accuracy": sum(agrees for _, _, agrees in steps) / len(steps),
    }
    if min(p for p, _, _ in steps) < 0:
        return made
    import numpy as np

    from swr1.evals.calibration import auroc

    p, right = (np.array([s[k] for s in steps], dtype=float) for k in (0, 1))
    place = np.minimum((p * BINS).astype(int), BINS - 1)
    gaps = np.bincount(place, right - p, minlength=BINS)
    return made | {
        "auroc": auroc(p, right, np.ones(len(p))),
        "brier": float(((p - right) ** 2).mean()),
        "ece": float(np.abs(gaps).sum() / len(p)),
    }


def rows(runs: Mapping[str, Mapping[str, Found]]) -> list[dict[str, Any]]:
    """A row per run and verdict, for CSV."""
    return [
        {"run": run, "verdict": name}
        | {k: v for k, v in found.items() if k not in ("interval", "steps")}
        | dict(zip(("low", "high"), found["interval"] or (None, None), strict=True))
        | {f"steps_{k}": v for k, v in (found["steps"] or {}).items()}
        for run, verdicts in runs.items()
        for name, found in verdicts.items()
    ]


def page(runs: Mapping[str, Mapping[str, Found]], truth: str) -> RenderableType:
    """A row per verdict of each run."""
    table = new_table()
    sure = any(f["steps"] for verdicts in runs.values() for f in verdicts.values())
    for head in ("run", "verdict")[len(runs) < 2 :]:
        table.add_column(head, no_wrap=True)
    heads = ["F1", "95%", "found, of wrong", "none, of right"]
    for head in heads + ["steps right", "AUROC", "ECE"] * sure:
        table.add_column(head, justify="right")
    for run, verdicts in runs.items():
        for name, f in verdicts.items():
            line = [escape(run or "all"), escape(name)][len(runs) < 2 :]
            line += [percent(f["f1"]), span(f["interval"])]
            line += [f"{percent(f['wrong'])} of {f['n_wrong']:,}"]
            line += [f"{percent(f['right'])} of {f['n_right']:,}"]
            if sure:
                steps = f["steps"] or {}
                line += [percent(steps.get("accuracy"))]
                line += [number(steps.get("auroc"), 3), number(steps.get("ece"), 3)]
            table.add_row(*line)
    notes = [
        f"{escape(name)}: {f['unjudged']:,} without a verdict, {f['unknown']:,} without the truth"
        for verdicts in runs.values()
        for name, f in verdicts.items()
        if f["unjudged"] or f["unknown"]
    ]
    return as_page(f"The first wrong step, against {truth}", [table], notes)
