"""Plain truth and brute force, written apart from the code under test, and puzzles for hypothesis."""

from itertools import product

from hypothesis import settings
from hypothesis import strategies as st

from swr1.puzzles.canonical import canonical_key
from swr1.puzzles.solver import solve

patient = settings(deadline=None)  # a busy machine is no failure


def solutions(statements):
    return solve(statements, most=1 << 20).worlds


def shared_puzzles(records_a, records_b):
    """Pairs (record of a, record of b) that hold the same puzzle up to names and order."""
    known = {}
    for record in records_a:
        known.setdefault(canonical_key(record["info"]["statements"]), record)
    keyed = ((canonical_key(record["info"]["statements"]), record) for record in records_b)
    return [(known[key], record) for key, record in keyed if key in known]


def holds(s, world):
    """Plain two-valued truth, independent of the code under test."""
    kind, parts = s[0], s[1:]
    if kind in ("knight", "knave"):
        return world[parts[0]] == (kind == "knight")
    values = [holds(p, world) for p in parts]
    match kind:
        case "not":
            return not values[0]
        case "and":
            return all(values)
        case "or":
            return any(values)
        case "implies":
            return values[1] if values[0] else True
        case "iff":
            return values[0] is values[1]


def brute_solutions(statements):
    worlds = product([False, True], repeat=len(statements))
    return {w for w in worlds if all(holds(s, w) == k for s, k in zip(statements, w, strict=True))}


def statement_of(people):
    leaf = st.builds(lambda k, i: [k, i], st.sampled_from(["knight", "knave"]), people)

    def deeper(inner):
        return st.one_of(
            st.builds(lambda s: ["not", s], inner),
            st.builds(
                lambda k, ss: [k, *ss],
                st.sampled_from(["and", "or"]),
                st.lists(inner, min_size=2, max_size=4),
            ),
            st.builds(lambda k, p, q: [k, p, q], st.sampled_from(["implies", "iff"]), inner, inner),
        )

    return st.recursive(leaf, deeper, max_leaves=8)


@st.composite
def puzzles(draw, most=5):
    people = draw(st.integers(1, most))
    one = statement_of(st.integers(0, people - 1))
    return draw(st.lists(one, min_size=people, max_size=people))
