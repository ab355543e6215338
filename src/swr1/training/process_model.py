"""A model that judges reasoning steps: right or wrong, or how good in several dimensions.

    train_process_model(records, Policy("runs/prm"), ProcessModelConfig(start="runs/kk"))

It reads at the last token of each step. With `dimensions` it learns a number from 0 to 1 in each of them
(a sigmoid each, cross-entropy to the soft label; what is not known has no loss), without them the two
classes right and wrong. Its folder says by which rule steps were split; others are refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch

from swr1.errors import DataError
from swr1.policy import Policy
from swr1.records import Record
from swr1.training import heads
from swr1.training.classifier import Task, split_key, train_judge
from swr1.training.config import ProcessModelConfig
from swr1.training.heads import RIGHT, WRONG, Item
from swr1.training.held_out import measure, softmax
from swr1.training.step_figures import first_wrong, found_first_wrong, measure_dimensions
from swr1.training.steps import VALUES, Labelled, labelled_steps


def train_process_model(
    records: Iterable[Record],
    policy: Policy,
    config: ProcessModelConfig | None = None,
    **hooks: Any,
) -> dict[str, Any]:
    """Train a score of reasoning steps: at the last token of each, is it right?

    steps.py says which records have labelled steps. Sources: "Let's verify step by step", arXiv
    2305.20050; soft labels: Math-Shepherd, arXiv 2312.08935. Hooks, summary and errors are as in
    `train_guard`; DataError for records whose steps are of different rules.
    """
    config = config or ProcessModelConfig()
    names = list(config.dimensions)
    rules = _Rules(policy)
    verdict = config.steps_from or (VALUES if names else "")

    def items(records: Iterable[Record], tokenizer: Any, dropped: Counter[str]) -> Iterator[Item]:
        for record in records:
            try:
                found = labelled_steps(record, verdict)
                if isinstance(found, str):
                    dropped[found] += 1
                    continue
                rules.add(found.rule)
                ids, at = heads.encode_ends(tokenizer, record["prompt"], found.turn, found.ends)
            except DataError as error:
                location = getattr(record, "location", None)
                raise DataError(f"record {record['id']!r}: {error.reason}", location) from None
            kept, labels = (_graded(found, names)) if names else _right(found)
            yield Item(split_key(record, config.split_by), [ids], labels, at[kept])

    what = "whether each step of a reasoning trace is right or wrong"
    if names:
        what = f"how good each step of a reasoning trace is, in {', '.join(names)}"
    task = Task(
        "process-model",
        items,
        names or [WRONG, RIGHT],
        what,
        config.balance,
        config.split_by,
        graded=bool(names),
        figures=_dimension_figures if names else _figures,
        facts=lambda: {"rule": rules.rule} | ({"dimensions": names} if names else {}),
    )
    return train_judge(records, policy, task, config, **hooks)


class _Rules:
    """The one step rule of all records, and of the folder's earlier versions."""

    def __init__(self, policy: Policy) -> None:
        self.rule: str | None = None
        self.some = False
        self.whose = "other records"
        card = policy.folder() / heads.CARD if policy.versions() else None
        facts = json.loads(card.read_text()) if card and card.exists() else {}
        if "rule" in facts:
            self.rule, self.some, self.whose = facts["rule"], True, str(policy.path)

    def add(self, rule: str | None) -> None:
        """Raises DataError for another rule than that of the records before."""
        if self.some and rule != self.rule:
            raise DataError(
                f"its steps are split by the rule {rule or '(unknown)'}, those of {self.whose} by"
                f" {self.rule or '(unknown)'}; a process model reads steps of one rule"
            )
        self.rule, self.some = rule, True


def _right(found: Labelled) -> tuple[list[int], torch.Tensor]:
    kept = [k for k, ok in enumerate(found.right) if ok is not None]
    return kept, torch.tensor([int(bool(found.right[k])) for k in kept], dtype=torch.long)


def _graded(found: Labelled, names: list[str]) -> tuple[list[int], torch.Tensor]:
    """The steps that are worth something in some dimension, and what: [n, D] with NaN."""
    rows = [[_number(values.get(name)) for name in names] for values in found.values]
    kept = [k for k, row in enumerate(rows) if not np.isnan(row).all()]
    return kept, torch.tensor([rows[k] for k in kept]).view(len(kept), len(names))


def _number(value: Any) -> float:
    if value is None:
        return np.nan
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise DataError(f"a step's value is from 0 to 1, not {value!r}")
    return float(value)


def _figures(labels: list[str], items: list[Item], logits: list[np.ndarray]) -> dict[str, Any]:
    y = [item.labels.numpy() for item in items]
    keys = [item.key for item in items for _ in item.labels]
    figures = measure(np.concatenate(logits), np.concatenate(y), keys, labels)
    p = [softmax(table, figures["temperature"])[:, 1] for table in logits]
    true = [first_wrong(labels == 1) for labels in y]
    return figures | found_first_wrong(p, true, [item.key for item in items])


def _dimension_figures(
    labels: list[str], items: list[Item], logits: list[np.ndarray]
) -> dict[str, Any]:
    values = [item.labels.double().numpy() for item in items]
    return measure_dimensions(logits, values, [item.key for item in items], labels)
