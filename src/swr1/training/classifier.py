"""Models that judge, trained on records: a guard, a reward model, a process model.

    config = GuardConfig(start="Qwen/Qwen3-0.6B", balance=True)
    train_guard(records, Policy("runs/guard"), config)
    train_reward_model(records, Policy("runs/rm"), RewardModelConfig(start="runs/kk"))

All three minimise a cross-entropy: of a label per completion, of the better one of a pair
(Bradley-Terry is the softmax over two scores), or of right and wrong at the end of each reasoning
step (process_model.py). So they share everything but the reading of records. A part of the prompts is held out; every
published version carries the figures on them, the temperature fitted to them, and a model card.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from swr1.errors import DataError, UsageError
from swr1.policy import Policy, model_folder
from swr1.prompts import assistant_text
from swr1.records import Record, item_of
from swr1.streams.reading import read
from swr1.training import engine, heads, parallel
from swr1.training.card import model_card
from swr1.training.config import (
    GuardConfig,
    JudgeConfig,
    RewardModelConfig,
)
from swr1.training.heads import Item
from swr1.training.held_out import across_sources, is_held_out, measure, measure_pairs
from swr1.training.pairs import pairs
from swr1.training.passes import STRETCH, Data, Passes, Teaching, digest

ReadItems = Callable[[Iterable[Record], Any, Counter[str]], Iterator[Item]]


class Task(NamedTuple):
    """What differs between the three: how records become items (given a tokenizer and the counter
    of dropped records), the labels, and options that not all have.

    `graded`: each label is a dimension of its own, in which an item has a number from 0 to 1, or NaN.
    `figures`: (labels, items, logits) -> figures. `facts`: what else the card of a version says.
    """

    stage: str
    read: ReadItems
    labels: list[str]
    what: str  # for the model card
    balance: bool = False
    split_by: str = "id"
    calibration: Sequence[str] = ()
    prompt_tokens: int | None = None
    graded: bool = False
    figures: Callable[..., dict[str, Any]] | None = None
    facts: Callable[[], dict[str, Any]] = dict


def train_guard(
    records: Iterable[Record], policy: Policy, config: GuardConfig | None = None, **hooks: Any
) -> dict[str, Any]:
    """Train a classifier of completions: which of the labels is it, to this prompt?

    Of a longer prompt only the first and the last half of `prompt_tokens` are read, now and by all
    who use the guard. `hooks`: metrics, log and on_step, as in train_rl.

    Returns a summary: steps, version, items, held_out (its figures, or None), dropped. Raises
    DataError for a record without a completion or with another label (naming it), and when a label
    never occurs; UsageError for impossible options. Records without the field `label` are left out
    and counted.
    """
    config = config or GuardConfig()
    number = {name: i for i, name in enumerate(config.labels)}

    def items(records: Iterable[Record], tokenizer: Any, dropped: Counter[str]) -> Iterator[Item]:
        for record in records:
            label = _at(record, config.label or "info.label")
            if label is None and not config.label:
                label = record.get("answer")
            if label is None and config.label:
                # A judge that gave several labels had none of this kind.
                dropped[f"no {config.label}"] += 1
                continue
            if label not in number or not record.get("completion"):
                what = f"its label is {label!r}, not one of {', '.join(config.labels)}"
                what = "it has no completion to judge" if label in number else what
                location = getattr(record, "location", None)
                raise DataError(f"record {record['id']!r}: {what}", location)
            ids = heads.encode(tokenizer, record["prompt"], assistant_text(record))
            origin = ""
            if config.sources:
                origin = split_key(record, config.sources, "name its source")
            label_of = torch.tensor([number[label]])
            yield Item(split_key(record, config.split_by), [ids], label_of, source=origin)

    field = config.label or "info.label or answer"
    task = Task(
        "guard",
        items,
        list(config.labels),
        f"the label of each completion, from the field {field}",
        config.balance,
        config.split_by,
        config.calibration,
        config.prompt_tokens,
    )
    return train_judge(records, policy, task, config, **hooks)


def train_reward_model(
    records: Iterable[Record],
    policy: Policy,
    config: RewardModelConfig | None = None,
    **hooks: Any,
) -> dict[str, Any]:
    """Train a scalar score of completions on pairs (pairs.py says which records give them).

    Bradley-Terry: -log sigmoid(score of the better - score of the worse), as in InstructGPT, arXiv
    2203.02155, eq. 1. Hooks, summary and errors are as in `train_guard`; `margin` as in `pairs`.
    """
    config = config or RewardModelConfig()

    def items(records: Iterable[Record], tokenizer: Any, dropped: Counter[str]) -> Iterator[Item]:
        for name, better, worse in pairs(records, dropped, config.margin):
            sides = [
                heads.encode(tokenizer, r["prompt"], assistant_text(r)) for r in (better, worse)
            ]
            yield Item(name, sides, torch.zeros(1, dtype=torch.long))

    what = "which of two completions of a prompt is the better"
    task = Task("reward-model", items, ["reward"], what, prompt_tokens=config.prompt_tokens)
    return train_judge(records, policy, task, config, **hooks)


def train_judge(
    records: Iterable[Record], policy: Policy, task: Task, config: JudgeConfig, **hooks: Any
) -> dict[str, Any]:
    """Train any of the three."""
    if parallel.launched() > 1:
        raise UsageError(f"train-step {task.stage} is one process: start it without a launcher")
    if task.prompt_tokens is not None and 0 != task.prompt_tokens < 8:
        raise UsageError("prompt-tokens must leave 8 tokens of a prompt or more, or 0: no prompt")
    passes = Passes(config, **hooks)
    trainer = _Trainer(policy, task, config, passes)
    with policy.lock(f"train-step {task.stage}"):
        if config.start is not None and not policy.versions():
            trainer.publish_start(config.start)
        trainer.tokenizer = heads.open_tokenizer(policy.folder(), task.prompt_tokens)
        trainer.read(records)
        data = trainer.data
        summary = passes.train(
            policy,
            task.stage,
            Data(
                [item.padded for item in data],
                digest(
                    *([*x.sequences, x.labels, *([] if x.at is None else [x.at])] for x in data)
                ),
            ),
            Teaching(
                load=trainer.open_model,
                learn=trainer.learn,
                save=trainer.save,
                prepare=lambda model, _: heads.train_head(model),
                measure=trainer.measure,
            ),
            fixed={"labels": ",".join(task.labels), "balance": task.balance},
            stretch=STRETCH if config.batch_tokens else 1,
        )
        facts = json.loads((policy.folder() / heads.CARD).read_text())
    return summary | {
        "items": len(data),
        "held_out": facts["held_out"],
        "dropped": dict(trainer.dropped),
    }


class _Trainer:
    """One judge's data, loss, figures on what is held out, and model card."""

    tokenizer: Any

    def __init__(self, policy: Policy, task: Task, config: JudgeConfig, passes: Passes) -> None:
        self.policy, self.task, self.config, self.passes = policy, task, config, passes
        self.share = config.held_out_share
        self.dropped: Counter[str] = Counter()
        self.measured: dict[str, Any] = {}  # for the version that is published next

    def open_model(self, folder: Path) -> Any:
        return heads.open_model(
            folder,
            self.task.labels,
            self.tokenizer,
            self.passes.device,
            tokens=self.task.stage == "process-model",
            new_head=True,
            seed=self.config.seed,
        )

    def publish_start(self, start: str) -> None:
        """Version 0: the model that this judge begins with, with a new head."""
        origin = model_folder(start)
        self.tokenizer = heads.open_tokenizer(origin, self.task.prompt_tokens)
        model = self.open_model(Path(origin))
        self.policy.publish(
            lambda f: engine.save_model(model, self.tokenizer, f, self.passes.dtype),
            {"step": 0, "groups_consumed": 0, "stage": self.task.stage, "from": start},
        )

    def read(self, records: Iterable[Record]) -> None:
        """Split the records into `data` and what is held out, `aside`; counts and weights of labels.

        Raises DataError and UsageError where there is nothing to learn, or a label or a source is
        missing.
        """
        task, dropped = self.task, self.dropped
        self.limit = self.config.max_length or engine.context_length(self.policy.folder())
        data: list[Item] = []
        aside: list[Item] = []
        for item in task.read(records, self.tokenizer, dropped):
            out = is_held_out(item.key, self.share or 0.0) or item.source in task.calibration
            (aside if out else data).append(item)
        if self.share is None:
            held_out = (r for r, _ in read([str(self.config.held_out)]) if isinstance(r, dict))
            aside += task.read(held_out, self.tokenizer, dropped)
        self.data, self.aside = (
            [x for x in some if _fits(x, self.limit, dropped)] for some in (data, aside)
        )
        for reason, n in dropped.items():
            self.passes.log(f"{n} records dropped: {reason}")
        self.counts = [_count(some, task.labels) for some in (self.data, self.aside)]
        if not self.data:
            raise DataError("nothing to train on: all records were dropped or held out")
        _check(self.counts, task.labels, task.stage)
        if absent := set(task.calibration) - {item.source for item in self.aside}:
            raise UsageError(f"no record comes from {', '.join(sorted(absent))}, to calibrate on")
        self.weights = torch.ones(max(len(task.labels), 2))
        if task.balance:
            n = torch.tensor([self.counts[0][name] for name in task.labels], dtype=torch.float32)
            self.weights = n.sum() / (len(n) * n)

    def learn(self, model: Any, chosen: list[int]) -> tuple[float, dict[str, Any]]:
        """The (weighted) mean over the labels of the step."""
        some, weights = [self.data[i] for i in chosen], self.weights
        if self.task.graded:
            total = float(sum((~item.labels.isnan()).sum() for item in some))
        else:
            total = float(sum(weights[item.labels].sum() for item in some))
        loss, right, count = 0.0, 0, 0
        for cut in engine.micro_batches([item.padded for item in some], self.passes.micro_tokens):
            logits = heads.forward(model, [some[i] for i in cut], self.passes.dtype)
            y = torch.cat([some[i].labels for i in cut]).to(logits.device)
            if self.task.graded:
                known = ~y.isnan()
                logits, y = logits[known], y[known]
                sum_ = binary_cross_entropy_with_logits(logits, y, reduction="sum")
                right += int(((logits >= 0) == (y >= 0.5)).sum())
            else:
                sum_ = cross_entropy(logits, y, weights.to(logits.device), reduction="sum")
                right += int((logits.argmax(-1) == y).sum())
            part = sum_ / total
            part.backward()
            loss += float(part.detach())
            count += len(y)
        return loss, {"items": len(some), "labels": count, "accuracy": right / count}

    def measure(self, model: Any) -> dict[str, Any]:
        """The figures on what is held out; kept for the version that is published next."""
        task, measured = self.task, self.measured
        measured.clear()
        if self.aside:
            logits = heads.all_logits(
                model, self.aside, self.passes.micro_tokens, self.passes.dtype
            )
            measured.update((task.figures or _figures)(task.labels, self.aside, logits))
            if self.aside[0].source:
                y = np.concatenate([item.labels.numpy() for item in self.aside])
                origins = [item.source for item in self.aside]
                rows = np.concatenate(logits)
                measured.update(across_sources(rows, y, origins, task.calibration))
        names = ("accuracy", "macro_f1", "auroc", "log_loss", "ece", "temperature")
        told = {name: measured[name] for name in names if name in measured}
        return {f"held_out_{name}": x for name, x in told.items() if not isinstance(x, list)}

    def save(self, model: Any, folder: Path, plain: dict[str, torch.Tensor]) -> None:
        """A version: weights, tokenizer, facts (heads.CARD) and the model card."""
        task, config, measured = self.task, self.config, self.measured
        if not measured:
            self.measure(model)
        split = config.held_out
        if self.share is not None:
            split = f"{self.share:g} by hash of {task.split_by}"
        facts = {
            "stage": task.stage,
            "labels": task.labels,
            "temperature": measured.get("temperature"),
            "offsets": measured.get("offsets"),
            **({"threshold": measured["threshold"]} if "threshold" in measured else {}),
            "start": _origin(self.policy),
            "learned": task.what,
            "max_length": self.limit,
            "prompt_tokens": self.tokenizer.prompt_tokens,
            "balance": task.balance,
            "split": split,
            "trained_on": self.counts[0] | {"items": len(self.data)},
            "held_out_of": self.counts[1] | {"items": len(self.aside)},
            "sources": Counter(item.source for item in self.data if item.source) or None,
            "dropped": dict(self.dropped),
            "held_out": dict(measured) or None,
            **task.facts(),
        }
        engine.save_model(model, self.tokenizer, folder, self.passes.dtype, plain)
        (folder / heads.CARD).write_text(json.dumps(facts, indent=1) + "\n")
        (folder / "README.md").write_text(
            model_card(facts, encoder=heads.is_encoder(self.tokenizer))
        )
        measured.clear()


