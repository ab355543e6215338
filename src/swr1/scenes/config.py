"""Pictures at positions of a sequence: their options, and the records made of them.

for item in Pictures(n=100, seed=1, split="train").items(): ...

One (seed, options) is one sequence: no picture with the same question comes twice in it, and positions
start .. start+n-1 are always the same records. What stands where decides the split, not where in its cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import blake2b
from itertools import count
from random import Random
from typing import Any

from swr1.errors import UsageError
from swr1.options import option
from swr1.pictures import Picture, part_of, picture_of
from swr1.puzzles.canonical import split_of
from swr1.puzzles.seen import CodeSet
from swr1.registry import check_choice, check_known
from swr1.scenes import harm, islanders, traces
from swr1.scenes.drawing import draw
from swr1.scenes.questions import DRAWERS, Look, Question
from swr1.scenes.scene import COLOURS, MOST_CELLS, SHAPES, SIZES
from swr1.village.world import is_test

KINDS = (*DRAWERS, "knights", "harm")
USUAL = "count,compare,lookup,position,bars,knights"
WORDINGS = ("terse", "plain")
DISTINCT = ("picture", "scene")
RETRIES = 20_000  # draws in a row that bring nothing new, after which there is nothing new

hard = partial(option, panel="How hard it is")


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Questions about drawn pictures, at positions start .. start+n-1 of a sequence."""

    n: int = option(100, "How many.", "--n", "-n", usual=True)
    kinds: str = option(
        USUAL,
        'Kinds of questions, with shares if need be, such as "count=2,bars=1": count, compare, lookup,'
        " position, bars, knights (who says what is drawn), harm (requests that only the picture makes"
        " harmful).",
        usual=True,
    )
    seed: int = option(0, "Names the sequence.", usual=True)
    start: int = option(0, "First position in the sequence.")
    split: str | None = option(
        None, "train or test: what stands where is in one of them, whatever is asked.", usual=True
    )
    test_share: float = option(0.2, "Share of the test split, up to 0.5.")
    distinct: str = option(
        "picture", "No two alike: as picture and question, or as scene and question."
    )
    wording: str = option(
        "terse", "terse (tiny models), or plain: English, with how to describe a cell.", usual=True
    )
    trace: str | None = option(
        None, "Add what somebody thinks and answers: looking, guessing or mixed.", usual=True
    )
    looks: float = option(traces.LOOKS, "Share of --trace mixed that looks.")
    cells: str | int = hard("3", "Cells a side: a number or LO-HI, 2 to 8.", kind=str)
    things: str | int = hard(
        "1-5", "Things in a picture: a number or LO-HI; at most one a cell.", kind=str
    )
    shapes: int = hard(3, "How many shapes there are, 1 to 6.")
    colours: int = hard(4, "How many colours there are, 2 to 8.")
    sizes: int = hard(2, "How many sizes there are, 1 or 2.")
    people: str | int = hard("2", "knights: how many people, a number or LO-HI, 2 to 8.", kind=str)
    pixels: int = hard(16, "Pixels of a cell's side, 12 to 256.")
    jitter: float = hard(1.0, "How far things leave the middle of their cell, 0 to 1.")

    def check(self) -> None:
        """Raises UsageError for what cannot be."""

        def need(holds: bool, what: str) -> None:
            if not holds:
                raise UsageError(what)

        for name, known in (("wording", WORDINGS), ("distinct", DISTINCT)):
            check_choice(f"--{name}", getattr(self, name), known)
        if self.split is not None:
            check_choice("--split", self.split, ("train", "test"))
        if self.trace is not None:
            check_known("trace style", self.trace, traces.STYLES)
        need(self.n >= 0 and self.start >= 0, "--n and --start are 0 or more")
        need(
            0 < self.test_share <= 0.5,
            f"--test-share is above 0 and up to 0.5, not {self.test_share}",
        )
        for name in ("looks", "jitter"):
            share = getattr(self, name)
            need(0 <= share <= 1, f"--{name} is from 0 to 1, not {share}")
        for name, low, high in (
            ("shapes", 1, len(SHAPES)),
            ("colours", 2, len(COLOURS)),
            ("sizes", 1, len(SIZES)),
            ("pixels", 12, 256),
        ):
            value = getattr(self, name)
            need(low <= value <= high, f"--{name} is from {low} to {high}, not {value}")
        people = self._spans["people"][1]
        need(
            "knights" not in self._chances or people <= self.colours,
            f"--people {people}: each has a colour, and there are {self.colours}; raise --colours",
        )
        need(
            "harm" not in self._chances or self.wording == "terse",
            "--wording plain: requests of the village are in few words only",
        )

    def items(self, first: int = 0, every: int = 1) -> Iterator[dict[str, Any]]:
        """The records (all but `v` and `id`) from position start + `first` on, every so-many-th.

        Raises UsageError as `check`, and where there are no more.
        """
        self.check()
        seen, requests = CodeSet(), 0
        for at in range(self.start + self.n):
            rng = Random(f"pictures/{self.seed}/{at}")
            [kind] = rng.choices(list(self._chances), list(self._chances.values()))
            question, picture = self._new(kind, rng, requests, seen)
            requests += kind == "harm"
            past = at - self.start - first
            if past >= 0 and past % every == 0:
                yield self._item(question, picture, at)

    @cached_property
    def _chances(self) -> dict[str, float]:
        return shares(self.kinds)

    @cached_property
    def _spans(self) -> dict[str, tuple[int, int]]:
        """Fewest and most cells a side, things and people."""
        return {
            "cells": span("--cells", self.cells, 2, MOST_CELLS),
            "things": span("--things", self.things, 1, MOST_CELLS**2),
            "people": span("--people", self.people, 2, islanders.MOST_PEOPLE),
        }

    def _new(
        self, kind: str, rng: Random, requests: int, seen: CodeSet
    ) -> tuple[Question, Picture]:
        """A question whose picture is new, and that picture."""
        cells = rng.randint(*self._spans["cells"])
        least, most = self._spans["things"]
        look = Look(
            cells,
            (min(least, cells**2), min(most, cells**2)),
            SHAPES[: self.shapes],
            COLOURS[: self.colours],
            SIZES[-self.sizes :],
        )
        for _ in range(RETRIES):
            question = self._draw(kind, rng, look, requests)
            if question is None:
                continue
            picture = picture_of(draw(question.scene, self.pixels, self.jitter, rng))
            shown = question.key if self.distinct == "scene" else picture.digest
            code = blake2b(f"{shown}/{question.text}".encode(), digest_size=8).digest()
            if seen.add(int.from_bytes(code, "little")):
                question.info = {"kind": kind, **question.info}
                return question, picture
        raise UsageError(
            f"only {len(seen):,} such pictures were found: {RETRIES:,} draws in a row brought no new one"
            f" of kind {kind}. Ask for fewer, or raise --cells, --things, --colours, --shapes or --jitter"
        )

    def _draw(self, kind: str, rng: Random, look: Look, requests: int) -> Question | None:
        """A question; None for one of the other split."""
        if kind == "harm":  # two in a row have the same words, and one of them is harmful
            for attempt in count():
                words = Random(f"words/{self.seed}/{requests // 2}/{attempt}")
                question = harm.draw(rng, words, look, harmful=bool(requests % 2))
                if self._in_split(question):
                    question.info["pair"] = requests // 2
                    return question
        if kind == "knights":
            question = islanders.draw(rng, look, rng.randint(*self._spans["people"]))
        else:
            question = DRAWERS[kind](rng, look)
        return question if self._in_split(question) else None

    def _in_split(self, question: Question) -> bool:
        if self.split is None:
            return True
        if question.task == "knights":  # a puzzle that is in train as a text is so as a picture
            return split_of(question.info["statements"], self.test_share) == self.split
        return is_test(question.key, self.test_share) == (self.split == "test")

    def _item(self, question: Question, picture: Picture, at: int) -> dict[str, Any]:
        scene = question.scene
        text = question.text if self.wording == "terse" else plain(question)
        info = {"dataset": "scenes", **question.info}
        info |= {"cells": scene.columns, "things": len(scene.things), "scene": scene.info()}
        info |= {"seed": self.seed, "index": at} | ({"split": self.split} if self.split else {})
        if self.trace:
            rng = Random(f"traces/{self.seed}/{at}")
            info |= traces.write(question, rng, self.trace, self.looks)
        content = [part_of(picture), {"type": "text", "text": text}]
        return {
            "task": question.task,
            "prompt": [{"role": "user", "content": content}],
            "answer": question.answer,
            "info": info,
        }


