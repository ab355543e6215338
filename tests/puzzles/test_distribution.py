"""Whether puzzles come with the chances that the rules say: exact where it can be, else chi-square.

Seeds are fixed, so these do not fail by chance; a limit of 0.001 is what they had to keep once.
"""

from collections import Counter
from itertools import islice, permutations, product
from math import prod
from random import Random

import pytest
from scipy.stats import chi2_contingency, chisquare

from benchmarks import reference
from swr1.errors import UsageError
from swr1.puzzles import solver, space
from swr1.puzzles.generator import generate
from swr1.puzzles.large import draw_large
from swr1.puzzles.rules import PUBLISHED, Rules, is_trivial, parse_weights
from swr1.puzzles.statements import world_roles

from .brute import brute_solutions, holds

SOME_RULES = {
    "published": PUBLISHED,
    "weights": Rules((2, 1, 0, 3, 1, 5)),
    "no-self": Rules(self_reference=False),
    "no-trivial": Rules(trivial=False),
    "all": Rules((1, 2, 3, 1, 1, 2), self_reference=False, trivial=False),
}


def said(people, speaker, width, rules):
    """Every statement of depth 2 and its chance, derived apart from the code under test."""
    leaves = [(k, i) for k in ("knight", "knave") for i in range(people)]
    leaves.remove(("knave", speaker))
    if not rules.self_reference:
        leaves.remove(("knight", speaker))
    worlds = list(product([True, False], repeat=people))

    def allowed(s):
        if rules.trivial:
            return True
        tables = [[holds(part, w) for w in worlds] for part in s[1:]]
        pairs = permutations(tables, 2)
        alike = any(a == b or a == [not x for x in b] for a, b in pairs)
        return not alike and len({holds(s, w) for w in worlds}) == 2

    chances = {}
    for kind, weight in zip(("leaf", "not", "and", "or", "implies", "iff"), rules.weights):  # noqa: B905
        sizes = range(2, width + 1) if kind in ("and", "or") else [2]
        groups = [[(kind, *c) for c in permutations(leaves, k)] for k in sizes]
        groups = [[s for s in group if allowed(s)] for group in groups]
        if kind in ("leaf", "not"):
            groups = [leaves if kind == "leaf" else [("not", s) for s in leaves]]
        for group in groups:
            for s in group:
                chances[s] = weight / sum(rules.weights) / len(groups) / len(group)
    return {s: chance for s, chance in chances.items() if chance}


@pytest.mark.parametrize("tables", [True, False])
@pytest.mark.parametrize("width", [2, 3])
@pytest.mark.parametrize("rules", SOME_RULES.values(), ids=SOME_RULES)
def test_statements_come_with_their_chances(rules, width, tables, monkeypatch):
    if not tables:
        monkeypatch.setattr(space, "TABLE_LIMIT", 0)
    monkeypatch.setattr(space, "fitting_worlds", lambda s, p, n: 1 << n)  # everything is accepted
    space._tables.cache_clear()
    draws = (d for d in space.draw_puzzles(4, 2, width, "chi", rules) if d)
    seen = Counter(s for told, _ in islice(draws, 4000) for s in told[1:2])
    space._tables.cache_clear()
    chances = said(4, 1, width, rules)
    assert sum(chances.values()) == pytest.approx(1)
    assert seen.keys() <= chances.keys()
    # The rare ones together, as a chi-square test needs
    common = [s for s in chances if 4000 * chances[s] >= 8]
    cells = [seen[s] for s in common] + [4000 - sum(seen[s] for s in common)]
    expected = [4000 * chances[s] for s in common]
    expected.append(4000 - sum(expected))
    if expected[-1] < 1e-6:
        cells.pop(), expected.pop()
    assert chisquare(cells, expected).pvalue > 0.001


def exact_chances(people, rules=PUBLISHED):
    """Puzzles with one solution -> (their chance before conditioning, the solution)."""
    told = [said(people, p, 2, rules) for p in range(people)]
    for choice in product(*[chances.items() for chances in told]):
        statements = tuple(s for s, _ in choice)
        if len(found := brute_solutions(statements)) == 1:
            yield statements, prod(c for _, c in choice), found.pop()


def against(seen, exact, n):
    """Chi-square p of counts against chances, which are scaled to 1."""
    assert seen.keys() <= exact.keys()
    total = sum(exact.values())
    expected = [n * exact[k] / total for k in exact]
    return chisquare([seen[k] for k in exact], expected).pvalue


@pytest.mark.parametrize("rules", [PUBLISHED, Rules((1, 2, 1, 1, 3, 1))], ids=["1", "other"])
def test_every_puzzle_of_two_people_comes_with_its_chance(rules):
    exact = {s: chance for s, chance, _ in exact_chances(2, rules)}
    assert len(exact) == 399
    draws = (d[0] for d in space.draw_puzzles(2, 2, 2, "exact", rules) if d)
    assert against(Counter(islice(draws, 20_000)), exact, 20_000) > 0.001


def test_a_planted_world_brings_its_puzzles_with_their_chances():
    """Solutions as often as asked; given the solution, puzzles as the prior has them."""
    draws = [d for d in islice(space.draw_planted(2, 2, 2, "plant", PUBLISHED, 0.7), 20_000) if d]
    worlds = Counter(world_roles(world, 2) for _, world in draws)
    asked = {w: prod(0.7 if role else 0.3 for role in w) for w in product([True, False], repeat=2)}
    assert against(worlds, asked, sum(worlds.values())) > 0.001
    for world in asked:
        exact = {s: chance for s, chance, only in exact_chances(2) if only == world}
        seen = Counter(told for told, number in draws if world_roles(number, 2) == world)
        assert against(seen, exact, worlds[world]) > 0.001


