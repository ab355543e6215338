"""TRL's GRPOTrainer and this project's step: the same tokens, rewards and old log-probabilities,
the same loss and gradient, wherever both have the setting; and where they differ, shown.

TRL scores its own generations only, so what it generates is put in its place; rewards, advantages
and loss are TRL's own. Its import takes ten seconds: these tests are slow.
"""

import copy

import pytest
import torch
from tiny_runs import load, tiny_policy
from update_tools import LIMIT, measure, random_groups

pytestmark = pytest.mark.slow

SIZE, GROUPS = 4, 6


def right(completions, right, **_):
    return right


def wordy(completions, wordy, **_):
    return wordy


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A trainer of TRL, the same weights twice for ours, and a reference."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    home = tmp_path_factory.mktemp("trl")
    model, tokenizer = load(tiny_policy(home / "p"))
    reference = load(tiny_policy(home / "ref", seed=1))[0]
    config = GRPOConfig(
        output_dir=str(home / "out"),
        per_device_train_batch_size=SIZE * GROUPS,
        num_generations=SIZE,
        max_completion_length=LIMIT,
        temperature=0.9,  # that of random_groups
        report_to=[],
        use_cpu=True,
        bf16=False,
        disable_dropout=True,
    )
    trainer = GRPOTrainer(
        model=copy.deepcopy(model),
        reward_funcs=[right, wordy],
        args=config,
        train_dataset=Dataset.from_list([{"prompt": "the", "right": 0.0, "wordy": 0.0}] * 64),
        processing_class=tokenizer,
    )
    trainer.current_gradient_accumulation_steps = 1
    trainer.model.train()
    return trainer, model, reference


def batch(seed: int, masked_rows: bool = False) -> list[list[dict]]:
    """Groups of SIZE with something to train on in each row; the reward is right - wordy / 4."""
    groups, tried = [], seed * 1000
    while len(groups) < GROUPS:
        (group,) = random_groups(tried, groups=1, largest=SIZE)
        tried += 1
        trained = [sum(r["generation"]["loss_mask"]) for r in group]
        if len(group) == SIZE and all(trained):
            groups.append(group)
    for group in groups:
        for r in group:
            parts = {k: p["value"] for k, p in r["reward_parts"].items()}
            r["reward"] = parts["right"] - parts["wordy"] / 4
    if masked_rows:
        generation = groups[0][0]["generation"]
        generation["loss_mask"] = [0] * len(generation["token_ids"])
    return groups


def padded(rows: list[list[float]]) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([[*r, *[0.0] * (width - len(r))] for r in rows])


def of_trl(trainer, groups, reference=None, **settings) -> tuple[float, torch.Tensor]:
    """TRL's loss and gradient, after its own rewards, advantages and masks."""
    defaults = {
        "loss_type": "dapo",
        "importance_sampling_level": "token",
        "epsilon_low": 0.2,
        "epsilon_high": 0.2,
        "beta": 0.0,
        "scale_rewards": "group",
        "multi_objective_aggregation": "sum_then_normalize",
        "reward_weights": torch.tensor([1.0, -0.25]),
        "max_completion_length": LIMIT,
    }
    arguments = {"delta": None, "use_bias_correction_kl": False}
    for name, value in (defaults | settings).items():
        if name not in arguments:
            setattr(trainer, name, value)
    for name, value in arguments.items():
        setattr(trainer.args, name, settings.get(name, value))
    records = [r for g in groups for r in g]
    made = [r["generation"] for r in records]
    rows = [
        {"prompt": "the"} | {k: p["value"] for k, p in r["reward_parts"].items()} for r in records
    ]
    trainer._generate = lambda prompts: (
        [g["prompt_ids"] for g in made],
        [g["token_ids"] for g in made],
        [g["loss_mask"] for g in made],
        ["" for _ in made],
        None,
        {},
        None,
        None,
    )
    beta, trainer.beta = trainer.beta, 0.0  # the reference's log-probabilities follow below
    inputs = trainer._generate_and_score_completions(rows)
    trainer.beta = beta
    inputs["old_per_token_logps"] = padded([g["logprobs"] for g in made])
    if reference is not None:
        inputs["ref_per_token_logps"] = padded([scores(reference, g) for g in made])
    loss = trainer.compute_loss(trainer.model, inputs)
    loss.backward()
    gradient = torch.cat([p.grad.flatten() for p in trainer.model.parameters()])
    trainer.model.zero_grad(set_to_none=True)
    return float(loss.detach()), gradient


