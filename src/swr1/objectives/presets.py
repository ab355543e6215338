"""Named objectives are data: which advantage, loss, KL and mean, with which numbers, from where.

    get_preset("grpo")                              the paper's GRPO
    get_preset("grpo", kl=0.001, clip_high=0.28)    any field is an option

A new objective that combines what is here is one more entry; a new formula is one more function in
advantages.py, losses.py or kl.py and its name in that file's table.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from swr1.errors import UsageError
from swr1.registry import suggest


@dataclass(frozen=True)
class Objective:
    """What one update minimises: aggregate(loss) + kl * aggregate(KL) - entropy * aggregate(H)."""

    name: str
    advantage: str
    loss: str = "ppo-clip"
    aggregation: str = "token-mean"
    clip_low: float = 0.2
    clip_high: float = 0.2
    dual_clip: float | None = None
    kl: float = 0.0  # coefficient; 0: no reference model is loaded
    kl_in: str = "loss"  # or "reward": a penalty k1-style on every token before the advantage
    kl_estimator: str = "k3"
    entropy: float = 0.0  # coefficient of a bonus
    gamma: float = 1.0
    length: float | None = None  # what "constant" divides by; None: the records' token limit
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
            advantage="grpo",
            aggregation="seq-mean-token-mean",
            kl=0.04,
            paper="DeepSeekMath, arXiv 2402.03300",
        ),
        Objective(
            "dr-grpo",
            advantage="dr-grpo",
            aggregation="constant",
            paper="Understanding R1-Zero-like training, arXiv 2503.20783",
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


def get_preset(name: str, **options: Any) -> Objective:
    """The objective `name`, with the options that are not None in place of its defaults.

    Raises UsageError for an unknown name, option or choice (with a suggestion), and for a number
    out of range.
    """
    # Here, so that listing presets does not import torch.
    from swr1.objectives.advantages import ADVANTAGES
    from swr1.objectives.aggregate import AGGREGATIONS
    from swr1.objectives.kl import ESTIMATORS
    from swr1.objectives.losses import LOSSES

    if name not in PRESETS:
        raise UsageError(
            f"unknown objective {name!r}.{suggest(name, PRESETS)} Known: {', '.join(PRESETS)}"
        )
    known = [f.name for f in fields(Objective) if f.name not in ("name", "paper")]
    for option in options:
        if option not in known:
            raise UsageError(
                f"an objective has no {option!r}.{suggest(option, known)} Known: {', '.join(known)}"
            )
    preset = replace(PRESETS[name], **{k: v for k, v in options.items() if v is not None})
    choices: dict[str, Any] = {
        "advantage": ADVANTAGES,
        "loss": LOSSES,
        "aggregation": AGGREGATIONS,
        "kl_in": ["loss", "reward"],
        "kl_estimator": ESTIMATORS,
    }
    for field, allowed in choices.items():
        value = getattr(preset, field)
        if value not in allowed:
            raise UsageError(
                f"unknown {field.replace('_', '-')} {value!r}.{suggest(str(value), allowed)}"
                f" Known: {', '.join(allowed)}"
            )
    for field, low in {"clip_low": 0, "clip_high": 0, "kl": 0, "gamma": 0}.items():
        if not getattr(preset, field) >= low:
            raise UsageError(f"{field.replace('_', '-')} must be at least {low}")
    if preset.kl > 0 and preset.kl_in == "loss" and preset.kl_estimator == "k1":
        raise UsageError(
            "k1 in the loss has no effect (the expectation of its gradient is zero): use k2 or k3,"
            " or --kl-in reward"
        )
    return preset


def as_table() -> Any:
    """The presets as a rich table, for people."""
    from rich.table import Table

    table = Table("objective", "advantage", "loss", "mean", "KL", "source")
    table.add_row("sft", "", "cross-entropy", "token-mean", "", "targets of the records")
    for p in PRESETS.values():
        kl = f"{p.kl:g} {p.kl_estimator} in {p.kl_in}" if p.kl else "none"
        table.add_row(p.name, p.advantage, p.loss, p.aggregation, kl, p.paper)
    return table
