"""A model with a head that judges: how a turn becomes its tokens, and the tokens scores.

    judge = open_judge("runs/guard")
    judge.logits([record])                        # [1, labels]
    judge.probabilities([record])                 # the same, as calibrated

The models are transformers' own sequence and token classifiers, so a published version loads without
swr1 (its README says how). A causal language model gives its trunk, the head is new; an encoder, or
a classifier with the same labels, serves as well.

The text is what a policy of this tokenizer would read and write: the prompt by the chat template,
the opened turn, the completion, the end mark. An encoder without a template reads the same as plain
lines between its own special tokens.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from swr1 import probe, prompts
from swr1.devices import pick_device
from swr1.errors import DataError, UsageError
from swr1.models import check_fit, load_classifier, load_tokenizer
from swr1.policy import model_folder
from swr1.prompts import assistant_text, render, render_text
from swr1.terminal import say
from swr1.training import engine
from swr1.training.held_out import softmax

GAP = " ... "  # stands for what is left out of a long prompt
CARD = "classifier.json"  # what a version's head is, in its folder
WRONG, RIGHT = "wrong", "right"
CORRECTNESS = "correctness"  # the dimension of a process model with the labels wrong and right


class Item(NamedTuple):
    """What is judged at once.

    `sequences`: one, or the better and the worse of a pair. `labels` [n] int64; `at`: None, or [n]
    the positions of the only sequence that they are of. `key` names the prompt, `source` where the
    record comes from, if anybody asked.
    """

    key: str
    sequences: list[Tensor]
    labels: Tensor
    at: Tensor | None = None
    source: str = ""

    @property
    def padded(self) -> int:
        return len(self.sequences) * max(map(len, self.sequences))


def open_tokenizer(folder: str | Path, prompt_tokens: int | None = None) -> Any:
    """The tokenizer, padding on the right and, where there is a choice, not with the end mark.

    transformers reads a sequence's score at its last token that is no padding: with the end mark as
    padding that would not be the end mark.

    `tokenizer.prompt_tokens` is how much of a prompt `encode` reads; None there: all of it. Args:
    prompt_tokens: None: as the folder's judge learned it.
    """
    tokenizer = load_tokenizer(folder)
    card = Path(folder) / CARD
    if prompt_tokens is None and card.exists():
        prompt_tokens = json.loads(card.read_text()).get("prompt_tokens")
    tokenizer.prompt_tokens = prompt_tokens
    tokenizer.padding_side = "right"
    if tokenizer.pad_token_id in (None, tokenizer.eos_token_id):
        others = (tokenizer.unk_token, tokenizer.bos_token, tokenizer.eos_token)
        tokenizer.pad_token = next((t for t in others if t and t != tokenizer.eos_token), others[2])
    return tokenizer


def open_model(
    folder: str | Path,
    labels: Sequence[str],
    tokenizer: Any,
    device: torch.device,
    *,
    tokens: bool,
    new_head: bool = False,
    seed: int = 0,
) -> Any:
    """The classifier in a model folder; with `new_head` one drawn from the seed, where it has none.

    Args:
        labels: one, of a scalar head, or all classes. tokens: a head over every token.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = load_classifier(folder, labels, torch.float32, tokens=tokens, new_head=new_head)
    check_fit(model, tokenizer, folder)
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    model = model.to(device).eval()
    _settle(model, tokens)
    return model


@torch.no_grad()
def _settle(model: Any, tokens: bool) -> None:
    """Try whether a padded batch says of each text what it says of it alone; else ask one by one."""
    items = [
        Item("", [ids], torch.zeros(n), torch.arange(n) if tokens else None)
        for ids in probe.draw(model)
        for n in [len(ids) if tokens else 1]
    ]
    model.swr1_alone = False
    alone = torch.cat([forward(model, [item]) for item in items])
    off = float((forward(model, items) - alone).abs().max())
    if not off <= 1e-3 * (float(alone.std()) + 0.01):
        model.swr1_alone = True
        say(
            "swr1",
            f"{type(model).__name__} is asked one text at a time: in a batch it is {off:.2g} off",
        )


def train_head(model: Any) -> None:
    """Make the head trainable, also where adapters froze everything else."""
    trunk = set(map(id, model.base_model.parameters()))
    for p in model.parameters():
        if id(p) not in trunk:
            p.requires_grad_(True)


