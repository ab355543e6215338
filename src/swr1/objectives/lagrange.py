"""The multiplier that keeps a mean cost at its limit: PPO-Lagrangian's dual variable.

Minimising -lambda (cost - limit) over log lambda by plain SGD, so that lambda stays positive:

    log lambda <- min(log lambda + lr lambda (cost - limit), log maximum)          rule "gradient"

A small lambda moves slowly by this rule. Multiplicative weights move it by the same factor at any
size:

    log lambda <- min(log lambda + lr (cost - limit), log maximum)          rule "multiplicative"

Sources: Safe RLHF, arXiv 2310.12773, and its code; for the second, Arora, Hazan, Kale 2012 (Theory
of Computing 8), as Deliberative Searcher, arXiv 2507.16727, is said to use it. It is part of the trainer's state,
and moves once per rollout batch, by the mean over all of it (all ranks), never per micro-batch.
"""

import math
from dataclasses import dataclass

RULES = ["gradient", "multiplicative"]


@dataclass
class Multiplier:
    """`value` weighs the cost; `limit` is the mean cost allowed, in the cost's own unit."""

    value: float = 1.0
    lr: float = 0.1
    limit: float = 0.0
    maximum: float = 5.0
    rule: str = "gradient"

    def update(self, mean_cost: float) -> float:
        """Move by one batch's mean cost; returns the new value."""
        step = self.lr * (self.value if self.rule == "gradient" else 1.0)
        moved = math.log(self.value) + step * (mean_cost - self.limit)
        self.value = math.exp(min(moved, math.log(self.maximum)))
        return self.value

    def state(self) -> dict[str, float]:
        """What a resumed run needs, as JSON."""
        return {"value": self.value}

    def restore(self, state: dict[str, float]) -> None:
        self.value = float(state["value"])
