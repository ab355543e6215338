"""Models that judge, trained on records: a guard, a reward model, a process model.

    train_guard(records, Policy("runs/guard"), start="Qwen/Qwen3-0.6B", balance=True)
    train_reward_model(records, Policy("runs/rm"), start="runs/kk")
    train_process_model(records, Policy("runs/prm"), start="runs/kk")

All three minimise a cross-entropy: of a label per completion, of the better one of a pair
(Bradley-Terry is the softmax over two scores), or of right and wrong at the end of each reasoning
step. So they share everything but the reading of records. A part of the prompts is held out; every
published version carries the figures on them, the temperature fitted to them, and a model card.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from swr1.errors import DataError, UsageError
from swr1.policy import Policy, model_folder
from swr1.prompts import assistant_text
from swr1.records import Record, item_of
from swr1.streams.reading import read
from swr1.training import engine, heads, parallel
from swr1.training.card import model_card
from swr1.training.heads import RIGHT, WRONG, Item
from swr1.training.held_out import across_sources, is_held_out, measure, measure_pairs
from swr1.training.pairs import pairs
from swr1.training.passes import STRETCH, Passes, digest
from swr1.training.steps import labelled_steps

GUARD_LABELS = ("safe", "unsafe", "needless-refusal")


def train_guard(
    records: Iterable[Record],
    policy: Policy,
    *,
    labels: Sequence[str] = GUARD_LABELS,
    label: str | None = None,
    balance: bool = False,
    start: str | None = None,
    held_out: float | str = 0.1,
    split_by: str = "id",
    sources: str | None = None,
    calibrate_on: str = "",
    max_length: int | None = None,
    prompt_tokens: int | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Train a classifier of completions: which of `labels` is it, to this prompt?

    Args:
        labels: the classes. label: the field that says it, dots reach inwards; None: `info.label`,
            or else `answer`.
        balance: weigh each label by the inverse of its frequency.
        start: for a policy folder that is not there: the model it begins with (a model or policy
            folder, or a hub name).
        held_out: the share of prompts that is measured on, or a file of records for it.
        split_by: what is kept on one side of the split, a field; of several, with commas, the first
            that a record has.
        sources: the field that says where a record comes from, as in `split_by`: the figures are told
            for each source, and a threshold is fitted in which all weigh the same (held_out.py).
        calibrate_on: values of that field, with commas. What comes from there is not learned from: temperature and
            threshold are fitted to it alone.
        max_length: longer sequences are left out (None: the model's own limit).
        prompt_tokens: of a longer prompt only the first and the last half of so many tokens are
            read, now and by whoever uses the guard; 0: none of any prompt (None: as the folder did
            before, or all).
        options: the fields of Passes; the learning rate defaults to 2e-5.

    Returns a summary: steps, version, items, held_out (its figures, or None), dropped. Raises
    DataError for a record without a completion or with another label (naming it), and when a label
    never occurs; UsageError for impossible options. Records without the field `label` are left out
    and counted.
    """
    others = [name.strip() for name in calibrate_on.split(",") if name.strip()]
    if others and not sources:
        raise UsageError(
            "calibrate-on needs --sources: the field that says where a record comes from"
        )
    if len(set(labels)) < 2 or len(set(labels)) < len(labels):
        raise UsageError("a guard needs at least two labels, all different")
    number = {name: i for i, name in enumerate(labels)}

    def items(records: Iterable[Record], tokenizer: Any, dropped: Counter[str]) -> Iterator[Item]:
        for record in records:
            found = _label_of(record, label)
            if found is None and label:
                dropped[f"no {label}"] += (
                    1  # a judge that gave several labels had none of this kind
                )
                continue
            if found not in number or not record.get("completion"):
                raise DataError(
                    f"record {record['id']!r}: "
                    + (
                        f"its label is {found!r}, not one of {', '.join(labels)}"
                        if found not in number
                        else "it has no completion to judge"
                    ),
                    getattr(record, "where", None),
                )
            ids = heads.encode(tokenizer, record["prompt"], assistant_text(record))
            origin = split_key(record, sources, "tell its source by") if sources else ""
            label_of = torch.tensor([number[found]])
            yield Item(split_key(record, split_by), [ids], label_of, source=origin)

    what = f"the label of each completion, from the field {label or 'info.label or answer'}"
    return _train(
        records, policy, "guard", items, list(labels), what=what, balance=balance, start=start,
        held_out=held_out, split_by=split_by, calibrate_on=others, max_length=max_length,
        prompt_tokens=prompt_tokens, options=options,
    )  # fmt: skip


