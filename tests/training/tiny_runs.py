"""Tiny policies, and rollouts sampled by the plainest loop there is (an oracle for the trainer)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from swr1.models import load_tokenizer
from swr1.objectives.presets import get_preset
from swr1.options import options_of
from swr1.policy import Policy
from swr1.prompts import Prompt
from swr1.training import engine, rl
from swr1.training.config import RLConfig
from swr1.training.init import DecoderConfig, init_policy
from swr1.training.modes import MODES

WORDS = [
    "the",
    "knight",
    "said",
    "knave",
    "and",
    "Zoey",
    "is",
    "a",
    "or",
    "if",
    "then",
    "not",
    "true",
    "false",
    "(",
    ")",
    ".",
    ":",
]


def make_policy(path: Path, **options) -> Policy:
    """init.init_policy with all options as keywords."""
    others, sizes = _split(options, ("source", "corpus", "dtype", "force", "system_prompt"))
    return init_policy(path, DecoderConfig(**sizes), **others)


def tiny_policy(path: Path, seed: int = 0, **sizes) -> Policy:
    """A policy with opinions: its logits are spread out, not all but equal."""
    sizes = {"hidden": 16, "layers": 2, "heads": 2, "max_positions": 64} | sizes
    policy = make_policy(path, corpus=[" ".join(WORDS)], seed=seed, **sizes)
    file = policy.folder() / "model.safetensors"
    state = load_file(file)
    state["model.embed_tokens.weight"] *= 8
    save_file(state, file, metadata={"format": "pt"})
    return policy


HOOKS = ("metrics", "log", "on_step")


def _split(options: dict, names: Iterable[str]) -> tuple[dict, dict]:
    """The options of these names, and all others."""
    chosen = {name: options[name] for name in names if name in options}
    return chosen, {name: v for name, v in options.items() if name not in chosen}


def rl_config(objective: str = "reinforce++", **options) -> RLConfig:
    """Fields of RLConfig and of the objective."""
    of_run, of_objective = _split(options, options_of(RLConfig))
    return RLConfig(objective=get_preset(objective, **of_objective), **of_run)


def train_rl(records, policy: Policy, objective: str = "reinforce++", **options) -> dict:
    """rl.train_rl with options as keywords."""
    hooks, options = _split(options, HOOKS)
    return rl.train_rl(records, policy, rl_config(objective, **options), **hooks)


def train_mode(mode: str, records, policy: Policy, **options) -> dict:
    """The training function of a mode with options as keywords; `prompt` is the system prompt.

    Without a prompt, texts are rendered without any system prompt.
    """
    hooks, options = _split(options, HOOKS)
    if mode in ("sft", "dpo"):
        options = {"as_sampled": True} | options
        options["system_prompt"] = options.pop("prompt", Prompt("none"))
    return MODES[mode].load()(records, policy, MODES[mode].config(**options), **hooks)


def train_sft(records, policy: Policy, **options) -> dict:
    return train_mode("sft", records, policy, **options)


def train_dpo(records, policy: Policy, **options) -> dict:
    return train_mode("dpo", records, policy, **options)


def train_guard(records, policy: Policy, **options) -> dict:
    return train_mode("guard", records, policy, **options)


def train_reward_model(records, policy: Policy, **options) -> dict:
    return train_mode("reward-model", records, policy, **options)


def train_process_model(records, policy: Policy, **options) -> dict:
    return train_mode("process-model", records, policy, **options)


def load(policy: Policy, version: int | None = None):
    """Model and tokenizer of a version, as plain transformers loads them."""
    folder = policy.folder(version)
    return engine.load_model(folder, torch.device("cpu"), torch.float32), load_tokenizer(folder)


def weights(policy: Policy, version: int | None = None) -> dict[str, torch.Tensor]:
    return load_file(policy.folder(version) / "model.safetensors")


def same_weights(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def noisy_reward(tokens: list[int], rng: random.Random) -> float:
    """One of Logic-RL's rewards, whatever was written."""
    return rng.choice([-3.0, -0.5, 3.0])


@torch.no_grad()
def sample_records(
    policy: Policy,
    prompts: int,
    group: int,
    reward: Callable[[list[int], random.Random], float],
    *,
    max_tokens: int = 8,
    temperature: float = 1.0,
    seed: int = 0,
    epoch: int = 0,
) -> list[dict]:
    """Scored records, one forward pass per token without cache or padding."""
    model, tokenizer = load(policy)
    rng = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    records = []
    for n in range(prompts):
        text = " ".join(rng.choice(WORDS) for _ in range(rng.randint(2, 6)))
        prompt_ids = tokenizer(text)["input_ids"]
        for k in range(group):
            ids, logprobs = list(prompt_ids), []
            while len(logprobs) < max_tokens:
                logits = model(torch.tensor([ids])).logits[0, -1].float() / temperature
                logp = torch.log_softmax(logits, -1)
                token = int(torch.multinomial(logp.exp(), 1, generator=generator))
                ids.append(token)
                logprobs.append(float(logp[token]))
                if token == tokenizer.eos_token_id:
                    break
            new = ids[len(prompt_ids) :]
            score = reward(new, rng)
            records.append(
                {
                    "id": f"p{n}",
                    "prompt": [{"role": "user", "content": text}],
                    "sample": k,
                    "completion": tokenizer.decode(new, skip_special_tokens=True),
                    "generation": {
                        "epoch": epoch,
                        "group": group,
                        "prefill": "",
                        "policy": {"name": policy.name, "version": policy.latest()},
                        "sampling": {"temperature": temperature, "max_tokens": max_tokens},
                        "prompt_ids": prompt_ids,
                        "token_ids": new,
                        "logprobs": logprobs,
                        "loss_mask": [1] * len(new),
                        "finish_reason": "stop" if new[-1] == tokenizer.eos_token_id else "length",
                    },
                    "verdicts": {"knights": {"score": float(score > 0)}, "format": {"score": 1.0}},
                    "reward": score,
                    "reward_parts": {"answer": {"value": score, "weight": 1.0}},
                }
            )
    return records