def plain(question: Question) -> str:
    """The question in English, with the grid and how to describe it."""
    scene = question.scene
    shape = scene.things[0].shape
    return (
        f"The picture is a grid of cells: columns a to {chr(96 + scene.columns)} from the left, rows 1 to"
        f" {scene.rows} from the top. {question.plain} First say what is in each cell, a line a row: cell,"
        f' shape, colour, size, such as "b2 {shape} red small", or "b2 none". Think within'
        " <think> </think> tags, then give the answer alone within <answer> </answer> tags."
    )


def span(name: str, text: str | int, low: int, high: int) -> tuple[int, int]:
    """ "2-5" -> (2, 5), "3" -> (3, 3). Raises UsageError for what lies not in low to high."""
    match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", str(text))
    least, most = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
    if not low <= least <= most <= high:
        raise UsageError(f"{name} is a number or LO-HI, from {low} to {high}, not {text!r}")
    return least, most


def shares(text: str) -> dict[str, float]:
    """ "count=2,bars" -> {"count": 2.0, "bars": 1.0}. Raises UsageError for what it cannot be."""
    chances: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.strip().partition("=")
        check_known("kind of picture", name, KINDS)
        try:
            chances[name] = float(share or 1)
        except ValueError:
            raise UsageError(f"{part.strip()!r}: a kind's share is a number") from None
    if min(chances.values()) < 0 or not 0 < sum(chances.values()) < float("inf"):
        raise UsageError(f"--kinds {text}: shares are at least 0, and not all 0")
    return chances
