"""Tiny models that take pictures, and records with drawn noise for pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from swr1 import vision as eyes
from swr1.pictures import part_of, picture_of
from swr1.policy import Policy
from swr1.training.init import DecoderConfig, init_policy

ARCHITECTURES = ["qwen2_5_vl", "qwen3_vl", "internvl", "smolvlm"]
WORDS = "how many red blue circles ? what is the colour of square answer one two three none a b"
SIZES = [(48, 48), (48, 96), (100, 64), (33, 70), (16, 16)]  # height, width


def policy(
    folder: Path, architecture: str = "qwen2_5_vl", seed: int = 0, hidden: int = 48
) -> Policy:
    """A policy with opinions, which change with what it sees: weights are far from their small start."""
    sizes = DecoderConfig(
        architecture=architecture, hidden=hidden, layers=2, max_positions=256, seed=seed
    )
    made = init_policy(folder, sizes, corpus=[WORDS])
    file = made.folder() / "model.safetensors"
    state = {
        name: value * (1 if "norm" in name or value.ndim < 2 else 4)
        for name, value in load_file(file).items()
    }
    save_file(state, file, metadata={"format": "pt"})
    return made


def part(seed: int, size: tuple[int, int] = (48, 48)) -> dict[str, Any]:
    """A picture of noise, in the record itself."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return part_of(picture_of(Image.fromarray(pixels)))


def ask(text: str, *pictures: dict[str, Any]) -> list[dict[str, Any]]:
    """A prompt: pictures, each but the first behind a word, then a text."""
    content: list[dict[str, Any]] = []
    for i, shown in enumerate(pictures):
        content += ([{"type": "text", "text": "what "}] if i else []) + [shown]
    return [{"role": "user", "content": [*content, {"type": "text", "text": text}]}]


QUESTION = "how many red circles ?"


def prompts() -> dict[str, list[dict[str, Any]]]:
    """Prompts of all kinds; the first three have the same words and other pictures."""
    made = {f"p{i}": ask(QUESTION, part(i, size)) for i, size in enumerate(SIZES[:3])}
    made["text"] = [{"role": "user", "content": "what is the colour of the square ?"}]
    made["two"] = ask(QUESTION, part(3, SIZES[3]), part(4, SIZES[4]))
    made["same"] = ask(QUESTION, part(3, SIZES[3]), part(3, SIZES[3]))
    made["swapped"] = ask(QUESTION, part(4, SIZES[4]), part(3, SIZES[3]))
    return made


def plain(folder: Path) -> Any:
    """The model as transformers opens it, without anything of ours."""
    return AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()


def plain_logprobs(model: Any, vision: eyes.Vision, example: Any) -> torch.Tensor:
    """[N] of an example by one direct call; the architecture makes its positions itself."""
    options = vision.tensors(example.pictures)
    if vision.spatial and example.pictures:
        options["mm_token_type_ids"] = (example.ids == vision.token).int()[None]
    with torch.no_grad():
        logits = model(input_ids=example.ids[None], **options).logits[0].float()
    logits[:, vision.forbidden] = float("-inf")
    table = torch.log_softmax(logits, -1)
    return table[example.targets - 1, example.ids[example.targets]]
