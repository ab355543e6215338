"""Named objectives are data: which advantage, loss, KL and mean, with which numbers, from where.

    get_preset("grpo")                              the paper's GRPO
    get_preset("grpo", kl=0.001, clip_high=0.28)    any field is an option

A new objective that combines what is here is one more entry; a new formula is one more function in
advantages.py, losses.py or kl.py and its name in that file's table. Its keyword arguments are
fields here; `train-step` has an option for every field.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, ClassVar

from swr1.errors import UsageError
from swr1.options import option, options_of
from swr1.registry import Registry, check_known, suggest

REGISTRY = Registry("objective", "swr1.objectives", "objective", None)

_is = partial(option, panel="The objective (default: the preset's)")


@dataclass(frozen=True)
class Objective:
    """What one update minimises: mean(loss) + kl * mean(KL) - entropy * mean(H) + llds * mean(drop)."""

    LABEL: ClassVar[str | None] = None  # help says no defaults: they are the preset's

    name: str
    advantage: str = _is("grpo", "The advantage estimator.")
    loss: str = _is("ppo-clip", "ppo-clip, sequence-clip, gspo, sapo, cispo, cpgd or reinforce.")
    aggregation: str = _is("token-mean", "token-mean, seq-mean-token-mean, ...")
    length: float | None = _is(None, "What `constant` divides by [the records' token limit].")
    eps: float = _is(1e-6, "Added to a standard deviation that is divided by.")
    gamma: float = _is(1.0, "Discount per token.")
    lam: float = _is(1.0, "gae: lambda, how far beyond the next value it looks.")
    value_clip: float | None = _is(0.5, "gae: bound on a value's move within a step.")
    critic_lr: float = _is(1e-5, "gae: learning rate of the critic.")
    clip: float | None = _is(
        None, "Both clips: the ratio is clipped to 1 - this ... 1 + this.", usual=True
    )
    clip_low: float = _is(0.2, "Clip the ratio at 1 - this.")
    clip_high: float = _is(0.2, "Clip the ratio at 1 + this.")
    dual_clip: float | None = _is(None, "Bound on the loss of negative advantages.")
    sapo_positive: float = _is(1.0, "sapo: temperature where the advantage is positive.")
    sapo_negative: float = _is(1.05, "sapo: temperature elsewhere.")
    drift: float = _is(0.01, "cpgd: coefficient of the drift from the policy that sampled.")
    drift_cap: float = _is(2.0, "cpgd: bound on a token's drift gradient.")
    kl: float = _is(0.0, "Coefficient of the KL to the reference; 0: none.", usual=True)
    kl_in: str = _is("loss", "loss, or reward: a penalty on every token before the advantage.")
    kl_estimator: str = _is("k3", "k1, k2, k3, abs, or k1+ and k3+ (with k2's gradient).")
    kl_ratio: bool = _is(
        False, "KL in the loss times the ratio: right off-policy too.", negatable=True
    )
    entropy: float = _is(0.0, "Coefficient of an entropy bonus.")
    llds: float = _is(0.0, "Coefficient of what keeps right completions likely; 0: none.")
    llds_gate: str = _is("action", "llds: active by action (a run of own tokens), or response.")
    canon_mix: float = _is(1.0, "canon-length: share of the comparison with the other half.")
    canon_alpha: float = _is(1.0, "canon-length: weight of long answers' rewards; < 1: be short.")
    canon_beta: float = _is(0.0, "canon-length: bonus of long answers.")
    shorten: float = _is(0.0, "cale: weight of being short among a group's successes.")
    success: str = _is("success", "cale: the part of the reward that is 1 for a success.")
    process: float = _is(
        0.0, "Share of the advantage that is credit per step (swr1 verify steps); 0: none."
    )
    process_from: str = _is("steps", "process: the verdict that has the steps.")
    combine: str = _is(
        "sum", "Parts of the reward: sum, normalise-then-sum, lagrangian or lagrangian-reward."
    )
    parts: Mapping[str, float] | None = _is(
        None, "Parts and weights, answer=1,format=0.5 [the record's reward].", kind=str
    )
    whiten: bool = _is(
        False,
        "Standardise the advantages over the batch's sequences, as the last step.",
        negatable=True,
    )
    boost: float | None = _is(None, "Scale by groups / live groups, at most this.")
    cost: str | None = _is(None, "lagrangian: the part that is the cost.")
    cost_limit: float = _is(0.0, "lagrangian: mean cost allowed.")
    lambda_init: float = _is(1.0, "lagrangian: the multiplier at the start.")
    lambda_lr: float = _is(0.1, "lagrangian: its learning rate, in log space.")
    lambda_max: float = _is(5.0, "lagrangian: its maximum.")
    lambda_rule: str = _is("gradient", "lagrangian: gradient, or multiplicative weights.")
    watch: str | None = _is(
        None, "lagrangian: the part whose mean it keeps at the limit [the cost]."
    )
    overlong: float = _is(0.0, "Punish lengths in this last share of the token limit.")
    overlong_factor: float = _is(1.0, "The punishment at the limit.")
    overlong_capped: bool = _is(True, "No larger punishment beyond the limit.")
    filter_on: str | None = _is(
        None, "Leave out groups that agree in this: reward, or a part or verdict."
    )
    paper: str = ""


PRESETS = {
    preset.name: preset
    for preset in [
        Objective(
            "reinforce++",
            advantage="reinforce++",
            kl=0.001,
            kl_in="reward",
            kl_estimator="k1",
            paper="REINFORCE++, arXiv 2501.03262; coefficients of Logic-RL, arXiv 2502.14768",
        ),
        Objective(
            "reinforce++-baseline",
            advantage="reinforce++-baseline",
            kl=0.001,
            kl_estimator="k2",
            paper="REINFORCE++, arXiv 2501.03262 (variant with a group baseline)",
        ),
        Objective(
            "grpo",
            aggregation="seq-mean-token-mean",
            kl=0.04,
            paper="DeepSeekMath, arXiv 2402.03300",
        ),
        Objective(
            "grpo-process",
            aggregation="seq-mean-token-mean",
            kl=0.04,
            process=1.0,
            paper="DeepSeekMath, arXiv 2402.03300, section 4.1.3 (process supervision)",
        ),
        Objective(
            "dr-grpo",
            advantage="dr-grpo",
            aggregation="constant",
            paper="Understanding R1-Zero-like training, arXiv 2503.20783",
        ),
        Objective(
            "dapo",
            clip_high=0.28,
            overlong=0.2,
            filter_on="reward",
            paper="DAPO, arXiv 2503.14476",
        ),
        Objective(
            "cispo",
            loss="cispo",
            clip_low=1.0,
            clip_high=4.0,
            paper="MiniMax-M1, arXiv 2506.13585; the cap of ScaleRL, arXiv 2510.13786",
        ),
        Objective(
            "gspo",
            loss="gspo",
            aggregation="seq-mean-token-mean",
            clip_low=3e-4,
            clip_high=4e-4,
            paper="GSPO, arXiv 2507.18071",
        ),
        Objective(
            "sapo",
            loss="sapo",
            aggregation="seq-mean-token-mean",
            paper="SAPO, arXiv 2511.20347",
        ),
        Objective(
            "cpgd",
            loss="cpgd",
            boost=3.0,
            paper="CPGD, arXiv 2505.12504; coefficients of its code",
        ),
        Objective(
            "gdpo",
            combine="normalise-then-sum",
            whiten=True,
            paper="GDPO, arXiv 2601.05242; name the --parts",
        ),
        Objective(
            "canon-length",
            advantage="canon-length",
            aggregation="constant",
            clip_high=0.28,
            paper="CANON, arXiv 2509.23962, on length",
        ),
        Objective(
            "cale",
            clip_high=0.28,
            shorten=0.3,
            paper="OUR READING of CALE, named in SafeWork-R1, arXiv 2507.18576, without a formula",
        ),
        Objective(
            "deliberative",
            combine="lagrangian-reward",
            cost="cost",
            watch="unreliable",
            cost_limit=0.1,
            lambda_init=0.4,
            lambda_max=0.8,
            lambda_rule="multiplicative",
            paper="OUR READING of Deliberative Searcher, arXiv 2507.16727: GRPO and a constraint on"
            " reliability; limit, start and cap are ours",
        ),
        Objective(
            "ppo",
            advantage="gae",
            kl=0.001,
            kl_in="reward",
            kl_estimator="k1",
            paper="PPO, arXiv 1707.06347, with a critic and GAE, arXiv 1506.02438",
        ),
        Objective(
            "rloo",
            advantage="rloo",
            kl=0.001,
            kl_in="reward",
            kl_estimator="k1",
            paper="Back to basics, arXiv 2402.14740; token-level, as verl and OpenRLHF have it",
        ),
        Objective(
            "reinforce",
            advantage="reinforce",
            loss="reinforce",
            paper="Williams 1992, Machine Learning 8",
        ),
    ]
}

# The smallest and largest value of each number that has one.
_RANGES: dict[str, tuple[float, float]] = {
    "clip_low": (0, float("inf")),
    "clip_high": (0, float("inf")),
    "dual_clip": (1, float("inf")),
    "sapo_positive": (1e-3, float("inf")),
    "sapo_negative": (1e-3, float("inf")),
    "drift": (0, float("inf")),
    "drift_cap": (0, float("inf")),
    "kl": (0, float("inf")),
    "llds": (0, float("inf")),
    "gamma": (0, 1),
    "lam": (0, 1),
    "critic_lr": (0, float("inf")),
    "eps": (0, 1),
    "canon_mix": (0, 1),
    "boost": (1, float("inf")),
    "lambda_lr": (0, float("inf")),
    "shorten": (0, float("inf")),
    "process": (0, 1),
    "overlong": (0, 1),
    "overlong_factor": (0, float("inf")),
}


def options_for(function: Callable, objective: Objective) -> dict[str, Any]:
    """The fields of `objective` that an advantage or a loss takes as keyword arguments."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: getattr(objective, p.name) for p in parameters if p.kind is p.KEYWORD_ONLY}


