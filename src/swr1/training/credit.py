"""Credit per step: where the steps of a completion end among its tokens, and what each is worth.

    credit = StepCredit(tokenizer, "steps")
    credit(record)          # [(2, 1.0), (5, 0.0)]: a right step up to trained token 2, a wrong one up to 5

A verdict says where steps stand in characters; the tokens are those that were sampled. Which token a
character is in is found by decoding beginnings of them, as the rollout did, never by encoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swr1.errors import DataError
from swr1.prompts.decoding import Decoder
from swr1.records import Record
from swr1.steps import steps_in

WORTH = {"right": 1.0, "wrong": 0.0}  # of a step without a score


class StepCredit:
    """Args: tokenizer: the policy's. verdict: the name of a verdict of `swr1 verify steps`."""

    def __init__(self, tokenizer: Any, verdict: str) -> None:
        self.decode, self.verdict = Decoder(tokenizer), verdict

    def __call__(self, record: Record) -> list[tuple[int, float]]:
        """(last token, reward) of each judged step, in their order; tokens count the trained ones.

        The reward is the probability that the step is right, where its judge gave one, else 1 or 0.
        A step that was not judged, or of which the policy wrote nothing that is trained, is left out.
        Empty where the verdict is null. Raises DataError for a record without it, or with one on
        another completion.
        """
        steps = self._steps(record)
        if not steps:
            return []
        generation = record["generation"]
        ids = generation["token_ids"]
        mask = generation.get("loss_mask") or [1] * len(ids)
        trained = [0]  # how many of the first i tokens are
        for m in mask:
            trained.append(trained[-1] + m)
        edges = [edge for step in steps for edge in (step["start"], step["end"])]
        tokens = self.tokens_before(ids, edges)
        credit = []
        for step, first, last in zip(steps, tokens[::2], tokens[1::2], strict=True):
            if step["label"] in WORTH and trained[last] > trained[first]:
                worth = step.get("score", WORTH[step["label"]])
                credit.append((trained[last] - 1, float(worth)))
        return credit

    def tokens_before(self, ids: Sequence[int], edges: Sequence[int]) -> list[int]:
        """For each place in the text, how many tokens it takes to say all that stands before it.

        `edges` are characters and ascend. A token across an edge counts as before it.
        """
        out, low = [], 0
        for edge in edges:
            high = len(ids)
            while low < high:
                middle = (low + high) // 2
                if len(self.decode([ids[:middle]])[0]) < edge:
                    low = middle + 1
                else:
                    high = middle
            out.append(low)
        return out

    def _steps(self, record: Record) -> list[dict[str, Any]]:
        verdict = (record.get("verdicts") or {}).get(self.verdict)
        name = f"record {record.get('id')!r}, sample {record.get('sample')}"
        if not isinstance(verdict, dict):
            raise DataError(
                f"{name}: no verdict {self.verdict!r} for credit per step; `swr1 verify steps` adds"
                " one, --process-from names another",
                getattr(record, "location", None),
            )
        if verdict.get("score") is None:
            return []
        steps = steps_in(record, self.verdict)
        text = record.get("completion")
        if steps is None or not isinstance(text, str):
            raise DataError(
                f"{name}: the verdict {self.verdict!r} has no steps: it is not of `swr1 verify steps`",
                getattr(record, "location", None),
            )
        if steps and steps[-1]["end"] > len(text):
            raise DataError(
                f"{name}: the verdict {self.verdict!r} is on another completion; judge again",
                getattr(record, "location", None),
            )
        return steps
