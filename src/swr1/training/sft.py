"""Supervised fine-tuning on records: the completion's tokens are predicted, the prompt's are given.

    train_sft(records, Policy("runs/kk"), prompt=load_prompt("logic-rl"), lr=3e-3, steps=1500)

The target is the record's completion, or else its trace. With a bar on the reward, or the best few
completions of each prompt, it is rejection-sampling fine-tuning (also called RFT or RAFT). What
this policy's tokenizer wrote is trained on by its token ids, as sampled; any other text is rendered
exactly as a rollout renders it, so what RL starts from is what SFT trained.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch

from swr1.errors import DataError, UsageError
from swr1.models import load_tokenizer
from swr1.objectives.supervised import sft as sft_loss
from swr1.policy import Policy
from swr1.prompts import Prompt
from swr1.training import engine
from swr1.training.engine import Example
from swr1.training.parallel import call
from swr1.training.passes import Passes, digest
from swr1.training.targets import Targets


def train_sft(
    records: Iterable[dict],
    policy: Policy,
    *,
    prompt: Prompt = Prompt("none"),
    as_sampled: bool = True,
    reward_at_least: float | None = None,
    best_of: int | None = None,
    max_length: int | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Train `policy` to write the targets of `records`.

    Args:
        prompt, as_sampled: how records become token ids, as in Targets.
        reward_at_least: only records with a completion and at least this reward.
        best_of: of each prompt only so many completions, the best by reward (the first of equal
            ones); one that is there twice counts once.
        max_length: longer sequences are left out and counted (None: the model's own limit).
        options: the fields of Passes.

    Returns a summary: steps, version, sequences, tokens, dropped (by reason), unknown (share of
    target tokens that the tokenizer does not know).
    Raises DataError when nothing is left to train on, UsageError for impossible options, SwrError
    when loss or gradient is not finite.
    """
    passes = Passes(**options)
    if best_of is not None and best_of < 1:
        raise UsageError(f"best-of is at least 1, not {best_of}")
    with passes.session(policy, "train-step sft") as team:
        tokenizer = load_tokenizer(policy.folder())
        limit = max_length or engine.context_length(policy.folder())
        encode = Targets(tokenizer, prompt, as_sampled)
        read = _Reader(encode, reward_at_least, best_of, limit)
        data, read.dropped = team.first(lambda: (read.all(records), read.dropped))
        for reason, n in read.dropped.items():
            passes.log(f"{n} records dropped: {reason}")
        if not data:
            raise DataError(
                "no record has anything to learn: no `completion`, no `info.trace`"
                " (swr1 gen-puzzles --trace writes one), or all were dropped"
            )
        unknown = _share_of(tokenizer.unk_token_id, data)
        if unknown:
            passes.log(f"{unknown:.1%} of the target tokens are unknown to the tokenizer")
        if (strange := _share_of(tokenizer.unk_token_id, data, prompts=True)) > 0.01:
            passes.log(f"{strange:.1%} of the prompt tokens are unknown to the tokenizer")

        def learn(model: Any, chosen: list[int]) -> tuple[float, dict[str, Any]]:
            """The mean over all target tokens of the step."""
            examples = [data[i] for i in chosen]
            count = sum(len(e.targets) for e in examples)
            loss = 0.0
            score = call(model, engine.token_logprobs)
            for cut, counts in team.share(engine.cuts(model, examples, passes.micro_tokens)):
                logp, _ = score([examples[i] for i in cut], autocast=passes.compute)
                share = sft_loss(logp).sum() / count * counts
                share.backward()
                loss += float(share.detach())
            return team.total([loss])[0], {"target_tokens": count}

        summary = passes.train(
            policy,
            "sft",
            [len(e.ids) for e in data],
            digest(*data),
            load=lambda folder: engine.load_model(
                folder, passes.where, torch.float32, compute=passes.compute
            ),
            learn=learn,
            save=lambda model, folder, weights: engine.save_model(
                model, tokenizer, folder, passes.compute, weights
            ),
        )
    return summary | {
        "sequences": len(data),
        "dropped": dict(read.dropped),
        "unknown": unknown,
    }


class _Reader:
    """Records to examples; counts what it leaves out, by reason."""

    def __init__(
        self,
        encode: Targets,
        reward_at_least: float | None,
        best_of: int | None,
        max_length: int,
    ) -> None:
        self.encode, self.bar, self.best_of = encode, reward_at_least, best_of
        self.max_length = max_length
        self.dropped: Counter[str] = Counter()

    def all(self, records: Iterable[dict]) -> list[Example]:
        """The examples in the order of their records."""
        if self.best_of is None:
            return [example for record in records if (example := self._example(record))]
        found: list[Example] = []
        prompts: dict[str, list[tuple[float, int]]] = {}  # id -> (-reward, place in `found`)
        for record in records:
            if not (example := self._example(record)):
                continue
            mine = prompts.setdefault(record["id"], [])
            if any(torch.equal(found[i].ids, example.ids) for _, i in mine):
                self.dropped["the same completion of a prompt again"] += 1
                continue
            mine.append((-record["reward"], len(found)))
            found.append(example)
        best = sorted(i for mine in prompts.values() for _, i in sorted(mine)[: self.best_of])
        if worse := len(found) - len(best):
            self.dropped[f"not among the best {self.best_of} of a prompt"] = worse
        return [found[i] for i in best]

    def _example(self, record: dict) -> Example | None:
        text = self._target(record)
        if text is None:
            return None
        example = self.encode(record | {"completion": text})
        if not len(example.targets):
            self.dropped["a completion of which the policy wrote nothing"] += 1
            return None
        if len(example.ids) > self.max_length:
            self.dropped[f"longer than {self.max_length} tokens"] += 1
            return None
        return example

    def _target(self, record: dict) -> str | None:
        """The completion, or the trace; None, counted, if there is nothing to learn."""
        generation = record.get("generation") or {}
        completion = record.get("completion")
        if self.bar is not None or self.best_of is not None:
            reward = record.get("reward")
            bar = -float("inf") if self.bar is None else self.bar
            if completion is None or reward is None or reward < bar:
                least = "" if self.bar is None else f" of at least {self.bar:g}"
                self.dropped[f"no completion with a reward{least}"] += 1
                return None
        if completion is None:
            text = (record.get("info") or {}).get("trace")
            if not text:
                self.dropped["neither a completion nor a trace"] += 1
                return None
            return text
        if generation.get("finish_reason") == "length":
            self.dropped["a completion cut at its token limit"] += 1
            return None
        return completion


def _share_of(token: int | None, data: list[Example], prompts: bool = False) -> float:
    """How large a share of all target tokens (or of all prompt tokens) is `token`."""
    if token is None:
        return 0.0
    parts = [e.ids[: int(e.targets[0])] if prompts else e.ids[e.targets] for e in data]
    return sum(int((p == token).sum()) for p in parts) / sum(map(len, parts))