def parse_parts(text: str) -> dict[str, float]:
    """`answer=1,format=0.5`; without a number the weight is 1. Raises UsageError."""
    weights: dict[str, float] = {}
    for item in filter(None, text.replace(" ", ",").split(",")):
        name, _, number = item.partition("=")
        try:
            weights[name] = float(number or 1)
        except ValueError:
            raise UsageError(f"parts are name=weight,name=weight, not {item!r}") from None
    return weights


def get_preset(name: str, **options: Any) -> Objective:
    """The objective `name`, with the options that are not None in place of its defaults.

    `parts` may be text, `answer=1,format=0.5`; `clip` sets both clips that are not given. Raises
    UsageError for an unknown name, option or choice (with a suggestion), for a number out of range,
    and for fields that do not go together.
    """
    preset = _find(name)
    known = [*options_of(Objective)]
    for field in options:
        if field not in known:
            raise UsageError(
                f"an objective has no {field!r}.{suggest(field, known)} Known: {', '.join(known)}"
            )
    if isinstance(options.get("parts"), str):
        options["parts"] = parse_parts(options["parts"])
    given = {k: v for k, v in options.items() if v is not None}
    if (clip := given.pop("clip", None)) is not None:
        given = {"clip_low": clip, "clip_high": clip} | given
    preset = replace(preset, **given)
    _check(preset)
    return preset