def train_reward_model(
    records: Iterable[Record],
    policy: Policy,
    *,
    margin: float = 0.0,
    start: str | None = None,
    held_out: float | str = 0.1,
    max_length: int | None = None,
    prompt_tokens: int | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Train a scalar score of completions on pairs (pairs.py says which records give them).

    Bradley-Terry: -log sigmoid(score of the better - score of the worse), as in InstructGPT, arXiv
    2203.02155, eq. 1. Options, summary and errors are as in `train_guard`; `margin` as in `pairs`.
    """

    def items(records: Iterable[Record], tokenizer: Any, dropped: Counter[str]) -> Iterator[Item]:
        for name, better, worse in pairs(records, dropped, margin):
            sides = [
                heads.encode(tokenizer, r["prompt"], assistant_text(r)) for r in (better, worse)
            ]
            yield Item(name, sides, torch.zeros(1, dtype=torch.long))

    return _train(
        records, policy, "reward-model", items, ["reward"], what="which of two completions of a prompt is the better",
        start=start, held_out=held_out, max_length=max_length, prompt_tokens=prompt_tokens,
        options=options,
    )  # fmt: skip


def train_process_model(
    records: Iterable[Record],
    policy: Policy,
    *,
    balance: bool = False,
    start: str | None = None,
    held_out: float | str = 0.1,
    split_by: str = "id",
    max_length: int | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Train a score of reasoning steps: at the last token of each, is it wrong or right?

    steps.py says which records have labelled steps. Source: "Let's verify step by step", arXiv
    2305.20050. Options, summary and errors are as in `train_guard`.
    """

    def items(records: Iterable[Record], tokenizer: Any, dropped: Counter[str]) -> Iterator[Item]:
        for record in records:
            found = labelled_steps(record)
            if isinstance(found, str):
                dropped[found] += 1
                continue
            turn, steps, right = found
            try:
                ids, ends = heads.encode_steps(tokenizer, record["prompt"], turn, steps)
            except DataError as error:
                where = getattr(record, "where", None)
                raise DataError(f"record {record['id']!r}: {error.reason}", where) from None
            judged = [k for k, ok in enumerate(right) if ok is not None]
            values = torch.tensor([int(bool(right[k])) for k in judged], dtype=torch.long)
            yield Item(split_key(record, split_by), [ids], values, ends[judged])

    return _train(
        records, policy, "process-model", items, [WRONG, RIGHT], what="whether each step of a reasoning trace is right or wrong",
        balance=balance, start=start, held_out=held_out, split_by=split_by, max_length=max_length,
        options=options,
    )  # fmt: skip


def _train(
    records: Iterable[Record],
    policy: Policy,
    stage: str,
    read_items: Callable[[Iterable[Record], Any, Counter[str]], Iterator[Item]],
    labels: list[str],
    *,
    what: str,
    balance: bool = False,
    start: str | None,
    held_out: float | str,
    split_by: str = "id",
    calibrate_on: Sequence[str] = (),
    max_length: int | None,
    prompt_tokens: int | None = None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """What the three have in common."""
    if parallel.launched() > 1:
        raise UsageError(f"train-step {stage} is one process: start it without a launcher")
    if prompt_tokens is not None and 0 != prompt_tokens < 8:
        raise UsageError("prompt-tokens must leave 8 tokens of a prompt or more, or 0: no prompt")
    passes = Passes(**{"lr": 2e-5} | options)
    share = _share(held_out)
    dropped: Counter[str] = Counter()

    def open_model(folder: Path) -> Any:
        return heads.open_model(
            folder,
            labels,
            tokenizer,
            passes.where,
            tokens=stage == "process-model",
            new_head=True,
            seed=passes.seed,
        )

    with policy.lock(f"train-step {stage}"):
        if start is not None and not policy.versions():
            origin = model_folder(start)
            tokenizer = heads.open_tokenizer(origin, prompt_tokens)
            model = open_model(Path(origin))
            policy.publish(
                lambda f: engine.save_model(model, tokenizer, f, passes.compute),
                {"step": 0, "groups_consumed": 0, "stage": stage, "from": start},
            )
            del model
        folder = policy.folder()
        tokenizer = heads.open_tokenizer(folder, prompt_tokens)
        limit = max_length or engine.context_length(folder)
        data: list[Item] = []
        aside: list[Item] = []
        for item in read_items(records, tokenizer, dropped):
            out = is_held_out(item.key, share or 0.0) or item.source in calibrate_on
            (aside if out else data).append(item)
        if share is None:
            aside += read_items(_records_of(str(held_out)), tokenizer, dropped)
        data, aside = ([x for x in some if _fits(x, limit, dropped)] for some in (data, aside))
        for reason, n in dropped.items():
            passes.log(f"{n} records dropped: {reason}")
        counts = [_count(some, labels) for some in (data, aside)]
        if not data:
            raise DataError("nothing to train on: all records were dropped or held out")
        _check(counts, labels, stage)
        if absent := set(calibrate_on) - {item.source for item in aside}:
            raise UsageError(f"no record comes from {', '.join(sorted(absent))}, to calibrate on")
        weights = torch.ones(max(len(labels), 2))
        if balance:
            n = torch.tensor([counts[0][name] for name in labels], dtype=torch.float32)
            weights = n.sum() / (len(n) * n)

        def learn(model: Any, chosen: list[int]) -> tuple[float, dict[str, Any]]:
            """The (weighted) mean over the labels of the step."""
            some = [data[i] for i in chosen]
            total = float(sum(weights[item.labels].sum() for item in some))
            loss, right, count = 0.0, 0, 0
            for cut in engine.micro_batches([item.padded for item in some], passes.micro_tokens):
                logits = heads.forward(model, [some[i] for i in cut], passes.compute)
                y = torch.cat([some[i].labels for i in cut]).to(logits.device)
                part = cross_entropy(logits, y, weights.to(logits.device), reduction="sum") / total
                part.backward()
                loss += float(part.detach())
                right += int((logits.argmax(-1) == y).sum())
                count += len(y)
            return loss, {"items": len(some), "labels": count, "accuracy": right / count}

        measured: dict[str, Any] = {}

        def look(model: Any) -> dict[str, Any]:
            """The figures on what is held out; kept for the version that is published next."""
            measured.clear()
            if aside:
                logits = heads.all_logits(model, aside, passes.micro_tokens, passes.compute)
                measured.update(_figures(stage, labels, aside, logits))
                if aside[0].source:
                    y = np.concatenate([item.labels.numpy() for item in aside])
                    origins = [item.source for item in aside]
                    rows = np.concatenate(logits)
                    measured.update(across_sources(rows, y, origins, calibrate_on))
            told = ("accuracy", "macro_f1", "auroc", "log_loss", "ece", "temperature")
            return {f"held_out_{name}": measured[name] for name in told if name in measured}

        def save(model: Any, folder: Path, plain: dict[str, torch.Tensor]) -> None:
            if not measured:
                look(model)
            facts = {
                "stage": stage,
                "labels": labels,
                "temperature": measured.get("temperature"),
                "offsets": measured.get("offsets"),
                "start": _origin(policy),
                "learned": what,
                "max_length": limit,
                "prompt_tokens": tokenizer.prompt_tokens,
                "balance": balance,
                "split": held_out if share is None else f"{share:g} by hash of {split_by}",
                "trained_on": counts[0] | {"items": len(data)},
                "held_out_of": counts[1] | {"items": len(aside)},
                "sources": Counter(item.source for item in data if item.source) or None,
                "dropped": dict(dropped),
                "held_out": dict(measured) or None,
            }
            engine.save_model(model, tokenizer, folder, passes.compute, plain)
            (folder / heads.CARD).write_text(json.dumps(facts, indent=1) + "\n")
            (folder / "README.md").write_text(
                model_card(facts, encoder=heads.is_encoder(tokenizer))
            )
            measured.clear()

        summary = passes.train(
            policy,
            stage,
            [item.padded for item in data],
            digest(*([*x.sequences, x.labels, *([] if x.at is None else [x.at])] for x in data)),
            load=open_model,
            prepare=lambda model, _: heads.train_head(model),
            learn=learn,
            measure=look,
            save=save,
            fixed={"labels": ",".join(labels), "balance": balance},
            stretch=STRETCH if passes.batch_tokens else 1,
        )
        facts = json.loads((policy.folder() / heads.CARD).read_text())
    return summary | {
        "items": len(data),
        "held_out": facts["held_out"],
        "dropped": dict(dropped),
    }


def _figures(
    stage: str, labels: list[str], items: list[Item], logits: list[np.ndarray]
) -> dict[str, Any]:
    if stage == "reward-model":
        chosen, rejected = np.concatenate(logits).T
        return measure_pairs(chosen, rejected, [item.key for item in items])
    y = [item.labels.numpy() for item in items]
    keys = [item.key for item in items for _ in item.labels]
    found = measure(np.concatenate(logits), np.concatenate(y), keys, labels)
    if stage == "process-model":
        # The first label 0, "wrong", or none, is where it should be.
        firsts = [(a == 0).argmax() if (a == 0).any() else -1 for a in y]
        guesses = [(b.argmax(-1) == 0) for b in logits]
        told = [g.argmax() if g.any() else -1 for g in guesses]
        found["first_error"] = float(np.mean([a == b for a, b in zip(firsts, told, strict=True)]))
    return found


def _origin(policy: Policy) -> str:
    """What the oldest version on disk was made from: that of the run's beginning always stays."""
    oldest = policy.versions()[0]
    origin = policy.meta(oldest).get("from")
    return origin if isinstance(origin, str) else f"version {oldest} of {policy.path.name}"


def _share(held_out: float | str) -> float | None:
    """The share that is held out; None where `held_out` names a file."""
    try:
        share = float(held_out)
    except ValueError:
        return None
    if not 0 <= share < 1:
        raise UsageError(f"held-out is a share of the prompts, 0 <= share < 1, not {share:g}")
    return share


def _records_of(file: str) -> Iterator[Record]:
    def fail(where: str, reason: str, raw: Any) -> None:
        raise DataError(reason, where)

    return (record for record, _ in read([file], on_bad=fail) if isinstance(record, dict))


def split_key(record: Record, fields: str, what: str = "split by") -> str:
    """What the split goes by, as text: the first of the fields (with commas) that the record has.

    Raises DataError for a record that has none of them.
    """
    for field in fields.split(","):
        value = _at(record, field.strip())
        if value is not None:
            return item_of(str(value)) if field.strip() == "id" else str(value)
    raise DataError(
        f"record {record['id']!r} has no {fields!r} to {what}", getattr(record, "where", None)
    )


def _label_of(record: Record, field: str | None) -> Any:
    if field is not None:
        return _at(record, field)
    found = _at(record, "info.label")
    return record.get("answer") if found is None else found


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
    """How many there are of each label; of pairs, nothing."""
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
