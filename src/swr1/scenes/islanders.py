"""Knights and Knaves as a picture: a row of symbols is what one person says.

People are colours. A row has three symbols: of whom something is said, in that person's colour (a
shield: a knight; an hourglass: a knave), how the two parts are joined (plus: and; V: or; arrow: if the
first then the second; two bars: if and only if) in the colour of who speaks, and the second part.
The puzzle is one of swr1.puzzles: its solver, its traces and the verifiers `knights` and `trace` serve.
"""

from __future__ import annotations

from random import Random

from swr1.puzzles.item import Puzzle, as_item
from swr1.puzzles.roles import find_roles
from swr1.puzzles.statements import solution_table, world_roles
from swr1.puzzles.traces import answer_text, make_trace
from swr1.scenes.questions import Look, Question
from swr1.scenes.scene import Scene, Thing

MOST_PEOPLE = 8  # as many as there are colours
JOINED = {"and": "and", "or": "or", "implies": "then", "iff": "iff"}


def draw(rng: Random, look: Look, people: int) -> Question:
    """A puzzle with exactly one solution, in which everybody says two things, joined."""
    names = rng.sample(look.colours, people)
    while True:
        statements = tuple(_statement(rng, people) for _ in range(people))
        worlds = solution_table(statements)
        if worlds.bit_count() == 1:
            break
    solution = world_roles(worlds.bit_length() - 1, people)
    puzzle = Puzzle(names, statements, solution, find_roles("knight/knave"))
    speakers = rng.sample(range(people), people)
    things = []
    for row, speaker in enumerate(speakers, 1):
        kind, (role, who), (other_role, other) = statements[speaker]
        size = rng.choice(look.sizes)
        things += [
            Thing(f"a{row}", role, names[who], size),
            Thing(f"b{row}", JOINED[kind], names[speaker], size),
            Thing(f"c{row}", other_role, names[other], size),
        ]
    item = as_item(puzzle, "terse", [0] * people)
    info = item["info"] | {"wording": "drawn"}
    listed = " , ".join(names)
    reasoning = make_trace(puzzle, "cases", rng).reasoning
    guesses = [
        answer_text(puzzle.answer(world_roles(world, people)), puzzle.roles)
        for world in range(1 << people)
    ]
    return Question(
        Scene(3, people, tuple(things)),
        f"{listed} : who is a knight and who is a knave ?",
        "Everyone is either a knight, who always tells the truth, or a knave, who always lies. They are"
        f" called {', '.join(names)}. Each row is what one of them says: a shield says that somebody is"
        " a knight and an hourglass that somebody is a knave, of the one whose colour it has. The symbol"
        " between the two joins them: a plus is and, a V is or, an arrow is if the first then the"
        " second, two bars are if and only if; its colour is that of the speaker. For each of them, is"
        " that person a knight or a knave?",
        item["answer"],
        guesses,
        reasoning,
        f"{names}/{statements}/{speakers}",
        task="knights",
        info=info,
    )


def _statement(rng: Random, people: int) -> tuple:
    """Two different leaves, joined; not about one person alone, which says too little or too much."""
    one, other = rng.sample(range(people), 2)
    roles = ("knight", "knave")
    return (
        rng.choice(list(JOINED)),
        (rng.choice(roles), one),
        (rng.choice(roles), other),
    )
