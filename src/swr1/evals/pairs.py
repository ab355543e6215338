"""Two runs on the same prompts: what was gained, its interval, and the paired tests, corrected together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import fsum
from typing import Any, TypedDict

from swr1.evals.stats import bootstrap_mean, holm, mcnemar, signed_rank


class Paired(TypedDict, total=False):
    """Two runs on the same prompts. Points are hundredths of accuracy, after minus before."""

    puzzles: int
    points: float
    interval: list[float] | None  # 95%, bootstrap over prompts
    gained: int | None  # prompts that turned right; None where a prompt has several samples
    lost: int | None
    test: str  # "McNemar", exact; "Wilcoxon" (of the prompts' means) where a prompt has several samples
    p_value: float
    p_holm: float  # the same, corrected for all tests of the page; `correct` adds it


def paired(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    groups: Sequence[str] | None = None,
    right: str = "correct",
) -> Paired | None:
    """What changed on the prompts judged in both summaries (of the named groups), or None without any.

    With one sample per prompt, gains and losses are counted and McNemar's exact test asks whether
    they differ, else Wilcoxon's signed-rank test takes the prompts' means; the interval of the gain is
    a bootstrap over prompts either way. `right`: what counts as such, "correct" or "lenient".
    """
    old, new = before["items"], after["items"]
    both = [
        (old[id_], new[id_])
        for id_ in sorted(old.keys() & new.keys())
        if old[id_]["judged"]
        and new[id_]["judged"]
        and (groups is None or new[id_]["group"] in groups)
    ]
    if not both:
        return None
    gains = [b[right] / b["judged"] - a[right] / a["judged"] for a, b in both]
    interval = bootstrap_mean(gains)
    single = all(a["judged"] == b["judged"] == 1 for a, b in both)
    gained, lost = sum(g > 0 for g in gains), sum(g < 0 for g in gains)
    return {
        "puzzles": len(both),
        "points": 100 * fsum(gains) / len(gains),
        "interval": [100 * end for end in interval] if interval else None,
        "gained": gained if single else None,
        "lost": lost if single else None,
        "test": "McNemar" if single else "Wilcoxon",
        "p_value": mcnemar(gained, lost) if single else signed_rank(gains),
    }


def correct(tests: Iterable[Paired]) -> None:
    """Add `p_holm` to all tests of one page: Holm's step-down correction."""
    tests = list(tests)
    for test, p in zip(tests, holm([test["p_value"] for test in tests]), strict=True):
        test["p_holm"] = p


def p_text(p: float) -> str:
    """A p-value for people."""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"
