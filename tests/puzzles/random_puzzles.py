"""Seeded random puzzles with one solution, made without the generator, so that pinned texts of
reasoning do not hang on how puzzles are drawn.
"""

from random import Random

from swr1.puzzles.item import Puzzle
from swr1.puzzles.roles import find_roles

from .brute import brute_solutions

NAMES = ["Ava", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana"]
ZH_NAMES = ["小明", "小红", "丽丽", "大伟", "阿强", "思思", "建国", "美玲"]


def random_statement(rng, people, depth):
    kind = rng.choice(["knight", "knave", "not", "and", "or", "implies", "iff"])
    if depth == 1 or kind in ("knight", "knave"):
        return (rng.choice(["knight", "knave"]), rng.randrange(people))
    parts = 1 if kind == "not" else rng.choice([2, 2, 3]) if kind in ("and", "or") else 2
    return (kind, *[random_statement(rng, people, depth - 1) for _ in range(parts)])


def random_puzzle(seed, people, depth=2, roles="knight/knave", names=NAMES):
    rng = Random(f"{seed}/{people}/{depth}")
    while True:
        statements = tuple(random_statement(rng, people, depth) for _ in range(people))
        found = brute_solutions(statements)
        if len(found) == 1:
            return Puzzle(names[:people], statements, found.pop(), find_roles(roles))
