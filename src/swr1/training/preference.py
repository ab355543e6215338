"""Direct preference optimization: the better completion of a pair made likelier than the worse one.

    train_dpo(records, Policy("runs/kk"), beta=0.1, lr=1e-6)

Pairs come from scored groups or from records that carry them (pairs.py). The reference is the
version that the run started from: its log-probabilities are computed once, before anything is
trained, by the very model that is then trained, so that no second model stands in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from swr1.errors import DataError, UsageError
from swr1.models import load_tokenizer
from swr1.objectives.supervised import dpo, sequence_logp
from swr1.policy import Policy
from swr1.prompts import Prompt
from swr1.training import engine
from swr1.training.engine import Example
from swr1.training.pairs import pairs
from swr1.training.parallel import call
from swr1.training.passes import Passes, digest
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
    *,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
    margin: float = 0.0,
    prompt: Prompt = Prompt("none"),
    as_sampled: bool = True,
    max_length: int | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Train `policy` on pairs of completions.

    Args:
        beta: how dear it is to leave the reference. label_smoothing: share of pairs thought to be
            the wrong way round, in [0, 0.5).
        margin: of scored groups, the least difference in reward between best and worst.
        prompt, as_sampled: how records become token ids, as in Targets.
        max_length: pairs with a longer sequence are left out (None: the model's own limit).
        options: the fields of Passes; an item is a pair; the learning rate defaults to 1e-6.

    Each step's metrics line has `accuracy` (share of pairs whose implicit reward, beta times the
    log-ratio to the reference, is in order), `margin` (their mean difference), `chosen` and
    `rejected` (mean implicit rewards), `logp_chosen`, `logp_rejected` (mean, of whole completions).

    Returns a summary: steps, version, pairs, tokens, dropped (by reason). Raises DataError when no
    pair is left, UsageError for impossible options, SwrError when loss or gradient is not finite.
    """
    passes = Passes(**{"lr": 1e-6} | options)
    if not beta > 0 or not 0 <= label_smoothing < 0.5:
        raise UsageError("beta is positive, and label-smoothing at least 0 and below 0.5")
    dropped: Counter[str] = Counter()
    with passes.session(policy, "train-step dpo") as team:
        tokenizer = load_tokenizer(policy.folder())
        limit = max_length or engine.context_length(policy.folder())
        encode = Targets(tokenizer, prompt, as_sampled)

        def read() -> tuple[list[_Pair], Counter[str]]:
            data: list[_Pair] = []
            for _, better, worse in pairs(records, dropped, margin):
                pair = _Pair(encode(better), encode(worse))
                if pair.padded > 2 * limit:
                    dropped[f"a pair with more than {limit} tokens"] += 1
                elif not all(len(example.targets) for example in pair):
                    dropped["a pair of which the policy wrote one side only"] += 1
                else:
                    data.append(pair)
            return data, dropped

        data, dropped = team.first(read)
        for reason, n in dropped.items():
            passes.log(f"{n} records dropped: {reason}")
        if not data:
            raise DataError("no pair to learn from: all records were dropped, or there were none")
        reference = torch.zeros(len(data), 2)

        def totals(model: Any, some: list[int]) -> Tensor:
            """Log-probabilities [len(some), 2] of whole completions: chosen, rejected."""
            examples = [example for i in some for example in data[i]]
            score = call(model, engine.token_logprobs)
            logp, _ = score(examples, autocast=passes.compute)
            counts = torch.tensor([len(e.targets) for e in examples])
            seq = torch.arange(len(examples)).repeat_interleave(counts).to(logp.device)
            return sequence_logp(logp, seq, len(examples)).view(-1, 2)

        def cuts(some: list[int]) -> list[list[int]]:
            parts = engine.micro_batches([data[i].padded for i in some], passes.micro_tokens)
            return [[some[j] for j in part] for part in parts]

        @torch.no_grad()
        def refer(model: Any, items: list[int]) -> None:
            found: dict[int, Tensor] = {}
            for cut, counts in team.share(cuts(items)):
                logp = totals(model, cut).cpu()
                found |= dict(zip(cut, logp, strict=True)) if counts else {}
            for i, logp in team.merge(found).items():
                reference[i] = logp

        def learn(model: Any, chosen: list[int]) -> tuple[float, dict[str, Any]]:
            """The mean over the pairs of the step."""
            total = 0.0
            rows: dict[int, Tensor] = {}
            for cut, counts in team.share(cuts(chosen)):
                logp = totals(model, cut)
                ref = reference[cut].to(logp.device)
                loss, _ = dpo(
                    *logp.unbind(1), *ref.unbind(1), beta=beta, label_smoothing=label_smoothing
                )
                share = loss.sum() / len(chosen) * counts
                share.backward()
                total += float(share.detach())
                told = torch.cat([beta * (logp - ref), logp], dim=1).detach().cpu()
                rows |= dict(zip(cut, told, strict=True)) if counts else {}
            (total,) = team.total([total])
            rows = team.merge(rows)
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

        summary = passes.train(
            policy,
            "dpo",
            [pair.padded for pair in data],
            digest(*(e for pair in data for e in pair)),
            load=lambda folder: engine.load_model(
                folder, passes.where, torch.float32, compute=passes.compute
            ),
            prepare=refer,
            learn=learn,
            save=lambda model, folder, weights: engine.save_model(
                model, tokenizer, folder, passes.compute, weights
            ),
            fixed={"beta": beta, "label_smoothing": label_smoothing},
        )
    return summary | {"pairs": len(data), "dropped": dict(dropped)}
