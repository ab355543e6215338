"""Supervised fine-tuning on records: the completion's tokens are predicted, the prompt's are given.

    train_sft(records, Policy("runs/kk"), SFTConfig(system_prompt="logic-rl", lr=3e-3, steps=1500))

The target is the record's completion, or else its trace. With a least reward, or the best few
completions of each prompt, it is rejection-sampling fine-tuning (also called RFT or RAFT). A
completion of this policy is trained on by its sampled token ids; any other text is rendered exactly
as a rollout renders it, so RL starts from what SFT trained.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from swr1.errors import DataError
from swr1.models import load_tokenizer
from swr1.objectives.supervised import sft as sft_loss
from swr1.policy import Policy
from swr1.training import engine
from swr1.training.config import SFTConfig
from swr1.training.engine import Example
from swr1.training.parallel import call
from swr1.training.passes import Data, Passes, Teaching, digest
from swr1.training.state import say
from swr1.training.targets import Targets


def train_sft(
    records: Iterable[dict],
    policy: Policy,
    config: SFTConfig | None = None,
    *,
    metrics: str | Path | None = None,
    log: Callable[[str], None] = say,
    on_step: Callable[[dict], None] | None = None,
) -> dict[str, Any]:
    """Train `policy` to write the targets of `records`; `metrics`, `log`, `on_step` as in train_rl.

    With `best_of`, equal completions of a prompt count once, and of equally good ones the first is
    preferred.

    Returns a summary: steps, version, sequences, tokens, dropped (by reason), unknown (share of
    target tokens that the tokenizer does not know).
    Raises DataError when nothing is left to train on, UsageError for impossible options, SwrError
    when loss or gradient is not finite.
    """
    config = config or SFTConfig()
    passes = Passes(config, metrics=metrics, log=log, on_step=on_step)
    with passes.session(policy, "train-step sft") as ranks:
        tokenizer = load_tokenizer(policy.folder())
        limit = config.max_length or engine.context_length(policy.folder())
        rendering = config.rendering(policy, passes.log)
        vision = passes.load_vision(policy, tokenizer)
        encode = Targets(tokenizer, *rendering, config.max_unknown, passes.log, vision)
        read = _Reader(encode, config.reward_at_least, config.best_of, limit)
        data, read.dropped = ranks.first(lambda: (read.all(records), read.dropped))
        _check(data, read.dropped, passes.log)
        ranks.first(lambda: _check_unknown(encode))
        passes.remembered = encode.system_prompts.marker()

        def learn(model: Any, chosen: list[int]) -> tuple[float, dict[str, Any]]:
            """The mean over all target tokens of the step."""
            examples = [data[i] for i in chosen]
            count = sum(len(e.targets) for e in examples)
            loss = 0.0
            score = call(model, engine.token_logprobs)
            for cut, counts in ranks.share(engine.cuts(model, examples, passes.micro_tokens)):
                logp, _ = score([examples[i] for i in cut], autocast=passes.dtype)
                share = sft_loss(logp).sum() / count * counts
                share.backward()
                loss += float(share.detach())
            return ranks.total([loss])[0], {"target_tokens": count}

        summary = passes.train(
            policy,
            "sft",
            Data([len(e.ids) for e in data], digest(*(example.identity for example in data))),
            Teaching(passes.load_policy, learn, passes.saver(tokenizer)),
        )
    return summary | {
        "sequences": len(data),
        "dropped": dict(read.dropped),
        "unknown": encode.unknown_targets.share,
    }


def _check(data: list[Example], dropped: Counter[str], log: Callable[[str], None]) -> None:
    """Report what was read. Raises DataError without data."""
    for reason, n in dropped.items():
        log(f"{n} records dropped: {reason}")
    if not data:
        raise DataError(
            "no record has anything to learn: no `completion`, no `info.trace`"
            " (swr1 gen-puzzles --trace writes one), or all were dropped"
        )


def _check_unknown(encode: Targets) -> None:
    """Report the tokens that the tokenizer does not know. Raises TooManyUnknown."""
    encode.unknown.check()
    encode.unknown_targets.check()


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
        examples: list[Example] = []
        prompts: dict[str, list[tuple[float, int]]] = {}  # id -> (-reward, place in `examples`)
        for record in records:
            if not (example := self._example(record)):
                continue
            mine = prompts.setdefault(record["id"], [])
            if any(torch.equal(examples[i].ids, example.ids) for _, i in mine):
                self.dropped["the same completion of a prompt again"] += 1
                continue
            mine.append((-record["reward"], len(examples)))
            examples.append(example)
        best = sorted(i for mine in prompts.values() for _, i in sorted(mine)[: self.best_of])
        if worse := len(examples) - len(best):
            self.dropped[f"not among the best {self.best_of} of a prompt"] = worse
        return [examples[i] for i in best]

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
        self.encode.count_unknown(record | {"completion": text}, example)
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
