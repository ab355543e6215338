"""Tokens that a tool put in get no gradient, along the whole way of a step: packed rows or padded
batches, KL to a reference, entropy; RL, and SFT on texts made of pieces.

Shown from both sides by what stands before the output layer. A change there at the places that
predict inserted tokens moves nothing, bit for bit; at the places of the policy's own tokens it does.
And the gradient there is exactly 0 for the former.
"""

import copy
import json
import random
import shutil

import pytest
import torch
from tiny_runs import (
    load,
    rl_config,
    same_weights,
    tiny_policy,
    train_rl,
    train_sft,
    weights,
)
from update_tools import Gradient

from swr1.policy import Policy
from swr1.training import engine, packing
from swr1.training.groups import read_sample
from swr1.training.scorer import Scorer
from swr1.training.update import Learner, rl_step

OWN = ("the", "knight", "said", "and", "is", "a", "or")
READ = ("Zoey", "true", "false")  # words that only a tool writes
CLOCKS = {"wait_s", "compute_s", "seconds"}
OPTIONS = {"kl": 0.3, "entropy": 0.05, "llds": 0.5, "max_grad_norm": None}


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Policy:
    return tiny_policy(tmp_path_factory.mktemp("masked") / "p", tools="search", max_positions=128)


@pytest.fixture(scope="module")
def tokenizer(start):
    return load(start)[1]


@pytest.fixture(scope="module")
def masked(tokenizer) -> set[int]:
    """The tokens after which an inserted one comes: the call's end, and all of a reply but its last."""
    return set(
        tokenizer.convert_tokens_to_ids(["</search>", "<information>", *(f"▁{w}" for w in READ)])
    )


def words(rng: random.Random, among, most: int) -> str:
    return " ".join(rng.choice(among) for _ in range(rng.randint(1, most)))


def completion(tokenizer, rng: random.Random) -> tuple[list[int], str, list[dict]]:
    """Ids and text with one or two calls, and its turns."""
    parts = []
    for _ in range(rng.randint(1, 2)):
        parts.append(("wrote", f"{words(rng, OWN, 4)} <search> {words(rng, OWN, 2)}</search>"))
        parts.append(("read", f"<information>\n{words(rng, READ, 6)}\n</information>"))
    parts.append(("wrote", f" {words(rng, OWN, 4)} <answer> {words(rng, OWN, 2)}</answer>"))
    ids, text, turns = [], "", []
    for kind, part in parts:
        more = tokenizer(part, add_special_tokens=False)["input_ids"]
        shown = tokenizer.decode(more)
        tokens = [len(ids), len(ids) + len(more)]
        turns.append(
            {"kind": kind, "tokens": tokens, "characters": [len(text), len(text) + len(shown)]}
        )
        ids, text = ids + more, text + shown
    return ids, text, turns


def records(tokenizer, seed: int = 0, groups: int = 4, size: int = 3) -> list[dict]:
    """Scored records of a policy that is not this one: every clip, KL and drop is at work."""
    rng = random.Random(seed)
    out = []
    for g in range(groups):
        asked = words(rng, OWN, 5)
        for k in range(size):
            ids, text, turns = completion(tokenizer, rng)
            mask = [0] * len(ids)
            for turn in turns:
                if turn["kind"] == "wrote":
                    mask[slice(*turn["tokens"])] = [1] * (turn["tokens"][1] - turn["tokens"][0])
            out.append(
                {
                    "id": f"p{g}",
                    "prompt": [{"role": "user", "content": asked}],
                    "sample": k,
                    "completion": text,
                    "generation": {
                        "epoch": 0,
                        "group": size,
                        "policy": {"name": "p", "version": 0},
                        "sampling": {"temperature": 0.9, "max_tokens": 40},
                        "prompt_ids": tokenizer(asked, add_special_tokens=False)["input_ids"],
                        "token_ids": ids,
                        "logprobs": [-rng.uniform(2, 4) * m for m in mask],
                        "loss_mask": mask,
                        "turns": turns,
                        "finish_reason": "stop",
                    },
                    "verdicts": {"right": {"score": float(k % 2)}},
                    "reward": rng.uniform(-1, 1),
                    "reward_parts": {},
                }
            )
    return out


def texts(data: list[dict]) -> list[dict]:
    """The same as SFT gets them from traces: no token ids, only a text and its turns."""
    out = copy.deepcopy(data)
    for n, record in enumerate(out):
        record["id"] += f"-{n}"
        turns = record["generation"]["turns"]
        kept = [{k: v for k, v in turn.items() if k != "tokens"} for turn in turns]
        record["generation"] = {"turns": kept, "finish_reason": "stop"}
    return out


