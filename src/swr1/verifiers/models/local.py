"""A guard or judge in this process: transformers, in batches, the likeliest texts of every token.

The input is made by the tokenizer's own chat template and looked at before the model sees it: if it
leaves out part of the response, or holds other control tokens than the same turns with harmless
texts do, there is no verdict.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from swr1 import models
from swr1.errors import SwrError, UsageError
from swr1.verifiers.models.reply import CouldNotJudge, InBatches, Question, Reply, Token

NEAR = 20  # likely texts kept of every token


class LocalModel(InBatches):
    """A causal language model.

    Args:
        folder: a model folder or hub name. batch: questions at a time.
        dtype: "auto" takes float32 on a CPU and what is stored elsewhere.

    Raises SwrError when it cannot be loaded.
    """

    def __init__(self, folder: str, *, device: str, dtype: str, batch: int) -> None:
        target = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        self.name = self.folder = str(folder)
        kind: Any = {"auto": torch.float32 if target == "cpu" else "auto"}.get(dtype, dtype)
        try:
            config = models.load_config(folder)
            self.tokenizer = models.load_tokenizer(folder)
            self.model = models.load_causal_lm(folder, kind)
            models.check_fit(self.model, self.tokenizer, folder)
            self.model = self.model.to(target).eval()
        except (SwrError, RuntimeError) as error:
            kinded = type(error) if isinstance(error, UsageError) else SwrError
            raise kinded(f"the guard {folder}: {error}") from error
        self.template = self.tokenizer.chat_template or ""
        if not isinstance(self.template, str):
            self.template = "\n".join(self.template.values())
        # What is unknown to the tokenizer is no control token; nor are runs of spaces that it added.
        special = {t: i for i, t in self.tokenizer.added_tokens_decoder.items() if t.special}
        texts = {*self.tokenizer.all_special_tokens, *map(str, special)}
        self.special = tuple(texts - {self.tokenizer.unk_token})
        ids = {*self.tokenizer.all_special_ids, *special.values()}
        self._special_ids = ids - {self.tokenizer.unk_token_id}
        limit = getattr(config.get_text_config(), "max_position_embeddings", None)
        self.context = limit or 1 << 30
        super().__init__(batch)
        self.identity = f"local {fingerprint(folder, config)} {self.model.dtype}"

    def prepared(self, question: Question, harmless: Question) -> tuple[list[int], int]:
        text = self._render(question)
        bare = "".join(text.split())
        if any("".join(text.split()) not in bare for text in question.must_hold):
            raise CouldNotJudge("the guard's chat template leaves out part of the response")
        ids = self._tokenize(text)
        if self._controls(ids) != self._controls(self._tokenize(self._render(harmless))):
            raise CouldNotJudge("the text holds control tokens of the guard's tokenizer")
        if len(ids) + question.max_tokens > self.context:
            raise CouldNotJudge(
                f"{len(ids)} tokens are more than the guard can read ({self.context} with its reply)"
            )
        return ids, question.max_tokens

    def _render(self, question: Question) -> str:
        if question.text:
            return question.text
        if not self.template:
            raise UsageError(f"the tokenizer of {self.folder} has no chat template to ask with")

        def render(opened: bool) -> str:
            try:
                return self.tokenizer.apply_chat_template(
                    question.messages,
                    tokenize=False,
                    add_generation_prompt=opened,
                    **question.template,
                )
            except Exception as error:  # a template raises what it likes
                raise CouldNotJudge(f"the guard's chat template refuses it: {error}") from None

        text, closed = render(True), render(False)
        opening = text[len(closed) :]
        # Templates of guards may open the answer whether asked to or not: once is enough.
        return closed if opening and closed.endswith(opening) else text

    def _tokenize(self, text: str) -> list[int]:
        bos = self.tokenizer.bos_token
        has_bos = bool(bos) and text.lstrip().startswith(bos)
        return self.tokenizer(text, add_special_tokens=not self.template and not has_bos)[
            "input_ids"
        ]

    def _controls(self, ids: list[int]) -> Counter[int]:
        return Counter(i for i in ids if i in self._special_ids)

    @torch.no_grad()
    def replies(self, inputs: list[tuple[list[int], int]]) -> list[Reply]:
        prompts = [ids for ids, _ in inputs]
        pad = self.tokenizer.pad_token_id
        pad = self.tokenizer.eos_token_id if pad is None else pad
        width = max(map(len, prompts))
        ids = torch.full((len(prompts), width), pad or 0)
        seen = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            seen[row, width - len(prompt) :] = 1
        recorder = _Recorder()
        made = self.model.generate(
            ids.to(self.model.device),
            attention_mask=seen.to(self.model.device),
            max_new_tokens=max(most for _, most in inputs),
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            pad_token_id=pad or 0,
            logits_processor=LogitsProcessorList([recorder]),
        )[:, width:].tolist()
        return [self._reply(row, written, recorder) for row, written in enumerate(made)]

    def _reply(self, row: int, written: list[int], recorder: _Recorder) -> Reply:
        ends = self.model.generation_config.eos_token_id
        ends = {*(ends if isinstance(ends, list) else [ends]), self.tokenizer.eos_token_id}
        stop = next((n for n, i in enumerate(written) if i in ends), len(written))
        tokens: list[Token] = []
        text = ""
        for step, _ in enumerate(written[:stop]):
            longer = self.tokenizer.decode(written[: step + 1], skip_special_tokens=True)
            near, values = (t[row].tolist() for t in recorder.steps[step])
            texts = self.tokenizer.batch_decode([[i] for i in near])
            likely: dict[str, float] = {}
            for name, value in zip(texts, values, strict=True):
                likely.setdefault(name, value)
            tokens.append((longer[len(text) :], likely))
            text = longer
        return Reply(text, tokens, finished=stop < len(written))


class _Recorder(LogitsProcessor):
    """Keeps the likeliest tokens of every step: (ids, log-probabilities), each [batch, NEAR]."""

    def __init__(self) -> None:
        self.steps: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        values, ids = scores.float().log_softmax(-1).topk(min(NEAR, scores.shape[-1]))
        self.steps.append((ids.cpu(), values.cpu()))
        return scores


def fingerprint(folder: str, config: Any) -> str:
    """What names a model's weights: a hub commit, or of a folder its files' sizes and times."""
    path = Path(folder)
    if not path.is_dir():
        return f"{folder}@{getattr(config, '_commit_hash', None)}"
    facts = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in sorted(path.iterdir())]
    return f"{path.name}@{hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()}"
