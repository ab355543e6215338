"""Direct preference optimization: makes the better completion of a pair likelier than the worse one.

    train_dpo(records, Policy("runs/kk"), DPOConfig(beta=0.1, lr=1e-6))

Pairs come from scored groups or from records that carry them (pairs.py). The reference is the
version that the run started from: its log-probabilities are computed once, before
training, by the model that is then trained, so that no second model is in memory.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from swr1.errors import DataError
from swr1.models import load_tokenizer
from swr1.objectives.supervised import dpo, sequence_logp
from swr1.policy import Policy
from swr1.training import engine
from swr1.training.config import DPOConfig
from swr1.training.engine import Example
from swr1.training.pairs import pairs
from swr1.training.parallel import call
from swr1.training.passes import Data, Passes, Teaching, digest
from swr1.training.state import say
from swr1.training.targets import Targets


class _Pair(NamedTuple):
    chosen: Example
    rejected: Example

    @property
    def padded(self) -> int:
        return 2 * max(len(self.chosen.ids), len(self.rejected.ids))


def train_dpo(
    records: Iterable[dict],
    policy: Policy,
    config: DPOConfig | None = None,
    *,
    metrics: str | Path | None = None,
    log: Callable[[str], None] = say,
    on_step: Callable[[dict], None] | None = None,
) -> dict[str, Any]:
    """Train `policy` on pairs of completions; `metrics`, `log` and `on_step` are as in train_rl.

    Each step's metrics have `accuracy` (share of pairs whose implicit reward, beta times the
    log-ratio to the reference, is in order), `margin` (their mean difference), `chosen` and
    `rejected` (mean implicit rewards), `logp_chosen`, `logp_rejected` (mean, of whole completions).

    Returns a summary: steps, version, pairs, tokens, dropped (by reason). Raises DataError when no
    pair is left, UsageError for impossible options, SwrError when loss or gradient is not finite.
    """
    config = config or DPOConfig()
    passes = Passes(config, metrics=metrics, log=log, on_step=on_step)
    dropped: Counter[str] = Counter()
    with passes.session(policy, "train-step dpo") as ranks:
        tokenizer = load_tokenizer(policy.folder())
        limit = config.max_length or engine.context_length(policy.folder())
        rendering = config.rendering(policy, passes.log)
        vision = passes.load_vision(policy, tokenizer)
        encode = Targets(tokenizer, *rendering, config.max_unknown, passes.log, vision)
        data, dropped = ranks.first(
            lambda: (_read(pairs(records, dropped, config.margin), encode, limit, dropped), dropped)
        )
        for reason, n in dropped.items():
            passes.log(f"{n} records dropped: {reason}")
        if not data:
            raise DataError("no pair to learn from: all records were dropped, or there were none")
        ranks.first(encode.unknown.check)
        passes.remembered = encode.system_prompts.marker()
        learner = _Learner(data, config, passes)
        summary = passes.train(
            policy,
            "dpo",
            Data(
                [pair.padded for pair in data],
                digest(*(example.identity for pair in data for example in pair)),
            ),
            Teaching(
                passes.load_policy, learner.learn, passes.saver(tokenizer), learner.ask_reference
            ),
            fixed={"beta": config.beta, "label_smoothing": config.label_smoothing},
        )
    return summary | {"pairs": len(data), "dropped": dict(dropped)}


def _read(
    triples: Iterable[tuple[str, dict, dict]], encode: Targets, limit: int, dropped: Counter[str]
) -> list[_Pair]:
    """The pairs that can be learned from; counts the others by reason."""
    data: list[_Pair] = []
    for _, better, worse in triples:
        pair = _Pair(encode(better), encode(worse))
        if pair.padded > 2 * limit:
            dropped[f"a pair with more than {limit} tokens"] += 1
        elif not all(len(example.targets) for example in pair):
            dropped["a pair of which the policy wrote one side only"] += 1
        else:
            encode.count_unknown(better, pair.chosen)
            data.append(pair)
    return data


class _Learner:
    """What a batch of pairs teaches; holds the reference's log-probabilities of all pairs."""

    def __init__(self, data: list[_Pair], config: DPOConfig, passes: Passes) -> None:
        self.data, self.config, self.passes = data, config, passes
        self.reference = torch.zeros(len(data), 2)

    def _totals(self, model: Any, some: list[int]) -> Tensor:
        """Log-probabilities [len(some), 2] of whole completions: chosen, rejected."""
        examples = [example for i in some for example in self.data[i]]
        score = call(model, engine.token_logprobs)
        logp, _ = score(examples, autocast=self.passes.dtype)
        counts = torch.tensor([len(e.targets) for e in examples])
        seq = torch.arange(len(examples)).repeat_interleave(counts).to(logp.device)
        return sequence_logp(logp, seq, len(examples)).view(-1, 2)

    def _cuts(self, some: list[int]) -> list[list[int]]:
        padded = [self.data[i].padded for i in some]
        parts = engine.micro_batches(padded, self.passes.micro_tokens)
        return [[some[j] for j in part] for part in parts]

    @torch.no_grad()
    def ask_reference(self, model: Any, items: list[int]) -> None:
        """Score the pairs with the model before it is trained."""
        totals: dict[int, Tensor] = {}
        for cut, counts in self.passes.ranks.share(self._cuts(items)):
            logp = self._totals(model, cut).cpu()
            totals |= dict(zip(cut, logp, strict=True)) if counts else {}
        for i, logp in self.passes.ranks.merge(totals).items():
            self.reference[i] = logp

    def learn(self, model: Any, chosen: list[int]) -> tuple[float, dict[str, Any]]:
        """The mean over the pairs of the step."""
        config, ranks = self.config, self.passes.ranks
        total = 0.0
        rows: dict[int, Tensor] = {}
        for cut, counts in ranks.share(self._cuts(chosen)):
            logp = self._totals(model, cut)
            ref = self.reference[cut].to(logp.device)
            loss, _ = dpo(
                *logp.unbind(1),
                *ref.unbind(1),
                beta=config.beta,
                label_smoothing=config.label_smoothing,
            )
            share = loss.sum() / len(chosen) * counts
            share.backward()
            total += float(share.detach())
            row = torch.cat([config.beta * (logp - ref), logp], dim=1).detach().cpu()
            rows |= dict(zip(cut, row, strict=True)) if counts else {}
        (total,) = ranks.total([total])
        rows = ranks.merge(rows)
        table = torch.stack([rows[i] for i in sorted(rows)])
        above = table[:, 0] - table[:, 1]
        mean = table.double().mean(0).tolist()
        names = ("chosen", "rejected", "logp_chosen", "logp_rejected")
        return total, {
            "pairs": len(chosen),
            "accuracy": float((above > 0).double().mean()),
            "margin": float(above.double().mean()),
            **dict(zip(names, mean, strict=True)),
        }