def _figures(labels: list[str], items: list[Item], logits: list[np.ndarray]) -> dict[str, Any]:
    if len(labels) == 1:  # a reward model
        chosen, rejected = np.concatenate(logits).T
        return measure_pairs(chosen, rejected, [item.key for item in items])
    y = [item.labels.numpy() for item in items]
    keys = [item.key for item in items for _ in item.labels]
    return measure(np.concatenate(logits), np.concatenate(y), keys, labels)


def _origin(policy: Policy) -> str:
    """The origin of the oldest version on disk, which always stays."""
    oldest = policy.versions()[0]
    origin = policy.meta(oldest).get("from")
    return origin if isinstance(origin, str) else f"version {oldest} of {policy.path.name}"


def split_key(record: Record, fields: str, what: str = "split by") -> str:
    """The value that decides the side of a split, as text: of the first of the fields (with commas)
    that the record has.

    Raises DataError for a record that has none of them.
    """
    for field in fields.split(","):
        value = _at(record, field.strip())
        if value is not None:
            return item_of(str(value)) if field.strip() == "id" else str(value)
    raise DataError(
        f"record {record['id']!r} has no {fields!r} to {what}", getattr(record, "location", None)
    )


def _at(record: Any, field: str) -> Any:
    for name in field.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return record


def _fits(item: Item, limit: int, dropped: Counter[str]) -> bool:
    if max(map(len, item.sequences)) > limit:
        dropped[f"longer than {limit} tokens"] += 1
        return False
    if not len(item.labels):
        dropped["without a labelled step"] += 1
        return False
    return True


def _count(items: list[Item], labels: list[str]) -> dict[str, int]:
    """The number of each label; of pairs, nothing."""
    if items and items[0].labels.is_floating_point():
        known = sum((~item.labels.isnan()).sum(0) for item in items)
        return dict(zip(labels, map(int, known), strict=True))
    if len(labels) == 1:
        return {}
    y = Counter(int(k) for item in items for k in item.labels)
    return {name: y[i] for i, name in enumerate(labels)}


def _check(counts: list[dict[str, int]], labels: list[str], stage: str) -> None:
    missing = [name for name, n in counts[0].items() if not n]
    if missing:
        raise DataError(
            f"no record to train on is labelled {' or '.join(missing)}"
            + ("; name the labels that there are with --labels" if stage == "guard" else "")
        )
