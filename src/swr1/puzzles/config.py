"""The options of puzzles: what `swr1 gen-puzzles` and generator.generate take."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from swr1.options import option
from swr1.puzzles.rules import Rules, parse_weights

statements = partial(option, panel="What people say")
text = partial(option, panel="Wording and names")
extra = partial(option, panel="What is added")


@dataclass(frozen=True, kw_only=True)
class PuzzleConfig:
    """Which puzzles, and how they are written down.

    Attributes:
        people: (lo, hi) or "lo-hi" or one number.
        depth: from 2 on: depth 1 never has exactly one solution.
        knights: the chance of each person to tell the truth, see space.draw_planted.
        names: a list in names.LISTS, a file, or the names themselves. roles: see roles.find_roles.
        trace: a style in traces.STYLES. wrong: a kind in corruptions.WRONG.
        rules: instead of weights, self_reference and trivial.
    """

    people: str | int | tuple[int, int] = option(
        "3-7",
        "Inhabitants: a number or LO-HI (sizes take turns), 2 to 1000.",
        kind=str,
        usual=True,
    )
    seed: int = option(0, "Names the sequence of puzzles.", usual=True)
    split: str | None = option(
        None, "train or test: no puzzle is in both, up to names and order.", usual=True
    )
    test_share: float = option(
        0.1, "Share of all puzzles in the test split, up to 0.5; train is the other half."
    )
    distinct: str = option("text", "No two alike: as text, or as form (up to names and order).")
    depth: int = statements(2, "Levels of a statement, 2 to 10.")
    width: int = statements(2, 'Most parts of an "and" or "or".')
    weights: str = statements(
        "",
        'Relative chances, such as "iff=2,not=0", of leaf, not, and, or, implies, iff; 1 each.',
    )
    self_reference: bool = statements(True, "Speakers may mention themselves.")
    trivial: bool = statements(
        True,
        "Statements may join equal or opposite parts (X or not X), or be always true or always"
        " false.",
    )
    knights: float | None = statements(
        None, "Share of truth tellers, 0 to 1.", default="as it comes, 0.55"
    )
    wording: str = text(
        "plain", "plain, varied, chinese, chinese-varied, or terse (tiny models).", usual=True
    )
    roles: str = text(
        "knight/knave",
        'Words for the two kinds, truth teller first: saint/sinner, "elf:elves/orc",'
        " knave/knight (flipped).",
    )
    names: str | Sequence[str] | None = text(
        None,
        "common, few, latin, accented, chinese, or a file with one name per line.",
        kind=str,
        default="by wording and size",
    )
    retell: int = text(1, "Write each puzzle this many times, each time with other names.")
    trace: str | None = extra(
        None, "Add a reasoning text: search, propagate, cases, or hasty.", usual=True
    )
    wrong: str | None = extra(
        None, "Make the reasoning wrong in this way: answer, shuffled, replaced, early."
    )
    steps: bool = extra(False, "Add the machine-checkable steps of the trace.")
    difficulty: bool = extra(False, "Add info.difficulty, for curricula.")

    rules: Rules | None = None

    @property
    def chosen_rules(self) -> Rules:
        """Raises UsageError for weights that mean nothing."""
        if self.rules is not None:
            return self.rules
        return Rules(parse_weights(self.weights), self.self_reference, self.trivial)
