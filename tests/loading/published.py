"""Rows in the shapes in which others publish their puzzles, made here from random statements.

The shapes and templates are those of mem-kk, Logic-RL and reasoning-gym; puzzles, names and
solutions (by brute force) are made without any code under test but the list of templates.

python -m tests.loading.published    # writes the small committed files anew
"""

import json
import random
from pathlib import Path

from swr1.puzzles.reading import PUBLISHED_REPORTS
from tests.puzzles.brute import brute_solutions

FILES = Path(__file__).parent / "files"
NAMES = ["Zoey", "Oliver", "Mia", "Jack", "Aria", "Noah", "Luke", "Ella", "Zeb de Vries", "Zoë"]
WORDS = {"and": " and ", "or": " or ", "iff": " if and only if "}
STORED = {"knight": "telling-truth", "knave": "lying", "implies": "->", "iff": "<=>"}
INTRO = (
    "A very special island is inhabited only by {knight}s and {knave}s. {Knight}s always tell the"
    " truth, and {knave}s always lie. You meet {n} inhabitants: {people}."
)
QUESTION = "So who is {a_knight} and who is {a_knave}?"


def random_statement(rng, people, depth):
    kind = rng.choice(["leaf", "not", "and", "or", "implies", "iff"]) if depth > 1 else "leaf"
    if kind == "leaf":
        return (rng.choice(["knight", "knave"]), rng.randrange(people))
    parts = {"not": 1, "and": rng.randint(2, 3), "or": rng.randint(2, 3)}.get(kind, 2)
    return (kind, *[random_statement(rng, people, depth - 1) for _ in range(parts)])


def random_puzzle(rng, people, depth=2):
    """(statements, the only solution)"""
    while True:
        said = tuple(random_statement(rng, people, depth) for _ in range(people))
        if len(worlds := brute_solutions(said)) == 1:
            return said, worlds.pop()


def stored(s):
    """As mem-kk and reasoning-gym keep it."""
    return (STORED.get(s[0], s[0]), *[stored(p) if isinstance(p, tuple) else p for p in s[1:]])


def terms(knight, knave):
    a = {w: f"{'an' if w[0] in 'aeiou' else 'a'} {w}" for w in (knight, knave)}
    words = {"knight": knight, "knave": knave, "a_knight": a[knight], "a_knave": a[knave]}
    return words | {"Knight": knight.capitalize(), "Knave": knave.capitalize()}


def say_flat(s, names, words):
    """mem-kk's clauses: two levels, no brackets, "If" with a capital."""
    if s[0] in ("knight", "knave"):
        return f"{names[s[1]]} is {words['a_' + s[0]]}"
    parts = [say_flat(p, names, words) for p in s[1:]]
    if s[0] == "not":
        return parts[0].replace(" is ", " is not ")
    return f"If {parts[0]} then {parts[1]}" if s[0] == "implies" else WORDS[s[0]].join(parts)


def say_nested(s, names, words):
    """reasoning-gym's clauses: brackets, and "not" of a leaf as the opposite role."""
    if s[0] in ("knight", "knave"):
        return f"{names[s[1]]} is {words['a_' + s[0]]}"
    if s[0] == "not" and s[1][0] in ("knight", "knave"):
        opposite = "knave" if s[1][0] == "knight" else "knight"
        return say_nested((opposite, s[1][1]), names, words)
    parts = [say_nested(p, names, words) for p in s[1:]]
    parts = [
        t if p[0] in ("knight", "knave") else f"({t})" for p, t in zip(s[1:], parts, strict=True)
    ]
    if s[0] == "not":
        return f"it is not the case that {parts[0]}"
    return f"if {parts[0]} then {parts[1]}" if s[0] == "implies" else WORDS[s[0]].join(parts)


def quiz(rng, names, said, words, say, shuffled=False):
    sentences = [
        rng.choice(PUBLISHED_REPORTS).format(who=name, what=say(s, names, words))
        for name, s in zip(names, said, strict=True)
    ]
    if shuffled:
        rng.shuffle(sentences)
    people = f"{', '.join(names[:-1])}, and {names[-1]}"
    return " ".join(
        [INTRO.format(n=len(names), people=people, **words), *sentences, QUESTION.format(**words)]
    )


def claims(names, world, words):
    return [
        f"{n} is {words['a_knight' if k else 'a_knave']}" for n, k in zip(names, world, strict=True)
    ]


def together(parts):
    return f"{', '.join(parts[:-1])}, and {parts[-1]}."


def mem_kk(index, people=3, pair=("knight", "knave"), shuffled=False):
    """A row of mem-kk; ("knave", "knight") is its flipped variant."""
    rng, words = random.Random(f"mem-kk {index} {people}"), terms(*pair)
    names = rng.sample(NAMES, people)
    said, world = random_puzzle(rng, people)
    parts = claims(names, world, words)
    return {
        "quiz": quiz(rng, names, said, words, say_flat, shuffled),
        "names": names,
        "knight_knave": words,
        "solution": list(world),
        "solution_text": together(parts),
        "solution_text_format": "\n".join(f"({i}) {p}" for i, p in enumerate(parts, 1)),
        "cot_head": "Let's think step by step.",
        "cot_repeat_steps": ["No contradiction is found."],
        "cot_foot": "This leads to a feasible solution.",
        "statements": str(tuple(map(stored, said))),
        "index": index,
    }


def logic_rl(
    index, people=3, template="<|im_start|>user\n{}\n<|im_end|>\n<|im_start|>assistant\n<think>"
):
    row = mem_kk(index, people)
    truth = {k: row[k] for k in ("solution_text_format", "statements")}
    return row | {
        "data_source": "kk_logic",
        "prompt": [{"role": "user", "content": template.format(row["quiz"])}],
        "ability": "logic",
        "reward_model": {"style": "rule", "ground_truth": truth},
        "extra_info": {"split": "train", "index": index},
    }


def reasoning_gym(index, people=3, depth=3, pair=("angel", "devil")):
    rng, words = random.Random(f"gym {index} {people}"), terms(*pair)
    names = rng.sample(NAMES, people)
    said, world = random_puzzle(rng, people, depth)
    layout = ", ".join(f"{n} is a {pair[0]}/{pair[1]}" for n in names)
    return {
        "question": f"{quiz(rng, names, said, words, say_nested)}"
        f' (Format your answer like: "{layout}")',
        "answer": together(claims(names, world, words)),
        "metadata": {
            "source_dataset": "knights_knaves",
            "source_index": index,
            "statements": [stored(s) for s in said],
            "solution": list(world),
            "names": names,
            "knight_knave_terms": words,
            "difficulty": {"n_people": people, "depth_constraint": depth, "width_constraint": 3},
        },
    }


def write_jsonl(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


VARIANTS = [
    mem_kk(0, 2),
    mem_kk(1, 3),
    mem_kk(2, 5),
    mem_kk(3, 3, shuffled=True),
    mem_kk(4, 3, pair=("hero", "villain")),
    mem_kk(5, 3, pair=("knave", "knight")),
]

if __name__ == "__main__":
    write_jsonl(FILES / "mem_kk.jsonl", VARIANTS)
    write_jsonl(FILES / "reasoning_gym.jsonl", [reasoning_gym(i, 2 + i % 4) for i in range(6)])
