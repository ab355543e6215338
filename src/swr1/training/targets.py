"""A record's completion as token ids: as sampled, or its text rendered as a rollout renders it.

encode = Targets(tokenizer, Prompt("mine", system, prefill))
example = encode(record)          # ids, and the positions that are trained on
"""

from __future__ import annotations

from typing import Any

import torch

from swr1.prompts import Prompt, rendered
from swr1.training.engine import Example


class Targets:
    """Records with a `completion` to examples.

    Args:
        prompt: what the rollouts will put around a record's messages. The opening of the turn is cut
            from a text that begins with it: the prompt has it already.
        as_sampled: if a rollout's token ids are this tokenizer's, use them, after the prompt that
            they were sampled from, and train only tokens that the policy wrote. False: use the
            text, after `prompt`.
    """

    def __init__(
        self, tokenizer: Any, prompt: Prompt = Prompt("none"), as_sampled: bool = True
    ) -> None:
        self.tokenizer, self.prompt, self.as_sampled = tokenizer, prompt, as_sampled

    def __call__(self, record: dict) -> Example:
        """`targets` is empty where the policy wrote nothing."""
        example = self._sampled(record) if self.as_sampled else None
        if example is not None:
            return example
        generation = record.get("generation") or {}
        text = (generation.get("prefill") or "") + record["completion"]
        made = rendered(self.tokenizer, record["prompt"], self.prompt)
        for opening in (made.prefill, made.prefill.rstrip(), self.prompt.prefill):
            if opening and text.startswith(opening):
                text = text.removeprefix(opening)
                break
        text = text.removesuffix(self.tokenizer.eos_token)
        ids = list(made.ids)
        start = len(ids)
        ids += self.tokenizer(text, add_special_tokens=False)["input_ids"]
        if generation.get("finish_reason") != "length":
            ids.append(self.tokenizer.eos_token_id)
        return Example(torch.tensor(ids), torch.arange(start, len(ids)))

    def _sampled(self, record: dict) -> Example | None:
        """The example of the sampled token ids; None without them, or if another tokenizer made them."""
        generation = record.get("generation") or {}
        prompt, tokens = generation.get("prompt_ids"), generation.get("token_ids")
        if not prompt or not tokens or max(*prompt, *tokens) >= len(self.tokenizer):
            return None
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        if text.strip() != record["completion"].strip():
            return None
        mask = generation.get("loss_mask") or [1] * len(tokens)
        # A stop string ended it: the turn ends there, and that is to be learned too.
        stopped = generation.get("finish_reason") != "length"
        if stopped and tokens[-1] not in self.tokenizer.all_special_ids:
            tokens, mask = [*tokens, self.tokenizer.eos_token_id], [*mask, 1]
        targets = [len(prompt) + i for i, m in enumerate(mask) if m]
        return Example(torch.tensor(prompt + tokens), torch.tensor(targets, dtype=torch.long))
