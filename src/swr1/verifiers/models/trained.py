"""A classifier of responses in this process: ours, made by swr1 train-step, or a published one.

`swr1 train-step guard` and `reward-model` make policy folders whose versions hold classifier.json;
its temperature and offsets are used. A model folder of transformers' sequence classifiers without it is read the
same way (prompt and response by the chat template), with the labels of its config.
"""

from pathlib import Path
from typing import Any

import numpy as np

from swr1.devices import pick_device
from swr1.errors import DataError, SwrError, UsageError
from swr1.models import load_config
from swr1.policy import model_folder
from swr1.tags import REASONING
from swr1.training import engine, heads
from swr1.training.held_out import softmax
from swr1.verifiers.models.reply import CouldNotJudge, InBatches, Question, Reply


class TrainedModel(InBatches):
    """Args: folder: a policy or model folder. batch: records at a time."""

    template = ""

    def __init__(self, folder: str, *, device: str, batch: int) -> None:
        from swr1.verifiers.models.local import fingerprint

        self.name = str(folder)
        path = Path(model_folder(folder))
        config = load_config(path)
        if (path / heads.CARD).exists():
            judge = heads.open_judge(path, device=device)
            if judge.stage == "process-model":
                raise UsageError(
                    f"{folder} is a process model: it judges steps, not responses;"
                    f" `swr1 verify steps --set steps.model={folder}` asks it"
                )
            self.labels, self.temperature = list(judge.labels), judge.temperature
            self.offsets = judge.offsets
            self.tokenizer, self.model = judge.tokenizer, judge.model
        else:
            names = config.id2label
            self.labels = [names[i] for i in range(len(names))] if len(names) > 1 else ["reward"]
            self.temperature, self.offsets = 1.0, np.zeros(len(self.labels))
            self.tokenizer = heads.open_tokenizer(path)
            self.model = heads.open_model(
                path, self.labels, self.tokenizer, pick_device(device), tokens=False
            )
        # The tags of reasoning may be tokens, too; they are what the policy should write.
        self.special = tuple(set(self.tokenizer.all_special_tokens) - set(REASONING))
        self.context = engine.context_length(path)
        super().__init__(batch)
        self.identity = f"classifier {fingerprint(str(path), config)}"

    @property
    def scalar(self) -> bool:
        """Whether it is a reward model: one number, no classes."""
        return len(self.labels) == 1

    def prepared(self, question: Question, harmless: Question) -> Any:
        *prompt, answer = question.messages
        try:
            ids = heads.encode(self.tokenizer, prompt, answer["content"])
        except DataError as error:
            raise CouldNotJudge(error.reason) from None
        if self.context and len(ids) > self.context:
            raise CouldNotJudge(f"{len(ids)} tokens are more than it can read ({self.context})")
        return ids

    def replies(self, inputs: list[Any]) -> list[Reply]:
        import torch

        items = [heads.Item("", [ids], torch.zeros(1)) for ids in inputs]
        try:
            logits = heads.all_logits(self.model, items, 16_384)
        except RuntimeError as error:
            raise SwrError(f"the guard {self.name} failed: {error}") from error
        replies = []
        for row in logits:
            values = row[0] if self.scalar else softmax(row / self.temperature + self.offsets)[0]
            named = {n: float(v) for n, v in zip(self.labels, values, strict=True)}
            replies.append(Reply(values=named))
        return replies


def is_classifier(folder: str) -> bool:
    """Whether a folder holds a head: made by swr1, or a sequence classifier of transformers."""
    try:
        path = Path(model_folder(folder))
    except (SwrError, OSError):
        return False
    if (path / heads.CARD).exists():
        return True
    config = path / "config.json"
    return config.is_file() and "ForSequenceClassification" in config.read_text(errors="replace")
