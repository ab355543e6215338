"""Supervised fine-tuning on records: the completion's tokens are predicted, the prompt's are given.

    train_sft(records, Policy("runs/kk"), system=..., prefill="<think>", lr=3e-3, steps=1500)

The target is the record's completion (the ones above a reward, if asked: rejection sampling), or
else its trace. The prompt is rendered exactly as a rollout renders it, so what RL starts from is
what SFT trained. Records are read whole into memory as token arrays; the order of batches derives
from the seed alone, so a killed run continues with the very batches it would have seen.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from swr1.errors import DataError, SwrError, UsageError
from swr1.policy import Policy
from swr1.prompts import render
from swr1.training import engine
from swr1.training.engine import Example
from swr1.training.rl import say
from swr1.training.state import Run

# Batches of like length are cut from shuffled stretches of so many batches.
STRETCH = 50


def train_sft(
    records: Iterable[dict],
    policy: Policy,
    *,
    system: str | None = None,
    prefill: str = "",
    reward_at_least: float | None = None,
    batch: int = 32,
    batch_tokens: int | None = None,
    epochs: float = 1,
    steps: int | None = None,
    lr: float = 1e-3,
    warmup: int = 0,
    schedule: str = "constant",
    optimizer: str = "adamw",
    weight_decay: float = 0.0,
    max_grad_norm: float | None = 1.0,
    micro_tokens: int = 16_384,
    max_length: int | None = None,
    dtype: str = "float32",
    device: str = "auto",
    lora_r: int = 0,
    lora_alpha: float | None = None,
    gradient_checkpointing: bool = False,
    publish_every: int | None = None,
    checkpoint_every: int | None = None,
    keep: int | None = 3,
    metrics: str | Path | None = None,
    resume: bool = True,
    seed: int = 0,
    log: Callable[[str], None] = say,
    on_step: Callable[[dict], None] | None = None,
) -> dict[str, Any]:
    """Train `policy` to write the targets of `records`.

    Args:
        system, prefill: what the rollouts will put around the prompt (swr1.prompts.render). A
            target that opens with the prefill loses it: the prompt has it already.
        reward_at_least: only records with a completion and at least this reward.
        batch: sequences per step; batch_tokens: instead, as many as fit in so many tokens.
        epochs: passes over the data, may be a fraction; steps: instead, a number of steps.
        lr, warmup, schedule: as in engine.Schedule. optimizer: "adamw" or "muon".
        max_length: longer sequences are left out and counted (None: the model's own limit).
        publish_every: steps between versions (None: at the end only).
        checkpoint_every: steps between trainer states (None: about every twentieth of the run).
        The rest is as in swr1.training.rl.train_rl.

    Returns a summary: steps, version, sequences, tokens, dropped (by reason), unknown (share of
    target tokens that the tokenizer does not know).
    Raises DataError when nothing is left to train on, UsageError for impossible options, SwrError
    when loss or gradient is not finite.
    """
    if min(batch, batch_tokens or 1, micro_tokens) < 1 or not epochs > 0:
        raise UsageError("batch, batch-tokens, micro-tokens and epochs must be positive")
    where = engine.pick_device(device)
    compute = engine.torch_dtype(dtype)

    with policy.lock("train-step sft"):
        tokenizer = engine.load_tokenizer(policy.folder())
        limit = max_length or engine.context_length(policy.folder())
        read = _Reader(tokenizer, system, prefill, reward_at_least, limit)
        data = [example for record in records if (example := read(record))]
        for reason, n in read.dropped.items():
            log(f"{n} records dropped: {reason}")
        if not data:
            raise DataError(
                "no record has anything to learn: no `completion`, no `info.trace`"
                " (swr1 gen-puzzles --trace writes one), or all were dropped"
            )
        unknown = _share_of(tokenizer.unk_token_id, data)
        if unknown:
            log(f"{unknown:.1%} of the target tokens are unknown to the tokenizer")
        if (strange := _share_of(tokenizer.unk_token_id, data, prompts=True)) > 0.01:
            log(f"{strange:.1%} of the prompt tokens are unknown to the tokenizer")
        lengths = [len(e.ids) for e in data]
        per_epoch = len(_batches(lengths, batch, batch_tokens, seed, 0))
        total = steps if steps is not None else max(1, round(epochs * per_epoch))
        rate_at = engine.Schedule(lr, schedule, warmup, total)
        run = Run(
            policy,
            "sft",
            fixed={
                "optimizer": optimizer,
                "lora_r": lora_r,
                "data": _digest(data, batch, batch_tokens, seed),
            },
            metrics=metrics,
            keep=keep,
            resume=resume,
            log=log,
        )
        summary = {"sequences": len(data), "dropped": dict(read.dropped), "unknown": unknown}
        if run.step >= total:
            log(f"{policy.path}: step {run.step} of {total} is done already")
            return {"steps": run.step, "version": run.version, "tokens": 0, **summary}
        model = engine.load_model(policy.folder(run.base), where, torch.float32)
        if lora_r:
            engine.add_lora(model, lora_r, lora_alpha, seed)
        if gradient_checkpointing:
            engine.checkpoint_activations(model)
        stepper = engine.Optimizer(
            model.named_parameters(), optimizer, lr=lr, weight_decay=weight_decay
        )
        run.start(model, stepper, lambda f, w: engine.save_model(model, tokenizer, f, compute, w))
        saves = checkpoint_every or publish_every or max(1, total // 20)
        if run.step:
            log(f"resumed at step {run.step} of {total}")
        begun, seen = time.perf_counter(), 0
        for chosen in _from_step(run.step, lengths, batch, batch_tokens, seed):
            if run.step >= total:
                break
            done = run.step + 1
            rate = rate_at(run.step)
            examples = [data[i] for i in chosen]
            loss, norm = _update(
                examples, model, stepper, micro_tokens, compute, rate, max_grad_norm
            )
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise SwrError(
                    f"loss {loss} and gradient norm {norm} at step {done}; {policy.path} stays at"
                    f" version {run.version}. Try a lower learning rate or a warm-up"
                )
            tokens = sum(lengths[i] for i in chosen)
            seen += tokens
            row = run.end_step(
                {
                    "stage": "sft",
                    "loss": loss,
                    "grad_norm": norm,
                    "lr": rate,
                    "epoch": round(done / per_epoch, 4),
                    "tokens": tokens,
                    "target_tokens": sum(len(e.targets) for e in examples),
                    "seconds": round(time.perf_counter() - begun, 3),
                },
                checkpoint=done == total or done % saves == 0,
                publish=done == total or bool(publish_every and done % publish_every == 0),
            )
            if on_step:
                on_step(row)
        run.finish()
    seconds = time.perf_counter() - begun
    return {
        "steps": run.step,
        "version": run.version,
        "tokens": seen,
        "tokens_per_s": seen / seconds,
        **summary,
    }


class _Reader:
    """Records to examples; counts what it leaves out, by reason."""

    def __init__(
        self,
        tokenizer: Any,
        system: str | None,
        prefill: str,
        reward_at_least: float | None,
        max_length: int,
    ) -> None:
        self.tokenizer, self.system, self.prefill = tokenizer, system, prefill
        self.bar, self.max_length = reward_at_least, max_length
        self.dropped: Counter[str] = Counter()

    def __call__(self, record: dict) -> Example | None:
        target = self._target(record)
        if target is None:
            return None
        ids = render(self.tokenizer, record["prompt"], self.system, self.prefill)
        start = len(ids)
        ids += self.tokenizer(target, add_special_tokens=False)["input_ids"]
        ids.append(self.tokenizer.eos_token_id)
        if len(ids) > self.max_length:
            self.dropped[f"longer than {self.max_length} tokens"] += 1
            return None
        return Example(torch.tensor(ids), torch.arange(start, len(ids)))

    def _target(self, record: dict) -> str | None:
        """What the assistant writes after the prefill; None, counted, if there is nothing to learn."""
        generation = record.get("generation") or {}
        completion = record.get("completion")
        if self.bar is not None:
            reward = record.get("reward")
            if completion is None or reward is None or reward < self.bar:
                self.dropped[f"no completion with a reward of at least {self.bar:g}"] += 1
                return None
        if completion is None:
            text = (record.get("info") or {}).get("trace")
            if not text:
                self.dropped["neither a completion nor a trace"] += 1
                return None
        elif generation.get("finish_reason") == "length":
            self.dropped["a completion cut at its token limit"] += 1
            return None
        else:
            text = (generation.get("prefill") or "") + completion
        return text.removeprefix(self.prefill).removesuffix(self.tokenizer.eos_token)


def _update(
    examples: list[Example],
    model: Any,
    stepper: engine.Optimizer,
    micro_tokens: int,
    dtype: torch.dtype,
    lr: float,
    max_grad_norm: float | None,
) -> tuple[float, float]:
    """One optimizer step on the mean over all target tokens. Returns loss and gradient norm."""
    count = sum(len(e.targets) for e in examples)
    loss = 0.0
    for cut in engine.micro_batches([len(e.ids) for e in examples], micro_tokens):
        logp, _ = engine.token_logprobs(model, [examples[i] for i in cut], autocast=dtype)
        share = -logp.sum() / count
        share.backward()
        loss += float(share.detach())
    return loss, stepper.step(lr, max_grad_norm)


def _batches(
    lengths: list[int], batch: int, batch_tokens: int | None, seed: int, epoch: int
) -> list[list[int]]:
    """The batches of one epoch, in order: shuffled, of like length within a stretch."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(len(lengths), generator=generator).tolist()
    if batch_tokens:
        batch = max(1, batch_tokens * len(lengths) // sum(lengths))
    batches = []
    for start in range(0, len(order), STRETCH * batch):
        stretch = sorted(order[start : start + STRETCH * batch], key=lambda i: (lengths[i], i))
        if batch_tokens:
            cuts = engine.micro_batches([lengths[i] for i in stretch], batch_tokens)
            cut = [[stretch[j] for j in c] for c in cuts]
        else:
            cut = [stretch[i : i + batch] for i in range(0, len(stretch), batch)]
        batches += [cut[i] for i in torch.randperm(len(cut), generator=generator).tolist()]
    return batches


def _from_step(
    step: int, lengths: list[int], batch: int, batch_tokens: int | None, seed: int
) -> Iterator[list[int]]:
    """Batches without end, epoch after epoch, from number `step` on."""
    epoch = 0
    while True:
        batches = _batches(lengths, batch, batch_tokens, seed, epoch)
        yield from batches[step:]
        step = max(0, step - len(batches))
        epoch += 1


def _share_of(token: int | None, data: list[Example], prompts: bool = False) -> float:
    """How large a share of all target tokens (or of all prompt tokens) is `token`."""
    if token is None:
        return 0.0
    parts = [e.ids[: int(e.targets[0])] if prompts else e.ids[e.targets] for e in data]
    return sum(int((p == token).sum()) for p in parts) / sum(map(len, parts))


def _digest(data: list[Example], *order: Any) -> str:
    """What tells this data in this order of batches from any other."""
    h = hashlib.sha256(repr(order).encode())
    for e in data:
        h.update(e.ids.numpy().tobytes())
        h.update(e.targets.numpy().tobytes())
    return h.hexdigest()[:16]
