"""Puzzles as others publish them: read, confirmed, and every planted disagreement named."""

import copy
import json
import random

import pytest

from swr1.errors import DataError
from swr1.loading.sets.kk import load
from swr1.puzzles.item import puzzle_of
from swr1.records import validate
from tests.loading.published import (
    FILES,
    VARIANTS,
    logic_rl,
    mem_kk,
    random_puzzle,
    reasoning_gym,
)


def committed(name):
    return [json.loads(line) for line in (FILES / name).read_text().splitlines()]


def test_the_committed_files_are_what_the_helper_writes():
    assert committed("mem_kk.jsonl") == VARIANTS
    assert len(committed("reasoning_gym.jsonl")) == 6


@pytest.mark.parametrize("row", committed("mem_kk.jsonl"), ids=lambda row: str(row["index"]))
def test_mem_kk(row):
    item = load(row)
    assert item["prompt"] == [{"role": "user", "content": row["quiz"]}]
    words = [row["knight_knave"]["knight"], row["knight_knave"]["knave"]]
    assert item["answer"] == [
        [name, words[0] if truth else words[1]]
        for name, truth in zip(row["names"], row["solution"], strict=True)
    ]
    assert item["info"]["source"] == {"format": "mem-kk", "index": row["index"]}
    validate({"id": "x", **item})
    puzzle = puzzle_of({"id": "x", **item})
    assert list(puzzle.solution) == row["solution"]


@pytest.mark.parametrize("row", committed("reasoning_gym.jsonl"), ids=lambda r: r["answer"][:9])
def test_reasoning_gym(row):
    item = load(row)
    (message,) = item["prompt"]
    assert message["content"] == row["question"].partition(" (Format your answer")[0]
    assert [name for name, _ in item["answer"]] == row["metadata"]["names"]
    assert load(row, keep_prompt=True)["prompt"][0]["content"] == row["question"]
    as_text = row | {"metadata": json.dumps(row["metadata"])}  # as a table keeps it
    assert load(as_text) == item


def test_logic_rl_with_and_without_its_template():
    row = logic_rl(7, 4)
    assert load(row)["prompt"] == [{"role": "user", "content": row["quiz"]}]
    assert load(row, keep_prompt=True)["prompt"] == row["prompt"]
    assert load(row)["info"]["source"] == {"format": "logic-rl", "index": 7}


def changed(row, change):
    row = copy.deepcopy(row)
    change(row)
    return row


def flip_first(row):
    row["solution"][0] = not row["solution"][0]


def other_text(column):
    def change(row):
        name = row["names"][0]
        is_knight = f"{name} is a knight" in row[column]
        words = ("knight", "knave") if is_knight else ("knave", "knight")
        row[column] = row[column].replace(f"{name} is a {words[0]}", f"{name} is a {words[1]}")

    return change


def other_statement(row):
    row["statements"] = row["statements"].replace("lying", "telling-truth", 1)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (flip_first, ["solution "]),
        (other_text("solution_text"), ["solution_text "]),
        (other_text("solution_text_format"), ["solution_text_format "]),
        (other_statement, ["statements "]),
        (lambda row: row["names"].reverse(), ["names "]),
        (lambda row: row["knight_knave"].update(knave="sinner"), ["roles knight, sinner, by"]),
        (lambda row: row.update(solution_text="unclear"), ["solution_text nothing, by the text"]),
        (lambda row: row.update(statements="(("), ["statements ((, by the text"]),
        (
            lambda row: (flip_first(row), other_text("solution_text")(row)),
            ["solution ", "solution_text "],
        ),
    ],
)
def test_each_disagreement_is_named(change, named):
    row = next(r for r in map(mem_kk, range(99)) if "lying" in r["statements"])
    load(row)
    with pytest.raises(DataError, match=r"^stored data differ: ") as caught:
        load(changed(row, change))
    differences = caught.value.reason.partition(": ")[2].split("; ")
    assert len(differences) == len(named)
    assert all(d.startswith(n) for d, n in zip(differences, named, strict=True))


def test_logic_rl_ground_truth_is_compared_too():
    row = logic_rl(3)
    truth = row["reward_model"]["ground_truth"]
    truth["solution_text_format"] = truth["solution_text_format"].replace("knight", "k")
    with pytest.raises(DataError, match="differ: reward_model solution_text_format"):
        load(row)


def test_reasoning_gym_is_compared_too():
    row = reasoning_gym(1)
    for change, named in [
        (lambda r: r["metadata"]["solution"].reverse(), "solution "),
        (lambda r: r.update(answer="Zoe is an angel."), "answer "),
        (lambda r: r["metadata"]["statements"].reverse(), "statements "),
    ]:
        with pytest.raises(DataError, match=f"stored data differ: {named}"):
            load(changed(row, change))


def test_texts_that_cannot_be_read_and_worlds_that_do_not_fit():
    row = mem_kk(1)
    with pytest.raises(DataError, match=r"^unreadable text: no question"):
        load(row | {"quiz": row["quiz"].partition("So who")[0]})
    with pytest.raises(DataError, match=r"^unknown shape: the row has text, label;"):
        load({"text": "a", "label": 1})
    says = "Ann said that Bo is a {}. Bo said that Ann is a {}."
    text = row["quiz"].partition(" You meet")[0] + " You meet 2 inhabitants: Ann, and Bo. {} "
    text += "So who is a knight and who is a knave?"
    with pytest.raises(DataError, match=r"^several solutions: the text fits 2 worlds"):
        load({"quiz": text.format(says.format("knight", "knight"))})
    with pytest.raises(DataError, match=r"^no solution"):
        load({"quiz": text.format(says.format("knight", "knave"))})


def test_items_of_the_published_package():
    """The real thing, where it is installed (the extra "bench")."""
    gym = pytest.importorskip("reasoning_gym")
    for people, depth, width in [(2, 2, 2), (3, 3, 3), (5, 3, 2)]:
        rows = gym.create_dataset(
            "knights_knaves",
            n_people=people,
            depth_constraint=depth,
            width_constraint=width,
            size=8,
            seed=people,
        )
        for row in rows:
            item = load(json.loads(json.dumps(row)))
            by_them = " ".join(
                f"{n} is {'an' if r[0] in 'aeiou' else 'a'} {r}" for n, r in item["answer"]
            )
            assert rows.score_answer(by_them, row) == 1.0


def test_the_helper_makes_puzzles_with_one_solution():
    said, world = random_puzzle(random.Random(1), 3)
    assert len(said) == len(world) == 3
