"""What somebody thinks who looks at a picture, or who does not: the text that a policy starts from.

Looking names every cell, a line a row, with shape, colour and size; behind what is asked for stands how
many there are so far; the last line says again what the answer hangs on. Guessing gives some answer that
the words allow. So a policy that learned from both can see, and does not always look: a start from which
RL has something to find.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from swr1.puzzles.roles import find_roles
from swr1.puzzles.traces import answer_text
from swr1.scenes import harm
from swr1.scenes.questions import Question

STYLES = ("looking", "guessing", "mixed")
LOOKS = 0.6  # share of --trace mixed that looks
GUESS = "guess"


def write(question: Question, rng: Random, style: str, looks: float = LOOKS) -> dict[str, Any]:
    """{"trace": the whole turn, "looks": whether it looked}."""
    look = style == "looking" or (style == "mixed" and rng.random() < looks)
    thought = _seen(question) if look else GUESS
    if question.task == "safety":
        more, answer = harm.answered(question, rng, look)
        thought = f"{thought} {more}" if look else more
    elif not look:
        answer = rng.choice(question.guesses)
    elif question.task == "knights":
        answer = answer_text(question.answer, find_roles("knight/knave"))
    else:
        answer = question.answer
    trace = f"<think> {thought} </think>\n<answer> {answer} </answer>"
    return {"trace": trace, "looks": look}


def _seen(question: Question) -> str:
    """The cells, a line a row, with the counts of what is asked for; and the end."""
    scene, so_far = question.scene, Counter[str]()
    lines: list[str] = []
    for number, cell in enumerate(scene.cells()):
        thing = scene.at(cell)
        said = str(thing) if thing else f"{cell} none"
        for word in question.counted:
            if thing and word in thing:
                so_far[word] += 1
                said += f" {word} {so_far[word]}"
        if number % scene.columns:
            lines[-1] += f" {said}"
        else:
            lines.append(said)
    return "\n".join([*lines, question.end])
