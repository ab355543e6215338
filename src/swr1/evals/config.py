"""The options of `swr1 eval`, by what they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from swr1.errors import UsageError
from swr1.options import option

measured = partial(option, panel="Safety and ability, benchmark by benchmark")
by_heart = partial(option, panel="Reasoned, or known by heart?")
made = partial(option, panel="Make the rollouts now")
printed = partial(option, panel="Form of the output")


@dataclass(kw_only=True)
class FormConfig:
    """How the figures are printed: a page for people, or one of these."""

    as_json: bool = printed(False, "Print the numbers as JSON.", "--json")
    as_csv: bool = printed(False, "Print the numbers as CSV: shares 0 to 1.", "--csv")
    as_markdown: bool = printed(False, "Print the tables in Markdown.", "--markdown")

    @property
    def form(self) -> str:
        """ "json", "csv", "markdown" or "page". Raises UsageError for two of them."""
        chosen = [name for name in ("json", "csv", "markdown") if getattr(self, f"as_{name}")]
        if len(chosen) > 1:
            raise UsageError(f"--{chosen[0]} or --{chosen[1]}: one of them")
        return chosen[0] if chosen else "page"


@dataclass(kw_only=True)
class DrawnConfig:
    """What is drawn, and where."""

    picture: Path | None = option(
        None, "Draw accuracy by group, or two axes of suites (.png, .svg, .pdf).", written=True
    )
    over_tokens: Path | None = option(
        None,
        "Draw accuracy over the tokens spent: runs named METHOD:K, or METHOD:K@SEED, are the points"
        " of a curve.",
        written=True,
    )

    def check_others(self) -> None:
        """Raises UsageError for what only right and wrong has."""
        if self.over_tokens:
            raise UsageError(
                "--over-tokens is of right and wrong: it goes without --suite, --calibration,"
                " --first-wrong, --memorisation and --seen"
            )


@dataclass(kw_only=True)
class SuiteConfig:
    """Every benchmark's own metric."""

    suite: str | None = measured(
        None, "safety, overrefusal, attacks, value, ability, math, with commas; or all."
    )
    measures: Path | None = measured(None, "More measures: a TOML file like data/measures.toml.")
    detail: bool = measured(False, "Break measures down, as --by does.")
    axes: str | None = measured(
        None,
        "The axes of the picture: ability,safety or over-refusal,safety (needless refusals against"
        " unsafe answers).",
        default="the first that all runs have",
    )
    failures: Path | None = measured(
        None, "Write the records that count as bad here, to read.", written=True
    )
    ladder: Sequence[str] = measured(
        (),
        "Runs each of which follows the one before, such as start,stage1,stage2: the picture joins"
        " them. Repeatable; a run may be in several.",
        metavar="RUN,RUN...",
        kind=list[str],
    )

    @property
    def requested(self) -> bool:
        return bool(self.suite or self.measures)

    @property
    def ladders(self) -> list[list[str]]:
        return [[label.strip() for label in ladder.split(",")] for ladder in self.ladder]

    def names(self) -> list[str]:
        """The suites that were named; empty: all."""
        chosen = (self.suite or "all").split(",")
        return [] if chosen == ["all"] else [name.strip() for name in chosen]


@dataclass(kw_only=True)
class CalibrationConfig:
    """Is a policy as often right as it says?"""

    calibration: bool = option(
        False,
        "Stated confidence against what was right: reliable, false-certain, ECE, Brier, AUROC, votes;"
        " of the verdict `reliability`, or --verdict knowledge.",
        panel="As sure as right?",
    )
    first_wrong: str | None = option(
        None,
        "F1 of the first wrong step (ProcessBench) of each verdict of `verify steps`, against planted"
        " faults (`planted`) or against another verdict.",
        metavar="TRUTH",
        panel="As sure as right?",
    )

    @property
    def requested(self) -> bool:
        return bool(self.calibration or self.first_wrong)


@dataclass(kw_only=True)
class MemoryConfig:
    """Did the model reason, or does it know the puzzles by heart?"""

    memorisation: bool = by_heart(
        False,
        "Accuracy on puzzles and on perturbed ones (`swr1 perturb`): LiMem. All files of one label,"
        " or without one, are one run.",
    )
    seen: Sequence[str] = by_heart(
        (),
        "Training data: are the puzzles in it, up to names, order, roles, wording?",
        metavar="FILE",
        kind=list[str],
    )
    list_matches: bool = by_heart(False, "With --seen: name both sides.", "--list")

    @property
    def requested(self) -> bool:
        return bool(self.memorisation or self.seen or self.list_matches)

    def check(self, policy: str | None, picture: Path | None, runs_by: str | None) -> None:
        """Raises UsageError for what does not go together."""
        if self.seen and runs_by:
            raise UsageError("--seen looks at files, not at runs: it goes without --runs-by")
        alone = policy or picture or (self.memorisation and self.seen)
        if alone or (self.list_matches and not self.seen):
            raise UsageError(
                "--memorisation and --seen stand alone, without --policy and --picture, and --list"
                " goes with --seen"
            )


@dataclass(kw_only=True)
class RolloutsConfig:
    """Completions made and judged now."""

    policy: str | None = made(None, "Complete the prompts with this policy.")
    samples: int = made(1)
    temperature: float = made(0.0, "0: greedy.")
    max_tokens: int = made(1024)
    system_prompt: str | None = made(None, default="as in swr1 rollout")
    verifiers: str = made("format,knights", "Who judges, with commas.")
    grader: str | None = made(None, "published: Logic-RL's own rules.")
    seed: int = made(0)
