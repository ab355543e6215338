"""Checks of a running trainer: the policy must be the one that sampled; bad batches are kept.

A wrong temperature, chat template, dtype or a truncated distribution shows in one number before
anything is trained: the divergence between the log-probabilities that came with the records and
those that the trainer computes for the same tokens.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path

import orjson
import torch

from swr1.errors import SwrError
from swr1.objectives.losses import ratio
from swr1.training.groups import Sample
from swr1.training.scorer import Scorer
from swr1.vision import collapse

# Completions of the first batch that are scored once more.
FIRST = 32

CAUSES = (
    "a temperature that the log-probabilities do not include, another chat template or tokenizer,"
    " truncated sampling, another dtype, or rollouts of another model"
)


def check_policy(
    groups: list[list[Sample]],
    scorer: Scorer,
    tolerance: float,
    log: Callable[[str], None],
) -> None:
    """Compare the policy with the one that sampled, on on-policy samples of a first batch.

    The measure is KL(behaviour || policy) per token, by k3. The mean ratio cannot show a wrong
    temperature or template: over samples of the behaviour policy its expectation is always 1. Samples of older versions are left out: they may differ.

    Raises SwrError, with the likely causes, beyond `tolerance` (nats per token).
    """
    fresh = [s for g in groups for s in g if not s.lag and len(s.recorded)][:FIRST]
    if not fresh:
        return
    r = ratio(torch.cat(scorer.logprobs(fresh)), torch.cat([s.recorded for s in fresh])).double()
    kl = float((r - 1 - r.log()).mean())
    log(
        f"first batch: ratio to the policy that sampled, mean {float(r.mean()):.4f}"
        f" (min {float(r.min()):.4f}, max {float(r.max()):.4f}), KL {kl:.2g} nats per token;"
        " on-policy they are 1 and 0"
    )
    if not kl <= tolerance:
        raise SwrError(
            f"the policy is not the one that sampled, although the version says so: KL {kl:.2g}"
            f" nats per token, more than {tolerance:g}; nothing was trained. Likely causes:"
            f" {CAUSES}. To train off-policy all the same, give a larger --ratio-tolerance",
        )


def write_aside(groups: list[list[Sample]], folder: Path, step: int) -> Path:
    """Write the batch of a step that failed as records which train-step reads; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"bad-step-{step:06d}.jsonl"
    aside = path.with_suffix(f".{os.getpid()}")
    with open(aside, "wb") as file:
        for sample in (s for g in groups for s in g):
            file.write(orjson.dumps(as_record(sample), option=orjson.OPT_APPEND_NEWLINE))
    os.replace(aside, path)
    return path


def as_record(sample: Sample) -> dict:
    """The scored record that groups.read_sample makes this sample from."""
    ids, tokens = sample.example.ids.tolist(), sample.tokens
    start = len(ids) - tokens
    logprobs, mask = [0.0] * tokens, [0] * tokens
    for at, logp in zip(sample.example.targets.tolist(), sample.recorded.tolist(), strict=True):
        logprobs[at - start], mask[at - start] = logp, 1
    pictures = sample.example.pictures
    shown = [dict(picture.part) | {"digest": picture.digest} for picture in pictures]
    return {
        "id": sample.id,
        "sample": sample.sample,
        **({"prompt": [{"role": "user", "content": shown}]} if pictures else {}),
        "generation": {
            "epoch": sample.epoch,
            "group": sample.size,
            "policy": {"name": sample.policy, "version": sample.version},
            **({"versions": [list(run) for run in sample.versions]} if sample.versions else {}),
            "sampling": {"temperature": sample.temperature, "max_tokens": sample.limit},
            "prompt_ids": collapse(ids[:start], pictures),
            **({"pictures": [picture.facts() for picture in pictures]} if pictures else {}),
            "token_ids": ids[start:],
            "logprobs": logprobs,
            "loss_mask": mask,
            "finish_reason": "length" if sample.truncated else "stop",
        },
        "verdicts": {name: {"score": score} for name, score in sample.scores.items()},
        "reward": sample.reward,
        "reward_parts": {
            n: {"value": None if math.isnan(v) else v, "weight": 1.0}
            for n, v in sample.parts.items()
        },
    }
