"""Questions about drawn shapes and bars: a scene that has an answer, and how its answer is found.

    question = DRAWERS["count"](rng, look)
    question.text, question.answer          # "how many red ?", "2"

Every answer that the words allow is about as likely as any other, so without the picture little can be
won: how many (1 in 6 with up to five things), which of two (1 in 2), what colour (1 in 4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from swr1.scenes.scene import BAR, COLOURS, SHAPES, SIZES, Scene, Thing, cells_of


class Look(NamedTuple):
    """How hard a scene may be: cells a side, fewest and most things, and what they may be."""

    cells: int = 3
    things: tuple[int, int] = (1, 5)
    shapes: tuple[str, ...] = SHAPES[:3]
    colours: tuple[str, ...] = COLOURS[:4]
    sizes: tuple[str, ...] = SIZES


@dataclass
class Question:
    """A question about a scene.

    Attributes:
        text, plain: in few words, all apart, and in plain English.
        guesses: what the answer might be for all that the words say.
        counted: words whose number somebody who looks counts as he goes; what is asked for, so that it is
            found again.
        end: what he says at the end, with the answer's reason.
        key: what decides its split.
        task: of the record. info: more of it.
    """

    scene: Scene
    text: str
    plain: str
    answer: Any
    guesses: Sequence[str]
    end: str
    key: str
    counted: tuple[str, ...] = ()
    task: str = "qa"
    info: dict[str, Any] = field(default_factory=dict)


def count(rng: Random, look: Look) -> Question:
    """How many are red?"""
    least, most = look.things
    word = rng.choice(look.colours + look.shapes)
    number = rng.randint(0, most)
    total = rng.randint(max(number, least), most)
    things = [_thing(rng, look, only=word) for _ in range(number)]
    things += [_thing(rng, look, without=(word,)) for _ in range(total - number)]
    scene = _placed(rng, look, things)
    asked = f"{word} things" if word in look.colours else f"{word}s"
    return Question(
        scene,
        f"how many {word} ?",
        f"How many {asked} are there?",
        str(number),
        [str(n) for n in range(most + 1)],
        f"so {word} {number}",
        _key(scene),
        counted=(word,),
    )


def compare(rng: Random, look: Look) -> Question:
    """Are more things red or blue?"""
    kind = look.colours if len(look.shapes) < 2 or rng.random() < 0.5 else look.shapes
    one, other = words = rng.sample(kind, 2)
    while True:
        things = [_thing(rng, look) for _ in range(rng.randint(*look.things))]
        numbers = [sum(word in thing for thing in things) for word in words]
        if numbers[0] != numbers[1]:
            break
    scene = _placed(rng, look, things)
    answer = words[numbers[1] > numbers[0]]
    ending = " things" if kind is look.colours else "s"
    return Question(
        scene,
        f"more {one} or {other} ?",
        f"Are there more {one}{ending} or more {other}{ending}?",
        answer,
        words,
        f"so {one} {numbers[0]} {other} {numbers[1]} more {answer}",
        _key(scene),
        counted=(one, other),
    )


def lookup(rng: Random, look: Look) -> Question:
    """What colour is the circle? What shape is red?"""
    colour = len(look.shapes) > 1 and rng.random() < 0.5
    one = _thing(rng, look)
    given, answer = (one[0], one[1]) if colour else (one[1], one[0])
    scene = _placed(rng, look, [one, *_others(rng, look, given)])
    [thing] = scene.having(given)
    return Question(
        scene,
        f"what colour is the {given} ?" if colour else f"what shape is {given} ?",
        f"What colour is the {given}?" if colour else f"What shape is the {given} thing?",
        answer,
        look.colours if colour else look.shapes,
        f"so {thing}",
        _key(scene),
        counted=(given,),
    )


_SIDES = {"above": (0, -1), "below": (0, 1), "left of": (-1, 0), "right of": (1, 0)}


def position(rng: Random, look: Look) -> Question:
    """Where is the circle? What colour is below the circle?"""
    kind = look.shapes if rng.random() < 0.5 and len(look.shapes) > 1 else look.colours
    one = _thing(rng, look)
    given = one[0] if kind is look.shapes else one[1]
    called = given if kind is look.shapes else f"{given} thing"
    others = _others(rng, look, given)
    scene = _placed(rng, look, [one, *others])
    [thing] = scene.having(given)
    sides = [(side, near) for side in _SIDES if (near := _beside(scene, thing, side))]
    if sides and rng.random() < 0.5:
        side, near = rng.choice(sides)
        return Question(
            scene,
            f"what colour is {side} {given} ?"
            if given in look.colours
            else f"what colour is {side} the {given} ?",
            f"What colour is the thing directly {side} the {called}?",
            near.colour,
            look.colours,
            f"so {thing} {side} {near}",
            _key(scene),
            counted=(given,),
        )
    return Question(
        scene,
        f"where is {given} ?" if given in look.colours else f"where is the {given} ?",
        f"In which cell is the {called}?",
        thing.cell,
        scene.cells(),
        f"so {thing}",
        _key(scene),
        counted=(given,),
    )


def bars(rng: Random, look: Look) -> Question:
    """How high is the red bar? Which bar is highest?"""
    most = min(look.cells, len(look.colours))
    colours = rng.sample(look.colours, rng.randint(2, most) if most > 2 else most)
    columns = sorted(rng.sample(range(look.cells), len(colours)))
    which = rng.choice(["high", "highest", "lowest"])
    while True:
        heights = [rng.randint(1, look.cells) for _ in colours]
        if which == "high" or heights.count((max if which == "highest" else min)(heights)) == 1:
            break
    widths = [rng.choice(look.sizes) for _ in colours]
    parts = [
        Thing(f"{chr(97 + column)}{look.cells - up}", BAR, colour, width)
        for column, colour, height, width in zip(columns, colours, heights, widths, strict=True)
        for up in range(height)
    ]
    scene = Scene(look.cells, look.cells, tuple(parts))
    if which == "high":
        word, height = rng.choice(list(zip(colours, heights, strict=True)))
        return Question(
            scene,
            f"how high is {word} ?",
            f"How many cells high is the {word} bar?",
            str(height),
            [str(n + 1) for n in range(look.cells)],
            f"so {word} {height}",
            _key(scene),
            counted=(word,),
        )
    answer = colours[heights.index((max if which == "highest" else min)(heights))]
    told = " ".join(f"{c} {h}" for c, h in zip(colours, heights, strict=True))
    return Question(
        scene,
        f"which bar is {which} ?",
        f"What colour is the {which} bar?",
        answer,
        look.colours,
        f"so {told} {which} {answer}",
        _key(scene),
        counted=tuple(colours),
    )


DRAWERS: dict[str, Callable[[Random, Look], Question]] = {
    "count": count,
    "compare": compare,
    "lookup": lookup,
    "position": position,
    "bars": bars,
}


def _thing(
    rng: Random, look: Look, only: str = "", without: Iterable[str] = ()
) -> tuple[str, str, str]:
    """(shape, colour, size), with the word `only` and none of the words `without`."""

    def choose(words: tuple[str, ...]) -> str:
        return only if only in words else rng.choice([w for w in words if w not in without])

    return choose(look.shapes), choose(look.colours), choose(look.sizes)


def _others(rng: Random, look: Look, without: str) -> list[tuple[str, str, str]]:
    """More things, for a scene in which one has the word `without`."""
    least, most = look.things
    return [
        _thing(rng, look, without=(without,))
        for _ in range(rng.randint(max(least, min(2, most)), most) - 1)
    ]


def _placed(rng: Random, look: Look, things: Sequence[tuple[str, str, str]]) -> Scene:
    cells = rng.sample(cells_of(look.cells, look.cells), len(things))
    placed = tuple(Thing(cell, *thing) for cell, thing in zip(cells, things, strict=True))
    return Scene(look.cells, look.cells, placed)


def _beside(scene: Scene, thing: Thing, side: str) -> Thing | None:
    x, y = _SIDES[side]
    return scene.at(f"{chr(ord(thing.cell[0]) + x)}{int(thing.cell[1]) + y}")


def _key(scene: Scene) -> str:
    """What stands where, wherever in its cell: a scene is in one split, whatever is asked."""
    return f"{scene.columns}/" + "/".join(map(str, scene.things))
