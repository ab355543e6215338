"""The options of `swr1 rollout` about guidance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from swr1.errors import UsageError
from swr1.options import option
from swr1.registry import check_choice

guiding = partial(option, panel="Guidance (the next step is chosen among several)")
# Method -> what it does, for people.
METHODS = {
    "greedy": "the best of k next steps, again and again",
    "beam": "k next steps of w paths, of which the best w go on",
    "dvts": "w paths that stay apart, each with the best of k/w next steps (diverse tree search)",
    "best-of-n": "the best of k whole completions",
    "vote": "the answer of k whole completions with the most score together",
    "majority": "the answer of most of k whole completions, without a score",
    "random": "one of k next steps by chance: the control",
}
WHOLE = ("best-of-n", "vote", "majority")  # methods that do not stop at steps
UNSCORED = ("majority", "random")
KEEP = ("none", "slim", "full")


@dataclass(frozen=True, kw_only=True)
class GuideOptions:
    """How the next step is chosen.

    guide: the name of a guide in data/guides, or a TOML file; see guide.py.
    """

    guide: str | None = guiding(
        None, "steps, or a TOML file: what scores a step, and how it is weighed.", usual=True
    )
    guide_method: str = guiding("greedy", f"{', '.join(METHODS)}.", usual=True)
    candidates: int = guiding(
        4, "How many are tried for each step, or in all (k).", min=1, usual=True
    )
    width: int = guiding(2, "beam, dvts: paths that are kept (w).", min=1)
    keep_candidates: str = guiding(
        "slim", "What the record says of them: none, slim (scores) or full (texts, too)."
    )

    def check(self) -> None:
        """Raises UsageError for options that do not go together."""
        check_choice("--guide-method", self.guide_method, METHODS)
        check_choice("--keep-candidates", self.keep_candidates, KEEP)
        if self.guide is None:
            if self.guide_method in UNSCORED or self == GuideOptions():
                return
            raise UsageError(
                "--guide is missing: what scores a step? (--guide steps, or a TOML file;"
                f" {' and '.join(UNSCORED)} need none)"
            )
        if self.guide_method in ("beam", "dvts") and self.candidates % self.width:
            raise UsageError(
                f"--candidates {self.candidates} must be a multiple of --width {self.width}"
            )

    @property
    def on(self) -> bool:
        """Whether there is any guidance."""
        return self.guide is not None or self.guide_method in UNSCORED

    def shape(self) -> tuple[int, int, int]:
        """(trees, paths kept in a tree, candidates of each path)."""
        k, w = self.candidates, self.width
        return {
            "greedy": (1, 1, k),
            "random": (1, 1, k),
            "beam": (1, w, k // w),
            "dvts": (w, 1, k // w),
        }.get(self.guide_method, (k, 1, 1))