def _find(name: str) -> Objective:
    """The preset, or what the function of "./mine.py:function" or of an entry point returns."""
    if name in PRESETS:
        return PRESETS[name]
    if ".py:" not in name and name not in REGISTRY.names():
        check_known("objective", name, PRESETS, "; or a file: ./mine.py:objective")
    made = REGISTRY.get(name)()
    if not isinstance(made, Objective):
        raise UsageError(f"{name} must return an Objective, it returned {type(made).__name__}")
    return made


def _check(preset: Objective) -> None:
    # Here, so that listing presets does not import torch.
    from swr1.objectives.advantages import ADVANTAGES
    from swr1.objectives.aggregate import AGGREGATIONS
    from swr1.objectives.combine import COMBINATIONS, LAGRANGIAN
    from swr1.objectives.kl import ESTIMATORS
    from swr1.objectives.lagrange import RULES
    from swr1.objectives.losses import LOSSES
    from swr1.objectives.preserving import GATES

    choices: dict[str, Any] = {
        "advantage": [*ADVANTAGES, "gae"],
        "loss": LOSSES,
        "aggregation": AGGREGATIONS,
        "kl_in": ["loss", "reward"],
        "kl_estimator": ESTIMATORS,
        "combine": COMBINATIONS,
        "lambda_rule": RULES,
        "llds_gate": GATES,
    }
    for name, allowed in choices.items():
        check_known(name.replace("_", "-"), str(getattr(preset, name)), allowed)
    for name, (low, high) in _RANGES.items():
        value = getattr(preset, name)
        if value is not None and not low <= value <= high:
            bounds = f"at least {low}" if high == float("inf") else f"from {low} to {high}"
            raise UsageError(f"{name.replace('_', '-')} must be {bounds}, not {value}")
    if not 0 < preset.lambda_init <= preset.lambda_max:
        raise UsageError("lambda-init must be above 0 and at most lambda-max")
    in_loss = preset.kl > 0 and preset.kl_in == "loss"
    if in_loss and preset.kl_estimator == "k1" and not preset.kl_ratio:
        raise UsageError(
            "k1 in the loss has no effect (the expectation of its gradient is zero): use k2, k1+ or"
            " k3+, --kl-ratio, or --kl-in reward"
        )
    if preset.combine == "normalise-then-sum":
        if not preset.parts:
            raise UsageError(
                "normalise-then-sum needs the parts, for example --parts answer,format"
            )
        if preset.kl > 0 and preset.kl_in == "reward":
            raise UsageError("normalise-then-sum has no one reward for a KL: use --kl-in loss")
    if preset.advantage == "gae" and (
        preset.combine != "sum"
        or preset.parts
        or preset.whiten
        or preset.boost
        or preset.shorten
        or preset.process
    ):
        raise UsageError(
            "gae learns the values of one reward, and whitens: no combine, parts, whiten, boost,"
            " shorten or process"
        )
    if (preset.combine in LAGRANGIAN) != bool(preset.cost):
        raise UsageError("--combine lagrangian (or lagrangian-reward) and --cost PART go together")
    if preset.watch and not preset.cost:
        raise UsageError("--watch PART goes with --cost PART")


def as_table() -> Any:
    """The presets as a rich table, for people: every field that differs from the default."""
    from rich.table import Table

    table = Table("objective", "what it is", "source", show_lines=True)
    table.columns[0].no_wrap = True
    usual = ("name", "paper", "advantage", "loss", "aggregation")
    for p in PRESETS.values():
        numbers = [
            f"{f.name.replace('_', '-')} {getattr(p, f.name)}"
            for f in fields(Objective)
            if f.name not in usual and getattr(p, f.name) != f.default
        ]
        text = f"advantage {p.advantage}, loss {p.loss}, {p.aggregation}"
        table.add_row(p.name, "; ".join([text, *numbers]), p.paper)
    return table