def at_places(model, change) -> None:
    """Let `change(hidden, ids)` be what the output layer gets."""

    def hook(module, args, kwargs, output):
        output.last_hidden_state = change(output.last_hidden_state, kwargs["input_ids"])
        return output

    model.base_model.register_forward_hook(hook, with_kwargs=True)


def among(ids: torch.Tensor, some: set[int]) -> torch.Tensor:
    return torch.isin(ids, torch.tensor(sorted(some)))


@pytest.fixture
def trained(tmp_path, start, tokenizer, monkeypatch):
    """`trained(how, places, packed)`: weights and metrics after training with changed places."""
    real, runs = engine.load_model, iter(range(99))

    def run(how: str, places: set[int], packed: bool = True):
        changed = []

        def change(hidden, ids):
            here = among(ids, places)
            changed.append(int(here.sum()))
            return hidden + here[..., None] * torch.linspace(-3, 3, hidden.shape[-1])

        def loaded(*args, **kwargs):
            model = real(*args, **kwargs)
            at_places(model, change)
            if not packed:
                packing.disable(model)
            return model

        policy = Policy(tmp_path / str(next(runs)))
        shutil.copytree(start.path, policy.path, symlinks=True)
        told = {"metrics": policy.path / "m.jsonl", "log": lambda _: None, "lr": 1e-2}
        data = records(tokenizer)
        with monkeypatch.context() as patch:
            patch.setattr(engine, "load_model", loaded)
            if how == "grpo":
                fields = OPTIONS | {"batch": 2, "micro_tokens": 60, "ratio_tolerance": 1e9}
                train_rl(iter(data), policy, "grpo", **told | fields)
            else:
                given = {"as_sampled": how == "sft"}
                given |= {"batch": 6, "micro_tokens": 60, "steps": 2}
                data = data if how == "sft" else texts(data)
                train_sft(iter(data), policy, **told | given)
        rows = [json.loads(line) for line in (policy.path / "m.jsonl").read_text().splitlines()]
        rows = [{k: v for k, v in row.items() if k not in CLOCKS} for row in rows]
        return weights(policy), rows, sum(changed)

    return run


@pytest.mark.parametrize(
    ("how", "packed"), [("grpo", True), ("grpo", False), ("sft", True), ("sft by pieces", True)]
)
def test_what_is_predicted_at_an_inserted_token_moves_nothing(trained, masked, how, packed):
    plain, rows, _ = trained(how, set(), packed)
    changed, others, places = trained(how, masked, packed)
    assert places > 40 and same_weights(plain, changed) and rows == others
    own = set(range(masked_size(plain))) - masked
    moved, others, places = trained(how, own, packed)
    assert places > 40 and not same_weights(plain, moved)
    assert all(a["loss"] != b["loss"] for a, b in zip(rows, others, strict=True))


def masked_size(state: dict[str, torch.Tensor]) -> int:
    return len(state["model.embed_tokens.weight"])


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("objective", ["grpo", "dapo", "gspo", "cispo", "reinforce++"])
def test_the_gradient_of_an_inserted_token_is_nothing(start, tokenizer, masked, objective, packed):
    """The gradient of the whole loss by what stands before the output layer, place by place."""
    model, reference = load(start)[0], load(start)[0]
    with torch.no_grad():  # so that the KL pulls
        reference.model.embed_tokens.weight.mul_(1.1)
    if not packed:
        packing.disable(model)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def noting(hidden, ids):
        if hidden.requires_grad:
            hidden.retain_grad()
            seen.append((hidden, ids))
        return hidden

    at_places(model, noting)
    data = records(tokenizer, seed=7)
    groups = [data[i : i + 3] for i in range(0, len(data), 3)]
    samples = [[read_sample(r, len(tokenizer)) for r in group] for group in groups]
    config = rl_config(objective, **OPTIONS | {"batch": 4, "minibatch": 4, "gamma": 0.9})
    learner = Learner(
        scorer=Scorer(model, 60, torch.float32),
        reference=Scorer(reference, 60, torch.float32),
        optimizer=Gradient(model),
    )
    rl_step(samples, config, learner, lr=1.0, seed=0)
    inserted = own = 0
    for hidden, ids in seen:
        here = among(ids, masked)
        size = hidden.grad.abs().sum(-1)
        assert float(size[here].sum()) == 0
        inserted, own = inserted + int(here.sum()), own + int((size > 0).sum())
    assert len(seen) > 3 and inserted > 40
    trained = sum(sum(r["generation"]["loss_mask"]) for r in data)
    # Every own token has one; in packed rows samples share the place that predicts their first.
    assert own == trained if not packed else trained - len(data) < own < trained
