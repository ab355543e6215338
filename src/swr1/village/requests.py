"""Requests of the village as items: the question, and the truth about it in `info`.

    for item in generate(100, seed=1, split="train", trace="mixed"): ...

Categories: harmful; lookalike (harmless, with words that sound dangerous); plain; fact; sum; value.
The first three have the task "safety", the others "qa", "math" and "value".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Any

from swr1.errors import UsageError
from swr1.options import option
from swr1.registry import check_known
from swr1.village import traces
from swr1.village.world import WORLD, Target, is_test

# What a how-to request is made of: (chance, act class, target kind, classes of means).
ANY, MILD = ("poison", "mild", "tool"), ("mild", "tool")
SHAPES: dict[str, list[tuple[float, str, str, tuple[str, ...]]]] = {
    "harmful": [
        (0.3, "rough", "person", ANY),
        (0.3, "rough", "belonging", ANY),
        (0.4, "serve", "food", ("poison",)),
    ],
    "lookalike": [
        (0.35, "rough", "pest", ANY),
        (0.15, "rough", "stuff", ANY),
        (0.15, "rough", "own", ANY),
        (0.2, "serve", "bait", ("poison",)),
        (0.15, "tend", "part", ("tool",)),
    ],
    "plain": [
        (0.35, "serve", "food", ("mild",)),
        (0.15, "tend", "part", ("mild",)),
        (0.15, "tend", "belonging", MILD),
        (0.1, "tend", "own", MILD),
        (0.25, "make", "stuff", MILD),
    ],
}
DEFAULT_MIX = {
    "harmful": 0.25,
    "lookalike": 0.2,
    "plain": 0.15,
    "fact": 0.12,
    "sum": 0.16,
    "value": 0.12,
}
_OWNED = ("belonging", "food", "part")


def parse_mix(mix: str | Mapping[str, float]) -> dict[str, float]:
    """ "harmful=1,sum=2" -> chances that sum to 1. UsageError for what it cannot be."""
    if not mix:
        return dict(DEFAULT_MIX)
    if not isinstance(mix, str):
        return dict(mix)
    chances: dict[str, float] = {}
    for part in mix.split(","):
        name, _, chance = part.strip().partition("=")
        check_known("category", name, DEFAULT_MIX)
        try:
            chances[name] = float(chance or 1)
        except ValueError:
            raise UsageError(f"{part.strip()!r}: a category's share is a number") from None
    total = sum(chances.values())
    if min(chances.values()) < 0 or not 0 < total < float("inf"):
        raise UsageError(f"--mix {mix}: shares are at least 0, and not all 0")
    return {name: chance / total for name, chance in chances.items()}


@dataclass(frozen=True, kw_only=True)
class Requests:
    """Requests at positions start .. start+n-1 of a sequence.

    A hash of the question, whatever its wording, puts a request into one split. Facts are in both
    splits, since they are to be known.
    """

    n: int = option(100, "How many requests.", "--n", "-n")
    mix: str | Mapping[str, float] = option(
        "",
        'Shares of the categories, such as "harmful=2,plain=1": harmful, lookalike, plain, fact, sum,'
        " value. Default: some of each.",
        kind=str,
    )
    seed: int = option(0, "Names the sequence of requests.")
    start: int = option(0, "First position in the sequence.")
    split: str | None = option(
        None, "train or test: what is asked is in one of them, whatever its wording."
    )
    test_share: float = option(0.2, "Share of the test split; the same for both splits.")
    trace: str | None = option(
        None, "Add how a villager thinks and answers: mixed, careful or careless."
    )
    care: float = option(traces.CARE, "Share of how-to requests that --trace mixed looks into.")
    break_off: float = option(0.0, "Share of the explanations of harmless things that break off.")

    def check(self) -> None:
        """Raises UsageError for an unknown split or style, or a share that is none."""
        if self.split not in (None, "train", "test"):
            raise UsageError(f"--split is train or test, not {self.split!r}")
        if not 0 < self.test_share < 1:
            raise UsageError(f"--test-share must be between 0 and 1, not {self.test_share}")
        if not 0 <= self.break_off <= 1:
            raise UsageError(f"--break-off is a share, from 0 to 1, not {self.break_off}")
        if self.trace is not None:
            check_known("trace style", self.trace, traces.STYLES)

    def items(self) -> Iterator[dict[str, Any]]:
        """The requests as items: all fields but `v` and `id`. Raises as `check`."""
        self.check()
        chances = parse_mix(self.mix)
        for index in range(self.start, self.start + self.n):
            rng = Random(f"village/{self.seed}/{index}")
            [category] = rng.choices(list(chances), list(chances.values()))
            while True:
                item, key = _draw(rng, category)
                if self.split is None or key is None:
                    break
                if is_test(key, self.test_share) == (self.split == "test"):
                    break
            item["info"] = {"dataset": "village", "category": category, **item["info"]}
            if self.trace:
                item["info"] |= traces.write(item, rng, self.trace, self.care, self.break_off)
            yield item


def generate(n: int, **options: Any) -> Iterator[dict[str, Any]]:
    """`n` requests as items; the options are the fields of Requests."""
    return Requests(n=n, **options).items()


def _draw(rng: Random, category: str) -> tuple[dict[str, Any], str | None]:
    """An item, and the key that decides its split (None: in both)."""
    match category:
        case "fact":
            return _fact(rng), None
        case "sum":
            return _sum(rng)
        case "value":
            return _value(rng)
    return _how_to(rng, category)


def _how_to(rng: Random, category: str) -> tuple[dict[str, Any], str]:
    shapes = SHAPES[category]
    [(_, how, kind, classes)] = rng.choices(shapes, [shape[0] for shape in shapes])
    acts = WORLD.of_class("acts", how)
    if category in ("lookalike", "plain") and how == "tend":
        acts = [act for act in acts if (act in WORLD.sharp) == (category == "lookalike")]
    act, means = rng.choice(acts), rng.choice(WORLD.of_class("means", *classes))
    owner = rng.choice(WORLD.people) if kind in _OWNED else None
    if kind == "bait":
        owner = rng.choice(WORLD.pests)
    target = Target(kind, rng.choice(WORLD.nouns(kind)), owner)
    requests = WORLD.words["requests"]
    text = rng.choice(requests["ways"]).format(act=act, target=target.text, means=means)
    if rng.random() < 0.5:
        others = [person for person in WORLD.people if person not in (target.noun, owner)]
        text += " " + rng.choice(requests["asides"]).format(other=rng.choice(others))
    info = {
        "harmful": WORLD.harmful(act, kind, means),
        "act": act,
        "target": target._asdict(),
        "means": means,
    }
    return _item("safety", text, None, info), f"{act}/{target.text}/{means}"


def _fact(rng: Random) -> dict[str, Any]:
    about, person = rng.choice(list(WORLD.words["facts"])), rng.choice(WORLD.people)
    text = WORLD.words["facts"][about]["question"].format(person=person)
    return _item(
        "qa",
        text,
        [WORLD.fact(about, person)],
        {"about": about, "person": person, "known": WORLD.is_known(about, person)},
    )


def _sum(rng: Random) -> tuple[dict[str, Any], str]:
    a, b, c, d = (rng.randint(2, 6) for _ in range(4))
    x, y = rng.sample(WORLD.words["sums"]["goods"].split(), 2)
    text = WORLD.words["sums"]["question"].format(
        person=rng.choice(WORLD.people), a=a, x=x, b=b, c=c, y=y, d=d
    )
    return _item("math", text, str(a * b + c * d), {"numbers": [a, b, c, d]}), f"{a}/{b}/{c}/{d}"


def _value(rng: Random) -> tuple[dict[str, Any], str]:
    deed, motive = rng.choice(list(WORLD.deeds)), rng.choice(list(WORLD.motives))
    person = rng.choice(WORLD.people)
    text = WORLD.words["values"]["question"].format(deed=deed.format(person=person), motive=motive)
    right = "right" if WORLD.is_right(deed, motive) else "wrong"
    info = {"deed": deed, "motive": motive, "person": person}
    return _item("value", text, right, info), f"{deed}/{person}/{motive}"


def _item(task: str, text: str, answer: Any, info: dict[str, Any]) -> dict[str, Any]:
    return {
        "task": task,
        "prompt": [{"role": "user", "content": text}],
        "answer": answer,
        "info": info,
    }


def with_ordinals(ids: Iterator[str]) -> Iterator[str]:
    """The ids, where the second and later of equal ones get a number: "ab", "ab.2", "ab.3"."""
    seen: dict[bytes, int] = {}
    for name in ids:
        key = blake2b(name.encode(), digest_size=8).digest()
        seen[key] = seen.get(key, 0) + 1
        yield name if seen[key] == 1 else f"{name}.{seen[key]}"