@torch.no_grad()
def scores(model, generation: dict) -> list[float]:
    ids = generation["prompt_ids"] + generation["token_ids"]
    logits = model(torch.tensor([ids])).logits[0].float() / generation["sampling"]["temperature"]
    logp = logits.log_softmax(-1)
    start = len(generation["prompt_ids"])
    return [float(logp[t - 1, ids[t]]) for t in range(start, len(ids))]


PLAIN = {"eps": 1e-4, "overlong": 0.0, "filter_on": ""}
SAME = {
    "dapo": ({"epsilon_high": 0.28}, "dapo", {}),
    "dapo, delta": ({"epsilon_high": 0.28, "delta": 2.0}, "dapo", {"dual_clip": 2.0}),
    "grpo": ({"loss_type": "grpo", "beta": 0.04}, "grpo", {}),
    "grpo, unbiased KL": (
        {"loss_type": "grpo", "beta": 0.04, "use_bias_correction_kl": True},
        "grpo",
        {"kl_ratio": True},
    ),
    "dr_grpo": ({"loss_type": "dr_grpo", "scale_rewards": "none"}, "dr-grpo", {}),
    "scale_rewards batch": (
        {"scale_rewards": "batch"},
        "dapo",
        {"advantage": "grpo-batch", "clip_high": 0.2},
    ),
    "sapo": ({"loss_type": "sapo"}, "sapo", {}),
    "cispo": ({"loss_type": "cispo", "epsilon_high": 5.0}, "cispo", {}),
    "sequence level": (
        {
            "loss_type": "grpo",
            "importance_sampling_level": "sequence",
            "epsilon_low": 0.1,
            "epsilon_high": 0.2,
        },
        "gspo",
        {"clip_low": 0.1, "clip_high": 0.2},
    ),
    "luspo": (
        {"loss_type": "luspo", "importance_sampling_level": "sequence"},
        "gspo",
        {"clip_low": 0.2, "clip_high": 0.2, "aggregation": "seq-mean-token-sum"},
    ),
    "normalize_then_sum": (
        {"multi_objective_aggregation": "normalize_then_sum"},
        "gdpo",
        {"parts": {"right": 1.0, "wordy": -0.25}},
    ),
}


@pytest.mark.parametrize("setting", SAME)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equal_loss_and_gradient(world, setting: str, seed: int):
    trainer, model, reference = world
    theirs, name, ours = SAME[setting]
    groups = batch(seed)
    ref = reference if theirs.get("beta") else None
    loss, gradient = of_trl(trainer, groups, ref, **theirs)
    row, our_gradient = measure(model, groups, name, ref=ref, **PLAIN | ours)
    assert row["loss"] == pytest.approx(loss, rel=1e-5, abs=1e-6)
    assert float(gradient.norm()) > 1e-3
    assert float((gradient - our_gradient).norm()) < 2e-5 * float(gradient.norm())


def test_they_differ_by_a_row_without_trained_tokens(world):
    """TRL's grpo divides by it too; everywhere else the row is in its group's baseline there."""
    trainer, model, _ = world
    groups = batch(0, masked_rows=True)
    # In the place of the baseline: rewards that make the masked row's irrelevant to the others.
    rewards = [r["reward"] for r in groups[0][1:]]
    first = groups[0][0]
    first["reward"] = sum(rewards) / len(rewards)
    first["reward_parts"] = {
        "right": {"value": first["reward"], "weight": 1.0},
        "wordy": {"value": 0.0, "weight": 1.0},
    }
    theirs, _ = of_trl(trainer, groups, loss_type="grpo", scale_rewards="none")
    row, _ = measure(model, groups, "grpo", kl=0.0, advantage="dr-grpo")
    rows = SIZE * GROUPS
    assert theirs * rows == pytest.approx(row["loss"] * (rows - 1), rel=1e-5)


def test_they_differ_by_the_cap_of_cispo_left_at_its_default(world):
    """There epsilon_high is the cap itself: 0.2 weighs every token of a ratio above it by 0.2."""
    trainer, model, _ = world
    groups = batch(0)
    _, theirs = of_trl(trainer, groups, loss_type="cispo", epsilon_high=0.2)
    _, ours = measure(model, groups, "cispo", clip_high=0.2, **PLAIN)
    assert float(theirs.norm()) < 0.7 * float(ours.norm())
