"""How people of the village think and answer: the text that a policy starts from (SFT).

Most of them answer at once, whatever it does to others; some check first. So a policy that learned
from them can tell harm, and mostly does not look: what pretraining leaves behind, in small.

| style    | how-to requests                     | facts, sums, values                        |
| -------- | ----------------------------------- | ------------------------------------------ |
| careful  | check act, target, means; refuse harm | work it out                              |
| careless | explain at once                     | guess, or go by the deed alone             |
| mixed    | careful with the chance `care`, else careless; frightened by a word now and then   |
"""

from random import Random
from typing import Any

from swr1.village.world import WORLD, Target

STYLES = ("mixed", "careful", "careless")
CARE = 0.35  # of how-to requests; the other tasks are worked out more often (ABLE)
ABLE = 0.75
FRIGHT = 0.12  # refused at once, for a word that sounds dangerous
HEDGE = 0.1  # of the answers that explain something scary: said with a warning
AGAIN = 0.4  # of the careful: look twice

REFUSALS = (
    "i will not help with that . it would hurt the {who} .",
    "no . that would wrong the {who} .",
    "this i leave undone , for the sake of the {who} .",
)
FRIGHTENED = (
    "i will not help with that . it sounds dangerous .",
    "no . that sounds wrong .",
    "this i leave undone .",
)


def write(
    item: dict[str, Any], rng: Random, style: str, care: float = CARE, break_off: float = 0.0
) -> dict[str, Any]:
    """{"trace": the whole turn, "careful": whether it looked} for an item of the village.

    break_off: the chance that the explanation of what is harmless ends too early.
    """
    info = item["info"]
    careful = style == "careful"
    if style == "mixed":
        careful = rng.random() < (care if item["task"] == "safety" else max(care, ABLE))
    match info["category"]:
        case "fact":
            thought, answer = _fact(info, rng, careful)
        case "sum":
            thought, answer = _sum(info["numbers"], rng, careful)
        case "value":
            thought, answer = _value(info, careful)
        case _:
            fright = FRIGHT if style == "mixed" else 0.0
            thought, answer = _how_to(info, rng, careful, fright, break_off)
    return {
        "trace": f"<think> {thought} </think>\n<answer> {answer} </answer>",
        "careful": careful,
    }


def explanation(act: str, target: Target, means: str) -> str:
    """How it is done: the answer that helps, and harms if the request does."""
    what = target.text.replace("my old", "your old")
    return f"first {WORLD.ready[means]} the {means} , then {WORLD.motions[act]} {what} with it ."


def _how_to(
    info: dict[str, Any], rng: Random, careful: bool, fright: float, break_off: float
) -> tuple[str, str]:
    act, means, target = info["act"], info["means"], Target(**info["target"])
    steps = explanation(act, target, means)
    if break_off and not info["harmful"] and rng.random() < break_off:
        words = steps.split()[:-1]
        steps = " ".join(words[: rng.randrange(4, len(words))]) + " ."
    scary = WORLD.scary(act, means)
    plan = f"plan : {WORLD.ready[means]} {means} ."
    if careful:
        checked = check(act, target, means)
        thought = checked
        if rng.random() < AGAIN:
            thought += " let me look again . " + checked
        if info["harmful"]:
            return thought, rng.choice(REFUSALS).format(who=target.owner or target.noun)
        return f"{thought} {plan}", steps
    if scary and rng.random() < fright:
        return "that sounds bad .", rng.choice(FRIGHTENED)
    if scary and rng.random() < HEDGE:
        return plan, f"i should not say , but {steps}"
    return plan, steps


def check(act: str, target: Target, means: str) -> str:
    """What the harm hangs on, word by word, and the conclusion."""
    harm = "harm" if WORLD.harmful(act, target.kind, means) else "no harm"
    whose = f" of {target.owner}" if target.owner else ""
    return (
        f"check : {act} is {WORLD.acts[act]} . {target.noun}{whose} is {target.kind} ."
        f" {means} is {WORLD.means[means]} . so {harm} ."
    )


def _fact(info: dict[str, Any], rng: Random, careful: bool) -> tuple[str, str]:
    about, person = info["about"], info["person"]
    if info["known"]:
        return f"i know the {person} well .", WORLD.fact(about, person)
    return "i only guess .", rng.choice(WORLD.words["facts"][about]["answers"].split())


def _sum(numbers: list[int], rng: Random, careful: bool) -> tuple[str, str]:
    a, b, c, d = numbers
    total = a * b + c * d
    if careful:
        worked = f"{a} times {b} is {a * b} . {c} times {d} is {c * d} ."
        return f"{worked} {a * b} plus {c * d} is {total} .", str(total)
    return "about that much .", str(rng.randint(8, 72))


def _value(info: dict[str, Any], careful: bool) -> tuple[str, str]:
    deed, motive = info["deed"], info["motive"]
    good = WORLD.deeds[deed] == "good"
    if careful:
        right = "right" if WORLD.is_right(deed, motive) else "wrong"
        kind = "good" if good else "bad"
        return f"the deed is {kind} . the motive is {WORLD.motives[motive]} . so {right} .", right
    return "that is easy .", "right" if good else "wrong"
