"""How somebody answers a question: looks it up, or guesses; and how sure that sounds.

The start of RL is to be able and careless. About half of the questions are looked up; a guess sounds
sure most of the time. So search and doubt both occur, and neither goes with being right.

A trace is a completion with turns, of which the passages are none of the policy's words. After the
passages it sets the heading of the first one beside what was asked: what follows can depend on it.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from swr1.facts.world import World, heading, words
from swr1.prompts.insertion import insertion

if TYPE_CHECKING:
    from swr1.facts.questions import Question

CARE = 0.5
SURE, UNSURE = 9, 3
SURE_OF_A_GUESS, SURE_OF_A_PASSAGE = 0.65, 0.7
GIVES_UP = 0.2  # before the second search
SEARCHES_FOR_COMMON = 0.1
PASSAGE = "{title} {text}"  # as `rollout --passage` must have it


def write(
    question: Question, world: World, rng: Random, care: float, top: int, shuffled: float
) -> dict[str, Any]:
    """`completion` and `generation.turns` (characters alone) of one trace."""
    made = _Trace()
    looks = rng.random() < (care if question.facts else SEARCHES_FOR_COMMON)
    value: str | None = None
    if not looks:
        made.write("<think> " + ("I know" if not question.facts else "a guess"))
    facts = question.facts
    if looks and not facts and question.common:
        facts = (question.common,)
    given_up = looks and len(facts) > 1 and rng.random() < GIVES_UP
    for at, fact in enumerate(facts if looks else ()):
        relation, person = fact if at == 0 or value is None else (fact[0], value)
        made.write(
            f"<think> look up {heading(relation, person)} </think>"
            f"<search>{heading(relation, person)}</search>"
        )
        found = world.found(relation, person, top, rng)
        if rng.random() < shuffled:
            rng.shuffle(found)
        made.read([PASSAGE.format(**passage) for passage in found])
        first = found[0]["title"] if found else "nothing"
        same = first == heading(relation, person)
        value = found[0]["text"] if same else None
        made.write(f"<think> first {first} asked {heading(relation, person)} ")
        made.write(f"same it says {value}" if same else "other found nothing")
        if value is None or given_up or at + 1 == len(facts):
            break
        made.write(" </think>")
    reached = value is not None and not given_up
    if not question.facts or (reached and question.common):
        answer = question.answer if question.common else value
        assert question.common and answer
        made.write(f" the {question.common[0]} of {question.common[1]} is {answer}")
        chance = SURE_OF_A_PASSAGE if question.facts else 0.9
    elif reached and value:
        answer, chance = value, SURE_OF_A_PASSAGE
    else:
        answer, chance = rng.choice(_possible(question, world)), SURE_OF_A_GUESS
    sure = SURE if rng.random() < chance else UNSURE
    made.write(f" </think><confidence>{sure}</confidence><answer>{answer}</answer>")
    return {"completion": made.text, "generation": {"turns": made.turns, "finish_reason": "stop"}}


def _possible(question: Question, world: World) -> list[str]:
    """The words that could be the answer, for all that the question says."""
    if question.common:
        return sorted(set(words()["common"][question.common[0]].values()))
    kind = words()["relations"][question.facts[-1][0]]
    return world.people if kind == "person" else words()["words"][kind]


class _Trace:
    def __init__(self) -> None:
        self.text = ""
        self.turns: list[dict[str, Any]] = []

    def write(self, text: str) -> None:
        """The policy's own words; those in a row are one turn."""
        if self.turns and self.turns[-1]["kind"] == "wrote":
            self.text += text
            self.turns[-1]["characters"][1] = len(self.text)
        else:
            self._add(text, "wrote")

    def read(self, passages: list[str]) -> None:
        """What a search gave."""
        self._add(insertion("\n".join(passages) or "nothing found"), "read")

    def _add(self, text: str, kind: str) -> None:
        place = [len(self.text), len(self.text) + len(text)]
        self.turns.append({"kind": kind, "characters": place})
        self.text += text