def encode(tokenizer: Any, prompt: list[dict], turn: str) -> Tensor:
    """Token ids [T] of the whole: prompt, assistant's turn, end mark.

    Of a prompt that is longer than `tokenizer.prompt_tokens` the beginning and the end are read; with
    0 there the prompt is an empty one. The turn, which is judged, is never cut.
    """
    limit = tokenizer.prompt_tokens
    if limit == 0:
        prompt, limit = [{"role": "user", "content": ""}], None
    if is_encoder(tokenizer):
        short = without_middle(tokenizer, render_text(tokenizer, prompt), limit)
        whole = short + turn
        split = prompts.holds_control(tokenizer, whole)
        return torch.tensor(tokenizer(whole, split_special_tokens=split)["input_ids"])
    ids = render(tokenizer, prompt)
    if limit is not None and len(ids) > limit:
        ids = [*ids[: limit // 2], *prompts.encode(tokenizer, GAP), *ids[limit // 2 - limit :]]
    ids += prompts.encode(tokenizer, turn.removesuffix(tokenizer.eos_token))
    return torch.tensor([*ids, tokenizer.eos_token_id])


def without_middle(tokenizer: Any, text: str, limit: int | None) -> str:
    """The text, or of one with more than `limit` tokens its first and its last half of so many."""
    if limit is None:
        return text
    coded = tokenizer(
        text,
        add_special_tokens=False,
        return_offsets_mapping=True,
        split_special_tokens=prompts.holds_control(tokenizer, text),
        verbose=False,
    )
    spans = coded["offset_mapping"]
    if len(spans) <= limit:
        return text
    return text[: spans[limit // 2 - 1][1]] + GAP + text[spans[limit // 2 - limit][0] :]


def encode_steps(
    tokenizer: Any, prompt: list[dict], turn: str, steps: Sequence[str]
) -> tuple[Tensor, Tensor]:
    """Token ids [T] of prompt and turn, and the position [S] of each step's last token.

    Raises DataError for a step that the turn does not hold, in this order.
    """
    cursor = 0
    ends = []
    for step in steps:
        begin = turn.find(step, cursor)
        if begin < 0 or not step:
            raise DataError(f"the step {step!r} is not in the turn, behind the step before it")
        cursor = begin + len(step)
        ends.append(cursor)
    return encode_ends(tokenizer, prompt, turn, ends)


def encode_ends(
    tokenizer: Any, prompt: list[dict], turn: str, ends: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Token ids [T] of prompt and turn, and the position [S] of the token with the last character
    before each of the `ends`, which ascend."""
    if not tokenizer.is_fast or is_encoder(tokenizer):
        raise UsageError("a process model needs a decoder with a fast tokenizer")
    ids = render(tokenizer, prompt)
    start = len(ids)
    coded = tokenizer(
        turn,
        add_special_tokens=False,
        return_offsets_mapping=True,
        split_special_tokens=prompts.holds_control(tokenizer, turn),
    )
    spans = coded["offset_mapping"]
    token = 0
    at = []
    for end in ends:
        while token + 1 < len(spans) and spans[token + 1][0] < end:
            token += 1
        at.append(start + token)
    return torch.tensor(ids + coded["input_ids"]), torch.tensor(at, dtype=torch.long)


def is_encoder(tokenizer: Any) -> bool:
    """Whether it is the tokenizer of an encoder that knows no chat template."""
    return tokenizer.cls_token is not None and not tokenizer.chat_template


def forward(model: Any, items: Sequence[Item], autocast: torch.dtype = torch.float32) -> Tensor:
    """Logits [N, K] of the items' labels, one item after another, float32.

    Of a pair they are the two scores: its label is 0, the first, and softmax over the two is the
    Bradley-Terry probability that the first is better.
    """
    sequences = [s for item in items for s in item.sequences]
    if getattr(model, "swr1_alone", False):
        width = max(map(len, sequences))
        parts = [_logits(model, [s], autocast) for s in sequences]
        if parts[0].ndim == 3:
            parts = [pad(x, (0, 0, 0, width - x.shape[1])) for x in parts]
        logits = torch.cat(parts)
    else:
        logits = _logits(model, sequences, autocast)
    if items[0].at is not None:
        at_steps = [logits[row, item.at] for row, item in enumerate(items) if item.at is not None]
        return torch.cat(at_steps)
    return logits.view(len(items), -1) if logits.shape[1] == 1 else logits


def _logits(model: Any, sequences: Sequence[Tensor], autocast: torch.dtype) -> Tensor:
    """The logits of padded sequences: [n, K], or [n, T, K] of a head over all tokens."""
    width = max(map(len, sequences))
    padding = model.config.get_text_config().pad_token_id
    ids = torch.full((len(sequences), width), padding)
    seen = torch.zeros(len(sequences), width, dtype=torch.long)
    for row, s in enumerate(sequences):
        ids[row, : len(s)], seen[row, : len(s)] = s, 1
    device = model.device
    with torch.autocast(device.type, dtype=autocast, enabled=autocast != torch.float32):
        return model(
            input_ids=ids.to(device),
            # The fast kernels are those without a mask.
            attention_mask=None if bool(seen.all()) else seen.to(device),
        ).logits.float()


@torch.no_grad()
def all_logits(
    model: Any, items: Sequence[Item], micro_tokens: int, autocast: torch.dtype = torch.float32
) -> list[np.ndarray]:
    """The logits [n, K] of every item, float64, in micro-batches of like length."""
    logits: list[np.ndarray] = [np.empty(0)] * len(items)
    for cut in engine.micro_batches([item.padded for item in items], micro_tokens):
        some = [items[i] for i in cut]
        parts = forward(model, some, autocast).cpu().double().split([len(s.labels) for s in some])
        for i, part in zip(cut, parts, strict=True):
            logits[i] = part.numpy()
    return logits


class Judge:
    """A published classifier: guard or reward model, or process model.

    Attributes: stage ("guard", "reward-model", "process-model"), labels, temperature, offsets [K];
    facts, all that its card says. Of a process model: `rule`, how its steps were split; `dimensions`,
    what it says of a step; `thresholds`, from which a step is right, where they were fitted.
    """

    def __init__(self, folder: str | Path, device: str = "auto") -> None:
        self.folder = Path(folder)
        try:
            facts = json.loads((self.folder / CARD).read_text())
        except FileNotFoundError:
            raise DataError(
                f"no {CARD}: it was not made by swr1 train-step guard, reward-model or process-model",
                str(folder),
            ) from None
        except ValueError as error:
            raise DataError(f"it is not JSON ({error})", str(self.folder / CARD)) from None
        try:
            self.facts, self.stage, self.labels = facts, facts["stage"], list(facts["labels"])
            scale = facts["temperature"] or 1.0
            self.temperature = np.array(scale, float) if isinstance(scale, list) else float(scale)
        except (KeyError, TypeError, ValueError):
            raise DataError(
                "it does not say stage, labels and temperature", str(self.folder / CARD)
            ) from None
        self.offsets = np.array(facts.get("offsets") or [0.0] * len(self.labels))
        self.rule: str | None = facts.get("rule", "line")
        self.dimensions: list[str] = facts.get("dimensions") or [CORRECTNESS]
        limits = facts.get("threshold") or {}
        self.thresholds: dict[str, float] = (
            limits if isinstance(limits, dict) else {CORRECTNESS: limits}
        )
        self.tokenizer = open_tokenizer(self.folder)
        self.model = open_model(
            self.folder,
            self.labels,
            self.tokenizer,
            pick_device(device),
            tokens=self.stage == "process-model",
        )

    def logits(self, records: Sequence[dict], micro_tokens: int = 16_384) -> np.ndarray:
        """[N, K] of completed records, float64; of a reward model [N, 1], the score."""
        items = [
            Item("", [encode(self.tokenizer, r["prompt"], assistant_text(r))], torch.zeros(1))
            for r in records
        ]
        return np.concatenate(all_logits(self.model, items, micro_tokens))

    def probabilities(self, records: Sequence[dict]) -> np.ndarray:
        """[N, K] of completed records, as calibrated: softmax(logits / temperature + offsets)."""
        return softmax(self.logits(records) / self.temperature + self.offsets)

    def step_probabilities(self, inputs: Sequence[tuple[Tensor, Tensor]]) -> list[np.ndarray]:
        """[S, D] per turn: how likely each step is right in each dimension, as calibrated.

        Args: inputs: what `encode_ends` gives of the turns.
        """
        items = [Item("", [ids], torch.zeros(len(at)), at) for ids, at in inputs]
        tables = []
        for logits in all_logits(self.model, items, 16_384):
            scaled = logits / self.temperature + self.offsets
            if self.facts.get("dimensions"):
                tables.append(1 / (1 + np.exp(-scaled)))
            else:
                tables.append(softmax(scaled)[:, 1:])
        return tables

    def step_logits(self, prompt: list[dict], turn: str, steps: Sequence[str]) -> np.ndarray:
        """[S, 2] (wrong, right) of the steps of a turn, float64; of a process model."""
        ids, ends = encode_steps(self.tokenizer, prompt, turn, steps)
        return all_logits(self.model, [Item("", [ids], torch.zeros(len(ends)), ends)], 1)[0]


def open_judge(name: str | Path, version: int | None = None, device: str = "auto") -> Judge:
    """The judge of a version (None: the latest) of a policy folder, or of a version's own folder."""
    return Judge(model_folder(name, version), device)
