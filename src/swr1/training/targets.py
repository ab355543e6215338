"""A record's completion as token ids: as sampled, or its text rendered as a rollout renders it.

encode = Targets(tokenizer, Prompt("mine", system, prefill))
example = encode(record)          # ids, and the positions that are trained on
encode.system_prompts.marker()    # what the policy is to remember
"""

from collections.abc import Callable
from typing import Any

import torch

from swr1.errors import DataError
from swr1.prompts import Prompt, Prompts, as_facts, rendered
from swr1.prompts.choosing import as_prompts
from swr1.prompts.insertion import insertion_ids
from swr1.prompts.unknown import MAX_UNKNOWN, Unknown
from swr1.records import CUT, INSERTED, WROTE
from swr1.training.engine import Example
from swr1.training.remembered import SystemPrompts
from swr1.training.seen import sampled_pictures
from swr1.vision import Vision, collapse


class Targets:
    """Records with a `completion` to examples.

    Args:
        prompt: what the rollouts will put around a record's messages. The opening of the turn is cut
            from a text that begins with it: the prompt has it already. A completion's own goes before
            those of policy and task.
        as_sampled: if a rollout's token ids are this tokenizer's, use them, after the prompt that
            they were sampled from, and train only tokens that the policy wrote. False: use the
            text, after `prompt`.
        max_unknown: see Unknown; `unknown` and `unknown_targets` count. log: gets lines for people.
        vision: of a policy that takes pictures.
    """

    def __init__(
        self,
        tokenizer: Any,
        prompt: Prompt | Prompts = Prompt("none"),
        as_sampled: bool = True,
        max_unknown: float = MAX_UNKNOWN,
        log: Callable[[str], None] = lambda text: None,
        vision: Vision | None = None,
    ) -> None:
        self.vision = vision
        self.tokenizer, self.prompts, self.as_sampled = tokenizer, as_prompts(prompt), as_sampled
        self.system_prompts = SystemPrompts(log)
        self.unknown = Unknown(tokenizer, max_unknown, log)
        self.unknown_targets = Unknown(tokenizer, 1, log, "the target tokens")

    def __call__(self, record: dict) -> Example:
        """`targets` is empty where the policy wrote nothing.

        Raises DataError for a prompt that cannot be rendered, and for pictures that cannot be opened
        or are not those that the completion was sampled for.
        """
        try:
            example = self._sampled(record) if self.as_sampled else None
            if example is None:
                example = self._rendered(record)
            elif generation := record.get("generation"):
                self.system_prompts.add(generation.get("system_prompt"), record.get("task"))
        except DataError as error:
            if error.reason.startswith("record "):
                raise
            name = f"record {record.get('id')!r}: {error.reason}"
            raise DataError(name, getattr(record, "location", None)) from None
        return example

    def count_unknown(self, record: dict, example: Example) -> None:
        """Count the tokens of an example that the tokenizer does not know."""
        ids, start = example.ids.tolist(), int(example.targets[0])
        texts = (turn["content"] for turn in record["prompt"])
        prompt = collapse(ids[:start], example.pictures)
        self.unknown.add(prompt, "\n".join(t for t in texts if isinstance(t, str)))
        self.unknown_targets.add(ids[start:], record["completion"])

    def _rendered(self, record: dict) -> Example:
        generation = record.get("generation") or {}
        text = (generation.get("prefill") or "") + record["completion"]
        prompt = self.prompts.of(record, made=True)
        self.system_prompts.add(as_facts(prompt), record.get("task"))
        vision = self.vision
        made = rendered(self.tokenizer, record["prompt"], prompt, vision.token if vision else None)
        pictures = vision.see(made.pictures) if vision else ()
        for opening in (made.prefill, made.prefill.rstrip(), prompt.prefill):
            if opening and text.startswith(opening):
                text = text.removeprefix(opening)
                break
        text = text.removesuffix(self.tokenizer.eos_token)
        ids = vision.expand(made.ids, pictures) if vision else list(made.ids)
        mask = [0] * len(ids)
        for piece, kind in _pieces(text, generation.get("turns")):
            if kind in INSERTED:
                more, _ = insertion_ids(self.tokenizer, piece)
            else:
                more = self.tokenizer(piece, add_special_tokens=False)["input_ids"]
            if vision and set(vision.forbidden).intersection(more):
                raise DataError("the completion has a token that stands for a picture")
            ids += more
            mask += [int(kind == WROTE)] * len(more)
        if generation.get("finish_reason") not in CUT:
            ids, mask = [*ids, self.tokenizer.eos_token_id], [*mask, 1]
        targets = [i for i, m in enumerate(mask) if m]
        return Example(torch.tensor(ids), torch.tensor(targets, dtype=torch.long), pictures)

    def _same(self, record: dict, tokens: list[int]) -> bool:
        """Whether token ids say what the completion says: of one with tools, its first turn."""
        text = record["completion"]
        if turns := _with_tools(record["generation"]):
            tokens, text = tokens[slice(*turns[0]["tokens"])], text[slice(*turns[0]["characters"])]
        return self.tokenizer.decode(tokens, skip_special_tokens=True).strip() == text.strip()

    def _sampled(self, record: dict) -> Example | None:
        """The example of the sampled token ids; None without them, or if another tokenizer made them."""
        generation = record.get("generation") or {}
        prompt, tokens = generation.get("prompt_ids"), generation.get("token_ids")
        if not prompt or not tokens or max(*prompt, *tokens) >= len(self.tokenizer):
            return None
        if not self._same(record, tokens):
            if _with_tools(generation):
                raise DataError(
                    f"record {record['id']!r}: its token ids are another tokenizer's, and the text"
                    " of a completion with tools is not encoded again"
                )
            return None
        pictures = sampled_pictures(record, self.vision)
        if self.vision:
            prompt = self.vision.expand(prompt, pictures)
        mask = generation.get("loss_mask") or [1] * len(tokens)
        # A stop string ended it: the turn ends there, and that is to be learned too.
        stopped = generation.get("finish_reason") not in CUT
        if stopped and tokens[-1] not in self.tokenizer.all_special_ids:
            tokens, mask = [*tokens, self.tokenizer.eos_token_id], [*mask, 1]
        targets = [len(prompt) + i for i, m in enumerate(mask) if m]
        return Example(
            torch.tensor(prompt + tokens), torch.tensor(targets, dtype=torch.long), pictures
        )


def _with_tools(generation: dict) -> list[dict] | None:
    """The turns of a completion in which tools were called; None of any other."""
    turns = generation.get("turns") or []
    return turns if any(turn["kind"] in INSERTED for turn in turns) else None


def _pieces(text: str, turns: list[dict] | None) -> list[tuple[str, str]]:
    """A completion as pieces, each with the kind of its turn.

    `text` may lack what opens the turn: places count from its end.
    """
    if not turns:
        return [(text, WROTE)]
    end = turns[-1]["characters"][1]
    cut = end - len(text)
    return [
        (text[max(0, begin - cut) : stop - cut], turn["kind"])
        for turn in turns
        for begin, stop in [turn["characters"]]
    ]