@pytest.mark.parametrize("knights", [0.0, 0.25, 1.0])
def test_the_share_of_knights_is_the_one_asked_for(knights):
    records = list(generate(1000, (3, 6), knights=knights, seed=2))
    roles = [role == "knight" for r in records for _, role in r["answer"]]
    assert sum(roles) / len(roles) == pytest.approx(knights, abs=0.03)
    for r in records[:100]:
        (only,) = brute_solutions(r["info"]["statements"])
        assert [role == "knight" for _, role in r["answer"]] == list(only)
    assert {r["info"]["knights"] for r in records} == {knights}


def counts(puzzles, people):
    """Counters over puzzles: number of truth tellers, first speaker's connective."""
    knights, first = Counter(), Counter()
    for told, solution in puzzles:
        knights[sum(solution)] += 1
        first[told[0][0]] += 1
    return knights, first


@pytest.mark.parametrize("way", ["tables", "sat"])
@pytest.mark.parametrize("people", [3, 5])
def test_puzzles_are_those_of_the_published_process(people, way, monkeypatch):
    rng, n = Random(people), 1500
    made = [reference.puzzle(people, 2, rng) for _ in range(n)]
    theirs = counts([(told, only) for told, only, _ in made], people)
    tried = 0

    def wanted(statements):
        nonlocal tried
        tried += 1
        return True

    if way == "sat":
        monkeypatch.setattr(solver, "TABLE_PEOPLE", 0)
        some = [
            draw_large(people, 2, 2, f"published/{i}", PUBLISHED, None, wanted) for i in range(n)
        ]
    else:
        draws = space.draw_puzzles(people, 2, 2, "published")
        some = []
        while len(some) < n:
            if (drawn := next(draws)) is None:
                tried += space.BLOCK
            else:
                some.append((drawn[0], world_roles(drawn[1], people)))
        while (drawn := next(draws)) is not None:
            some.append((drawn[0], world_roles(drawn[1], people)))
        tried += space.BLOCK
    accepted = [[n, sum(c for _, _, c in made) - n], [len(some), tried - len(some)]]
    assert chi2_contingency(accepted).pvalue > 0.001
    for a, b in zip(theirs, counts(some, people), strict=True):
        keys = sorted((a | b).keys())
        assert chi2_contingency([[a[k] for k in keys], [b[k] for k in keys]]).pvalue > 0.001


def test_trivial_statements():
    a, b, c = ("knight", 0), ("knight", 70), ("knave", 2)
    for s in [
        ("iff", a, ("knave", 0)),
        ("or", a, ("not", a)),
        ("and", a, b, ("not", ("not", b))),
        ("implies", ("and", a, b), ("or", a, b)),  # always true
        ("not", ("and", c, ("iff", a, ("not", ("knave", 0))))),
        ("iff", ("or", a, b), ("not", ("and", ("not", a), ("knave", 70)))),
    ]:
        assert is_trivial(s), s
    for s in [a, ("not", a), ("and", a, b, c), ("and", a, ("or", a, b)), ("iff", ("iff", a, b), c)]:
        assert not is_trivial(s), s


@pytest.mark.parametrize("depth", [2, 3])
def test_rules_are_kept_by_every_statement(depth):
    rules = Rules((0, 1, 2, 1, 1, 4), self_reference=False, trivial=False)
    for r in generate(200, (3, 6), depth=depth, width=2, rules=rules, seed=1):
        assert r["info"]["weights"] == {
            "leaf": 0, "not": 1, "and": 2, "or": 1, "implies": 1, "iff": 4
        }  # fmt: skip
        assert (r["info"]["self_reference"], r["info"]["trivial"]) == (False, False)
        for speaker, s in enumerate(r["info"]["statements"]):
            assert s[0] not in ("knight", "knave")
            assert f"'knight', {speaker}]" not in repr(s) and f"'knave', {speaker}]" not in repr(s)
            values = {holds(s, w) for w in product([True, False], repeat=r["info"]["people"])}
            assert values == {True, False}


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("", (1, 1, 1, 1, 1, 1)),
        ("leaf=2, not=2,and=2,or=2,implies=2,iff=2", (1, 1, 1, 1, 1, 1)),
        ("iff=0.5", (2, 2, 2, 2, 2, 1)),
        ("not=0,and=3", (1, 0, 3, 1, 1, 1)),
    ],
)
def test_weights_as_text(text, weights):
    assert parse_weights(text) == weights


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("implis=1", "Did you mean 'implies'"),
        ("iff", "such as iff=2"),
        ("iff=x", "such as iff=2"),
        ("iff=-1", "negative"),
        ("leaf=0,not=0,and=0,or=0,implies=0,iff=0", "above 0"),
        ("iff=0.00001", "ratios"),
    ],
)
def test_weights_that_are_none(text, message):
    with pytest.raises(UsageError, match=message):
        parse_weights(text)


def test_rules_that_leave_nothing_to_say_are_refused(monkeypatch):
    """Of two people, "and" alone has two statements that are not trivial, and they contradict."""
    only_and = Rules((0, 0, 1, 0, 0, 0), trivial=False)
    with pytest.raises(UsageError, match="only 0 puzzles"):
        generate(1, 2, depth=3, rules=only_and)
    monkeypatch.setattr("swr1.puzzles.rules.REDRAWS", 100)
    with pytest.raises(UsageError, match="nothing to say"):
        next(space.draw_puzzles(2, 3, 2, "nothing", only_and))
    with pytest.raises(UsageError, match="width must be 2 to 1"):
        generate(1, 2, rules=Rules(self_reference=False, trivial=False))
    with pytest.raises(UsageError, match="trivial statements are found by truth tables"):
        generate(1, 30, depth=6, rules=Rules(trivial=False))
