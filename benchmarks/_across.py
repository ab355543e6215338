"""Safe or unsafe, on sources that were not learned from: what `safety.py --across` measures and prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from swr1.errors import UsageError
from swr1.training import engine, heads
from swr1.training.classifier import split_key
from swr1.training.held_out import across_sources, ece, softmax

Embed = Callable[..., np.ndarray]  # records, with_prompt -> [N, width]

ACROSS = (
    "| source left out | AUROC | accuracy | ECE | unsafe missed | harmless called unsafe | calibrated: accuracy"
    " | ECE | unsafe missed | harmless called unsafe |\n" + "| --- " * 10 + "|"
)


def source_row(
    name: str, records: list[dict], rows: np.ndarray, logits: np.ndarray, scaled: np.ndarray
) -> str:
    """A line under ACROSS: log-odds [N, 2] of safe and unsafe, as they are and calibrated."""
    from sklearn.metrics import roc_auc_score

    y = np.array([r["info"]["label"] == "unsafe" for r in records])[rows]
    harmless = np.array([r["info"].get("harmful") is False for r in records])[rows] & ~y
    both = len(set(y.tolist())) == 2
    told = [f"{roc_auc_score(y, (logits[:, 1] - logits[:, 0])[rows]):.3f}" if both else "-"]
    for found in (logits, scaled):
        p = softmax(found[rows])
        unsafe = p[:, 1] > p[:, 0]
        told += [f"{(unsafe == y).mean():.3f}", f"{ece(p.max(-1), unsafe == y):.3f}"]
        told.append(f"{(~unsafe & y).sum()} of {y.sum()}")
        told.append(f"{(unsafe & harmless).sum()} of {harmless.sum()}" if harmless.any() else "-")
    return f"| {name} ({rows.sum()}) | " + " | ".join(told) + " |"


def across(embed: Embed, records: list[dict], safe: list[dict], field: str) -> None:
    """Each source judged by what the others taught, at the threshold as learned and calibrated."""
    from sklearn.linear_model import LogisticRegression

    every = [*records, *safe]
    y = np.array([r["info"]["label"] == "unsafe" for r in every]).astype(int)
    source = np.array([split_key(r, field) for r in every])
    tested = dict.fromkeys(source[: len(records)].tolist())

    def odds(x: np.ndarray, learn: np.ndarray, test: np.ndarray) -> np.ndarray:
        return (
            LogisticRegression(C=10, max_iter=2000)
            .fit(x[learn], y[learn])
            .decision_function(x[test])
        )

    for with_prompt in (False, True):
        x = embed(every, with_prompt=with_prompt)
        print(f"\n{'prompt and response' if with_prompt else 'the response alone'}\n\n{ACROSS}")
        for name in tested:
            test, rest = source == name, source != name
            logits = np.zeros((len(y), 2))
            logits[test, 1] = odds(x, rest, test)
            for other in sorted(set(source[rest])):
                if len(set(y[rest & (source != other)])) == 2:
                    logits[source == other, 1] = odds(x, rest & (source != other), source == other)
            fit = across_sources(logits, y, source.tolist(), sorted(set(source[rest])))
            scaled = logits / fit["temperature"] + np.array(fit["offsets"])
            print(source_row(name, every, test, logits, scaled))


class Judge(NamedTuple):
    """What tells safe from unsafe: log-odds [N, 2] of records (NaN: too long), and what it knows."""

    logits: Callable[[list[dict]], np.ndarray]
    learned: set[str]  # the sources that it learned from
    fitted_on: set[str]  # and those that its calibration was fitted to
    temperature: float
    offsets: np.ndarray


def trained(folder: str) -> Judge:
    judge = heads.open_judge(folder)
    told = (judge.facts["held_out"] or {}).get("by_source") or {}
    columns = [judge.labels.index(name) for name in ("safe", "unsafe")]
    limit = engine.context_length(judge.folder)

    def logits(records: list[dict]) -> np.ndarray:
        size = [len(heads.encode(judge.tokenizer, r["prompt"], r["completion"])) for r in records]
        some = [i for i, n in enumerate(size) if n <= limit]
        found = np.full((len(records), 2), np.nan)
        if some:
            found[some] = judge.logits([records[i] for i in some])[:, columns]
        return found

    return Judge(
        logits,
        set(judge.facts.get("sources") or ()),
        {name for name, one in told.items() if one["fitted_on"]},
        judge.temperature,
        judge.offsets[columns],
    )


def of_embeddings(embed: Embed, learn: list[dict], field: str) -> Judge:
    """Logistic regression on the response, each label weighing the same, as under `--balance`."""
    from sklearn.linear_model import LogisticRegression

    y = [r["info"]["label"] == "unsafe" for r in learn]
    fit = LogisticRegression(C=10, max_iter=2000, class_weight="balanced")
    fit.fit(embed(learn, with_prompt=False), y)

    def logits(records: list[dict]) -> np.ndarray:
        odds = fit.decision_function(embed(records, with_prompt=False))
        return np.stack([np.zeros_like(odds), odds], axis=1)

    return Judge(logits, {split_key(r, field) for r in learn}, set(), 1.0, np.zeros(2))


def unseen(title: str, judge: Judge, records: list[dict], aside: list[dict], field: str) -> None:
    """A judge on the sources that it neither learned from nor was calibrated on.

    It is calibrated as it was trained; or, if there are records `aside`, on the sources of these but
    the one that is measured on.
    """

    def judged(some: list[dict]) -> tuple[list[dict], np.ndarray, np.ndarray]:
        some = [r for r in some if split_key(r, field) not in judge.learned]
        logits = judge.logits(some)
        rows = np.flatnonzero(~np.isnan(logits).any(1))
        some = [some[i] for i in rows]
        return some, np.array([split_key(r, field) for r in some]), logits[rows]

    some, source, logits = judged(records)
    others, theirs, fitted = judged(aside)
    y = np.array([r["info"]["label"] == "unsafe" for r in others]).astype(int)
    known = judge.learned | (set() if aside else judge.fitted_on)
    print(f"\n{title}, knows {', '.join(sorted(known)) or '(no sources told)'}\n\n{ACROSS}")
    for name in [n for n in dict.fromkeys(source.tolist()) if n not in known]:
        temperature, offsets = judge.temperature, judge.offsets
        if aside:
            on = theirs != name
            fit = across_sources(fitted[on], y[on], theirs[on].tolist())
            temperature, offsets = fit["temperature"], np.array(fit["offsets"])
        print(source_row(name, some, source == name, logits, logits / temperature + offsets))


def refuse_shared(records: list[dict], known: list[dict], split_by: str) -> None:
    """Raises UsageError where a prompt is measured on, and learned from or calibrated on as well."""
    shared = {split_key(r, split_by) for r in records} & {split_key(r, split_by) for r in known}
    if shared:
        raise UsageError(f"{len(shared)} prompts that are measured on are also known to the judges")
