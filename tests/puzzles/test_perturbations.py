"""Each kind of perturbation keeps what it promises, for any puzzle and in every wording."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from swr1.errors import DataError, UsageError
from swr1.puzzles.canonical import canonical_key
from swr1.puzzles.generator import generate
from swr1.puzzles.item import Puzzle, as_item, puzzle_of
from swr1.puzzles.names import LISTS
from swr1.puzzles.perturb import KINDS, Impossible, perturb
from swr1.puzzles.roles import PAIRS, find_roles
from swr1.puzzles.statements import as_tuples
from swr1.puzzles.wording import WORDINGS
from swr1.records import make_id

from .brute import brute_solutions

KEEPING = [kind for kind, of in KINDS.items() if not of.changes_solution]
CHANGING = [kind for kind, of in KINDS.items() if of.changes_solution]
some = settings(deadline=None, max_examples=30)


def named(item, **more):
    return {"v": 1, "id": make_id(item["task"], item["prompt"], item["answer"]), **item, **more}


@st.composite
def items(draw):
    """Records of puzzles with one solution, told in any wording and with any roles."""
    wording = draw(st.sampled_from(sorted(WORDINGS)))
    roles = "/".join(draw(st.permutations(draw(st.sampled_from(sorted(PAIRS))))))
    size = {"people": draw(st.integers(2, 5)), "depth": draw(st.integers(2, 3))}
    seed, width = draw(st.integers(0, 10**6)), draw(st.integers(2, 3))
    (item,) = generate(
        1, **size, width=width, seed=seed, wording=wording, roles=roles, names="latin"
    )
    return named(item)


def made(record, kind, **how):
    try:
        return perturb(record, kind, **how)
    except Impossible:
        assume(False)


def leaves_of(s):
    if s[0] in ("knight", "knave"):
        return [s]
    return [leaf for part in s[1:] for leaf in leaves_of(part)]


def skeleton(s):
    return None if s[0] in ("knight", "knave") else (s[0], *map(skeleton, s[1:]))


def truth_tellers(record):
    puzzle = puzzle_of(record)
    return {name for name, truth in zip(puzzle.names, puzzle.solution, strict=True) if truth}


def text(record):
    return record["prompt"][-1]["content"]


@pytest.mark.parametrize("kind", KINDS)
@some
@given(record=items())
def test_the_record_is_a_whole_puzzle_of_its_own(kind, record):
    new = made(record, kind)
    puzzle = puzzle_of(new)
    assert brute_solutions(puzzle.statements) == {puzzle.solution}
    assert new["info"]["perturbed"] == {
        "kind": kind,
        "of": record["id"],
        "changes_solution": kind in CHANGING,
    }
    assert new["id"] != record["id"]
    assert text(new) != text(record)
    assert all(name in text(new) for name in new["info"]["names"])
    assert perturb(record, kind) == new  # the same seed, the same puzzle


@pytest.mark.parametrize("kind", KEEPING)
@some
@given(record=items())
def test_solution_keeping_kinds_keep_who_tells_the_truth(kind, record):
    new = made(record, kind)
    old_names, names = record["info"]["names"], new["info"]["names"]
    renamed = dict(zip(old_names, names, strict=True)) if kind == "names" else {}
    assert truth_tellers(new) == {renamed.get(name, name) for name in truth_tellers(record)}
    # the canonical form knows neither names, order, roles nor wording
    keys = [canonical_key(puzzle_of(r).statements) for r in (record, new)]
    assert keys[0] == keys[1]
    if kind == "names":
        assert not {*names} & {*old_names}
    if kind in ("names", "roles", "flip", "wording"):
        assert new["info"]["statements"] == record["info"]["statements"]


@pytest.mark.parametrize("kind", CHANGING)
@some
@given(record=items())
def test_solution_changing_kinds_change_one_statement_or_one_leaf(kind, record):
    new = made(record, kind)
    before, after = puzzle_of(record), puzzle_of(new)
    changed = [(a, b) for a, b in zip(before.statements, after.statements, strict=True) if a != b]
    assert len(changed) == 1
    assert before.names == after.names
    assert before.solution != after.solution
    if kind == "leaf":
        ((a, b),) = changed
        assert skeleton(a) == skeleton(b)
        assert sum(x != y for x, y in zip(leaves_of(a), leaves_of(b), strict=True)) == 1


@pytest.mark.parametrize("wording", WORDINGS)
def test_what_a_kind_does_not_touch_stays_to_the_letter(wording):
    """Also the way each person's words are reported, in wordings that vary, and what stands
    around the puzzle in the prompt."""
    for item in generate(20, (2, 6), wording=wording, names="latin"):
        content = f"Solve this.\n{text(item)}\nThink first."
        prompt = [{"role": "system", "content": "s"}, {"role": "user", "content": content}]
        record = named(item | {"prompt": prompt})
        new = made(record, "names", choice="accented")
        assert new["prompt"][0] == prompt[0]
        told = text(new)
        for name, other in zip(new["info"]["names"], item["info"]["names"], strict=True):
            told = told.replace(name, other)
        assert told == content
        flipped = perturb(record, "flip")
        assert text(perturb(flipped, "flip")) == content


def test_order_moves_the_sentences_only():
    for item in generate(20, (2, 6)):
        told, moved = (
            text(r).replace("? ", ". ").split(". ") for r in (item, perturb(named(item), "order"))
        )
        assert moved[:2] + moved[-1:] == told[:2] + told[-1:]
        assert sorted(moved[3:-1]) == sorted(told[3:-1])
        assert moved[3:-1] != told[3:-1]


def test_flip_swaps_the_words_and_keeps_the_sense():
    (item,) = generate(1, 3)
    new = perturb(named(item), "flip")
    assert new["info"]["roles"] == ["knave", "knight"]
    assert text(new).startswith("On an island everyone is either a knave or a knight. Knaves alw")
    other = {"knight": "knave", "knave": "knight"}
    assert new["answer"] == [[name, other[role]] for name, role in item["answer"]]


def test_what_to_change_to_can_be_chosen():
    (item,) = generate(1, 3)
    record = named(item)
    assert perturb(record, "roles", choice="hero/villain")["info"]["roles"] == ["hero", "villain"]
    assert set(perturb(record, "names", choice="few")["info"]["names"]) <= set(
        "Ada Ben Eva Leo Mia Sam Tom Zoe".split()
    )
    chinese = perturb(record, "wording", choice="chinese")
    assert chinese["info"]["roles"] == ["骑士", "无赖"]
    assert [name for name, _ in chinese["answer"]] == item["info"]["names"]
    back = perturb(chinese, "wording", choice="plain")
    assert (text(back), back["answer"]) == (text(record), record["answer"])


@pytest.mark.parametrize("source", ["few", "common", "latin", "accented"])
def test_other_names_come_from_the_list_of_the_puzzle(source):
    for item in generate(20, "2-4", names=source, seed=1):
        new = perturb(named(item), "names")["info"]["names"]
        assert set(new) <= set(LISTS[source].split()) and not set(new) & set(item["info"]["names"])
    (item,) = generate(1, 5, names="few")
    with pytest.raises(Impossible, match=r"too few other names .* of its own \(--names"):
        perturb(named(item), "names")
    (item,) = generate(1, 2, names=["Wilhelmina", "Bo"])
    assert set(perturb(named(item), "names")["info"]["names"]) <= set(LISTS["common"].split())


def test_only_what_holds_of_the_new_puzzle_is_kept():
    (item,) = generate(1, 3, split="train", trace="search")
    record = named(item, completion="c", verdicts={}, reward=1.0, sample=0, trail={"a": "b"})
    record["info"] |= {"difficulty": {"people": 3}, "licence": "CC0"}
    new, kept = perturb(record, "statement"), perturb(record, "order")
    assert set(new) == {"v", "id", "task", "prompt", "answer", "info", "trail"}
    gone = {"trace", "difficulty", "seed", "index"}
    assert not gone & (set(new["info"]) | set(kept["info"]))
    assert "split" not in new["info"]
    assert kept["info"]["split"] == "train"
    assert new["info"]["licence"] == "CC0"


def test_what_cannot_be_done_says_why():
    (item,) = generate(1, 3)
    record = named(item)
    edited = record | {"prompt": [{"role": "user", "content": "Somebody says something."}]}
    with pytest.raises(Impossible, match="not in a known wording"):
        perturb(edited, "names")
    retold = perturb(edited, "wording", choice="plain")
    assert text(retold) == text(record)
    assert perturb(retold, "names")["info"]["perturbed"]["of"] == retold["id"]
    with pytest.raises(Impossible, match="already"):
        perturb(record, "wording", choice="plain")
    with pytest.raises(Impossible, match="already"):
        perturb(record, "roles", choice="knight/knave")
    with pytest.raises(Impossible, match="too few"):
        perturb(record, "names", choice=["Ann", "Bob"])
    with pytest.raises(Impossible, match="looks like"):
        perturb(record, "roles", choice=f"{item['info']['names'][0]}/sinner")
    with pytest.raises(UsageError, match="Did you mean 'leaf'"):
        perturb(record, "laef")
    with pytest.raises(DataError, match="not a puzzle"):
        perturb({"id": "x", "task": "math", "info": {}, "prompt": []}, "leaf")


def test_leaf_says_exactly_for_which_puzzles_of_two_there_is_none():
    """All 399 puzzles of 2 people, against trying every leaf by brute force."""
    count = 0
    for item in generate(399, 2):
        statements = [as_tuples(s) for s in item["info"]["statements"]]
        (old,) = brute_solutions(statements)
        reachable = set()
        for speaker, said in enumerate(statements):
            others = [leaf for leaf in LEAVES_OF_TWO if leaf != ("knave", speaker)]
            for at in range(len(leaves_of(said))):
                for leaf in others:
                    told = list(statements)
                    told[speaker] = with_leaf(said, at, leaf)
                    worlds = brute_solutions(told)
                    if len(worlds) == 1 and worlds != {old}:
                        reachable.add(tuple(told))
        try:
            assert puzzle_of(perturb(named(item), "leaf")).statements in reachable
            count += 1
        except Impossible:
            assert not reachable
    assert count == 306


LEAVES_OF_TWO = [(kind, i) for kind in ("knight", "knave") for i in (0, 1)]


def with_leaf(said, at, leaf):
    """The statement with its leaf number `at` replaced."""
    if said[0] in ("knight", "knave"):
        return leaf if at == 0 else said
    parts = []
    for part in said[1:]:
        inside = len(leaves_of(part))
        parts.append(with_leaf(part, at, leaf) if 0 <= at < inside else part)
        at -= inside
    return (said[0], *parts)


def test_perturbations_vary_with_the_seed_and_keep_the_rules():
    (item,) = generate(1, 6, depth=3)
    record = named(item)
    made = [perturb(record, "statement", seed=s)["info"]["statements"] for s in range(30)]
    changed = {i for told in made for i, s in enumerate(told) if s != item["info"]["statements"][i]}
    assert len(changed) > 2
    assert len({str(told) for told in made}) > 25
    only_iff = dict.fromkeys(("leaf", "not", "and", "or", "implies"), 0) | {"iff": 1}
    kept = 0
    for plain in generate(20, 4):
        ruled = named(plain)
        ruled["info"] |= {"self_reference": False, "weights": only_iff}
        try:
            new = perturb(ruled, "statement")
        except Impossible:
            continue
        pairs = zip(ruled["info"]["statements"], new["info"]["statements"], strict=True)
        ((i, s),) = [(i, b) for i, (a, b) in enumerate(pairs) if a != b]
        assert s[0] == "iff"
        assert i not in {leaf[1] for leaf in leaves_of(s)}
        kept += 1
    assert kept > 10


def test_a_puzzle_of_many_people_keeps_one_solution():
    """Beyond truth tables: checked by the solver's own count."""
    from swr1.puzzles.solver import solve

    people = 24
    statements = [("or", ("knight", 0), ("not", ("knight", 0)))]  # true, and each next one follows
    statements += [("knight" if i % 3 else "knave", i - 1) for i in range(1, people)]
    world = [True]
    for kind, before in statements[1:]:
        world.append(world[before] == (kind == "knight"))
    names = [f"Anna{chr(97 + i)}" for i in range(people)]
    puzzle = Puzzle(names, tuple(statements), tuple(world), find_roles())
    assert solve(statements, most=2).worlds == [tuple(world)]
    record = named(as_item(puzzle, "plain", [0] * people))
    for kind in CHANGING:
        new = puzzle_of(perturb(record, kind, seed=1))
        again = solve(new.statements, most=2)
        assert again.count == 1
        assert again.worlds == [new.solution]
        assert new.solution != puzzle.solution
